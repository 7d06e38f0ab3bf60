"""FabricProof and LakeProof as the engine sees them."""

import ast
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest

from tests.infra.platform.gpu_cluster import SERVE, TRAIN, gpu_cluster
from workloads.proof import component
from workloads.proof.component import (
    FabricProof,
    FabricProofArgs,
    FabricProofTemplate,
    LakeProof,
    LakeProofArgs,
    fabric_pools,
    floors,
)

EVIDENCE = "s3://mumbai-audit/evidence"


def fabric(pools=(SERVE, TRAIN), **changes):
    args = {
        "cluster": gpu_cluster(*pools),
        "pool": "train",
        "image": "registry.example/proof:1",
        "dcgm_image": "registry.example/dcgm:4",
        "evidence_uri": pulumi.Output.from_input(EVIDENCE),
    }
    return FabricProof("fabric", FabricProofArgs(**args | changes))


@pytest.fixture(scope="module")
def made(deploy):
    return deploy(lambda: fabric().nccl.id)


def spec(made, name):
    return made.one("v1:Job", name).inputs["spec"]


def container(made, name):
    (only,) = spec(made, name)["template"]["spec"]["containers"]
    return only


def test_each_proof_takes_whole_nodes_of_the_pool(made):
    for name in ("fabric", "fabric-diag"):
        assert spec(made, name)["completions"] == spec(made, name)["parallelism"] == 2
        assert spec(made, name)["completionMode"] == "Indexed"
        pod = spec(made, name)["template"]["spec"]
        assert pod["nodeSelector"] == dict(TRAIN.node_selector)
        assert pod["tolerations"] == [dict(TRAIN.tolerations[0])]
        assert container(made, name)["resources"]["limits"] == dict(TRAIN.limits)


def test_a_proof_is_waited_for_and_fails_at_once(made):
    job = made.one("v1:Job", "fabric").inputs
    assert job["spec"]["backoffLimit"] == 0
    assert "pulumi.com/skipAwait" not in job["metadata"].get("annotations", {})
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert rule["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"


def test_the_fabric_is_measured_after_the_gpus_are_found_sound(made):
    assert made.one("v1:Job", "fabric-diag").urn in made.one("v1:Job", "fabric").depends_on
    assert "dcgmi diag -r 2 -j" in container(made, "fabric-diag")["command"][-1]


def test_nccl_runs_under_torchrun_with_the_floor_of_the_facts(made):
    nccl = container(made, "fabric")
    assert nccl["command"][0] == "torchrun" and nccl["command"][-1] == "/opt/proof/nccl.py"
    assert {"--nnodes=2", "--nproc-per-node=8"} <= set(nccl["command"])
    assert "--rdzv-endpoint=fabric-0.fabric.proof.svc:29400" in nccl["command"]
    assert nccl["args"] == [
        "--floor-gbs=300",
        "--label=mumbai/train: H100 on efa",
        "--locks-memory",
        "--evidence-uri",
        EVIDENCE,
    ]
    environment = {variable["name"]: variable["value"] for variable in nccl["env"]}
    assert environment["FI_EFA_USE_HUGE_PAGE"] == "0"
    assert environment["NCCL_NET"] == "AWS Libfabric"
    diagnosis = {variable["name"] for variable in container(made, "fabric-diag")["env"]}
    assert "NCCL_NET" not in diagnosis, "DCGM's image has no plugin, and stays within a node"
    assert environment["NCCL_DEBUG_FILE"].startswith("/scratch/")
    assert "NCCL_PROTO" not in environment


def test_floors_of_the_facts():
    assert floors()["H100", "efa"] == 300
    assert floors()["H100", "tcpxo"] == 250


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pool": "serve"}, "'serve' has no fabric to prove; pools with one: train"),
        ({"nodes": 1}, "nodes is 1; a fabric is between nodes"),
        ({"nodes": 3}, "grows to 2 nodes"),
        ({"pool": "trian"}, "did you mean 'train'"),
        ({"pools": (replace(TRAIN, gpu="H300"),)}, "no floor is known for H300 on efa"),
    ],
)
def test_what_can_not_be_proved_is_refused(deploy, changes, why):
    with pytest.raises(ValueError, match=why):
        deploy(lambda: fabric(**changes).nccl.id)


def test_a_floor_of_ones_own(deploy):
    own = deploy(lambda: fabric(pools=(replace(TRAIN, gpu="H300"),), floor_gbs=500).nccl.id)
    assert "--floor-gbs=500" in container(own, "fabric")["args"]


def test_pools_without_a_fabric_have_nothing_to_prove(deploy):
    found = []
    deploy(lambda: found.extend(fabric_pools(gpu_cluster(SERVE, TRAIN))))
    assert [pool.name for pool in found] == ["train"]


def test_the_lake_is_proved_without_gpus(deploy):
    def prove():
        args = LakeProofArgs(
            gpu_cluster(TRAIN),
            "registry.example/proof:1",
            uri="s3://mumbai-checkpoints/proof",
            key="arn:aws:kms:ap-south-1:1:key/lake",
            refused_uris=["s3://mumbai-checkpoints/jobs", "s3://mumbai-raw"],
            evidence_uri=EVIDENCE,
        )
        return LakeProof("lake", args).job.id

    made = deploy(prove)
    lake = container(made, "lake")
    assert lake["args"][:4] == [
        "--uri",
        "s3://mumbai-checkpoints/proof",
        "--key",
        "arn:aws:kms:ap-south-1:1:key/lake",
    ]
    assert lake["args"].count("--refused-uri") == 2
    assert "limits" not in lake["resources"]
    assert "nodeSelector" not in spec(made, "lake")["template"]["spec"]


def test_they_pass_pod_security_restricted(made):
    for name in ("fabric", "fabric-diag"):
        pod = spec(made, name)["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container(made, name)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_programs_never_import_pulumi_and_the_component_never_torch():
    folder = Path(component.__file__).parent
    for file in (*(file.name for file in component.PROGRAMS), "component.py"):
        names = {
            name.split(".")[0]
            for node in ast.walk(ast.parse((folder / file).read_text()))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not names & (
            {"torch", "boto3"} if file == "component.py" else {"pulumi", "infra", "workloads"}
        ), file


@pytest.fixture(scope="module")
def template(deploy):
    def program():  # outputs of the cluster belong to the loop of the program that reads them
        args = FabricProofArgs(
            gpu_cluster(SERVE, TRAIN), "train", "registry.example/proof:1", "registry.example/dcgm:4"
        )
        return FabricProofTemplate("fabric", args).template.id

    return deploy(program)


def test_an_elastic_pool_is_proved_when_people_ask_and_no_update_waits(template):
    assert not template.of("v1:Job"), "an update waits for a Job"
    cron = template.one("v1:CronJob", "fabric").inputs["spec"]
    assert cron["suspend"] is True
    made = cron["jobTemplate"]
    assert made["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
    assert made["spec"]["backoffLimit"] == 0
    assert made["spec"]["completions"] == made["spec"]["parallelism"] == 2


def test_its_pods_are_diagnosed_and_then_measured_on_the_same_nodes(template):
    spec = template.one("v1:CronJob", "fabric").inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (diagnosis,) = spec["initContainers"]
    (nccl,) = spec["containers"]
    assert "dcgmi diag -r 2 -j" in diagnosis["command"][-1]
    for one in (diagnosis, nccl):
        assert one["resources"]["limits"] == dict(TRAIN.limits)
        assert one["securityContext"]["allowPrivilegeEscalation"] is False
    assert spec["nodeSelector"] == dict(TRAIN.node_selector)


def test_its_ranks_meet_whatever_the_job_is_called(template):
    """Kubernetes puts the Job's name on its pods, and calls the first one after it."""
    cron = template.one("v1:CronJob", "fabric").inputs["spec"]["jobTemplate"]["spec"]
    (nccl,) = cron["template"]["spec"]["containers"]
    assert "--rdzv-endpoint=$(JOB_NAME)-0.fabric.proof.svc:29400" in nccl["command"]
    (name,) = [variable for variable in nccl["env"] if variable["name"] == "JOB_NAME"]
    assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['batch.kubernetes.io/job-name']"
    assert {"AWS_REGION", "NCCL_DEBUG"} <= {variable["name"] for variable in nccl["env"]}
    assert cron["template"]["spec"]["subdomain"] == "fabric"
    service = template.one("v1:Service", "fabric-rendezvous").inputs
    assert service["metadata"]["name"] == "fabric"
    assert service["spec"]["selector"].items() <= cron["template"]["metadata"]["labels"].items()
