"""TrainingJob as the engine sees it."""

from dataclasses import replace
from pathlib import Path

import pulumi
import pytest

from infra.contracts.cluster import FabricPod
from infra.platform import queues
from tests.infra.platform.gpu_cluster import SERVE, TRAIN, gpu_cluster
from tests.workloads.training.metrics_table import constant
from workloads.kubernetes import rendezvous
from workloads.training import job as jobs
from workloads.training import pod as pods
from workloads.training.component import TrainingJob
from workloads.training.needs import NEEDS
from workloads.training.pod import TrainingJobArgs
from workloads.training.trainer import launch

CHECKPOINTS = "s3://mumbai-checkpoints/llama"
RECIPE = '{"steps": 10, "data": {"uri": "{features}/tokens"}}'


def job(**changes):
    args = {
        "cluster": gpu_cluster(SERVE, TRAIN),
        "pool": "train",
        "nodes": 2,
        "gpus_per_node": 8,
        "image": "registry.example/training:1",
        "recipe": RECIPE,
        "words": {"{features}": pulumi.Output.from_input("s3://mumbai-features"), "{models}": "s3://models"},
        "checkpoint_uri": pulumi.Output.from_input(CHECKPOINTS),
    }
    return TrainingJob("llama", TrainingJobArgs(**args | changes))


@pytest.fixture(scope="module")
def made(deploy):
    return deploy(lambda: job().job.id)


@pytest.fixture(scope="module")
def spec(made):
    return made.one("v1:Job").inputs["spec"]


@pytest.fixture(scope="module")
def pod(spec):
    return spec["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    (only,) = pod["containers"]
    return only


def test_an_indexed_job_with_a_pod_a_node(spec):
    assert spec["completionMode"] == "Indexed"
    assert spec["completions"] == spec["parallelism"] == 2


def test_a_refused_recipe_ends_the_job_and_interruptions_are_not_counted(spec):
    # In this order: Kubernetes takes the first rule that fits.
    refused, evicted, stopped = spec["podFailurePolicy"]["rules"]
    assert refused["action"] == "FailJob"
    assert refused["onExitCodes"] == {
        "containerName": "trainer",
        "operator": "In",
        "values": [launch.REFUSED],
    }
    assert evicted == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    assert stopped["action"] == "Ignore"
    assert stopped["onExitCodes"] == {
        "containerName": "trainer",
        "operator": "In",
        "values": [launch.STOPPED],
    }
    assert spec["template"]["spec"]["restartPolicy"] == "Never"  # a pod failure policy asks for it


RANKS = "jsonpath={.status['succeeded','ready']}=2"


@pytest.mark.parametrize(
    ("purchase", "standing", "waits_for"),
    [
        (("on-demand",), None, RANKS),
        (("spot", "on-demand"), None, RANKS),
        (("reserved", "spot"), None, RANKS),
        (("spot",), 2, RANKS),
        (("spot",), None, "jsonpath={.metadata.uid}"),
        (("spot", "flex-start"), None, "jsonpath={.metadata.uid}"),
    ],
)
def test_up_waits_for_every_rank_unless_nobody_knows_when_nodes_come(deploy, purchase, standing, waits_for):
    pool = replace(TRAIN, purchase=purchase, static_nodes=standing)
    found = deploy(lambda: job(cluster=gpu_cluster(pool)).job.id).one("v1:Job").inputs["metadata"]
    # Never skipAwait, which would skip the wait for the end of a job that is replaced, too.
    assert found["annotations"] == {"pulumi.com/waitFor": waits_for}
    assert jobs.HEALTHY_SECONDS > rendezvous.SECONDS


def test_ranks_meet_at_the_pod_of_index_0_by_its_name(made, pod, container):
    service = made.one("v1:Service").inputs
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"]
    template = made.one("v1:Job").inputs["spec"]["template"]["metadata"]
    assert service["spec"]["selector"].items() <= template["labels"].items()
    assert pod["subdomain"] == service["metadata"]["name"] == "llama"
    assert "--rdzv-endpoint=llama-0.llama.training.svc:29400" in container["command"]
    assert "--rdzv-backend=c10d" in container["command"]
    assert made.one("v1:Service").urn in made.one("v1:Job").depends_on


def test_torchrun_starts_a_rank_a_gpu_and_gives_them_time_to_save(pod, container):
    command = container["command"]
    assert command[:3] == ["python", "-m", "trainer.launch"] and container["workingDir"] == "/opt/training"
    assert command[-1] == "--"  # what follows is the trainer's own
    assert {"--nnodes=2", "--nproc-per-node=8", "--shutdown-timeout=90"} <= set(command)
    assert pod["terminationGracePeriodSeconds"] == TRAIN.grace_seconds == 110


@pytest.mark.parametrize(("grace", "save"), [(15, 12), (105, 85)])
def test_ranks_save_within_the_grace_of_their_pool(deploy, grace, save):
    made = deploy(lambda: job(cluster=gpu_cluster(replace(TRAIN, grace_seconds=grace))).job.id)
    pod = made.one("v1:Job").inputs["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == grace
    assert f"--shutdown-timeout={save}" in pod["containers"][0]["command"]


def test_it_stands_on_its_pools_nodes_with_all_that_they_have(pod, container):
    assert pod["nodeSelector"] == {"india-ai-infra/pool": "train"}
    assert pod["tolerations"] == [dict(TRAIN.tolerations[0])]
    assert container["resources"]["limits"] == {
        "nvidia.com/gpu": "8",
        "vpc.amazonaws.com/efa": "32",
    }
    assert "memory" not in container["resources"]["limits"]


def test_half_a_node_gets_half_its_devices(deploy):
    made = deploy(lambda: job(gpus_per_node=4).job.id)
    limits = made.one("v1:Job").inputs["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"nvidia.com/gpu": "4", "vpc.amazonaws.com/efa": "16"}


def test_the_trainer_reads_its_recipe_and_is_ready_when_its_ranks_have_met(container):
    ready = container["readinessProbe"]["exec"]["command"][-1]
    assert container["args"] == [
        *("--recipe", "/opt/training/recipe.json"),
        *("--checkpoint-uri", CHECKPOINTS),
        *("--ready-file", ready),
    ]


def test_prometheus_finds_the_metrics_of_each_pod_at_its_own_address(container, made):
    (address,) = [variable for variable in container["env"] if variable["name"] == "POD_IP"]
    assert address["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert {"name": "metrics", "containerPort": constant("PORT")} in container["ports"]
    (monitor,) = NEEDS.monitors
    template = made.one("v1:Job").inputs["spec"]["template"]["metadata"]
    assert template["labels"]["app.kubernetes.io/name"] == monitor.app
    assert monitor.port == "metrics" and set(monitor.labels) <= set(template["labels"])


def environment(container):
    return {variable["name"]: variable.get("value") for variable in container["env"]}


def test_the_record_of_a_run_is_told_image_and_commit(deploy, container):
    assert environment(container)["IMAGE"] == container["image"]
    assert "CODE_COMMIT" not in environment(container), "no preview asks Git"
    told = deploy(lambda: job(code_commit="0" * 40).job.id).one("v1:Job").inputs["spec"]["template"]["spec"]
    assert environment(told["containers"][0])["CODE_COMMIT"] == "0" * 40


def test_a_hang_leaves_a_record_where_the_pod_can_write(container):
    values = environment(container)
    assert int(values["TORCH_FR_BUFFER_SIZE"]) > 0 and values["TORCH_NCCL_DUMP_ON_TIMEOUT"] == "1"
    assert values["TORCH_NCCL_DEBUG_INFO_TEMP_FILE"].startswith("/scratch/")


def test_nccl_is_set_for_the_fabric(deploy, container):
    with_efa = environment(container)
    assert with_efa["FI_EFA_USE_HUGE_PAGE"] == "0"
    assert with_efa["NCCL_NET"] == "AWS Libfabric", "without EFA's plugin it must fail, not be slow"
    assert not {"FI_PROVIDER", "NCCL_PROTO", "FI_EFA_USE_DEVICE_RDMA"} & set(with_efa)
    plain = deploy(lambda: job(pool="serve", nodes=4, gpus_per_node=1).job.id)
    without = environment(plain.one("v1:Job").inputs["spec"]["template"]["spec"]["containers"][0])
    assert not {name for name in without if name.startswith("FI_")}
    assert without["NCCL_SHM_USE_CUDA_MEMCPY"] == "1"


FABRIC = FabricPod(
    annotations={"networking.gke.io/interfaces": "[]"},
    environment={"NCCL_SOCKET_IFNAME": "eth0"},
    sidecars=[{"name": "daemon", "image": "daemon:1", "restartPolicy": "Always"}],
    volumes=[{"name": "sockets", "emptyDir": {}}],
    mounts=[{"name": "sockets", "mountPath": "/run/daemon"}],
)


@pytest.mark.parametrize(("gpus", "whole"), [(8, True), (4, False)])
def test_only_a_pod_with_the_whole_node_carries_what_the_fabric_asks(deploy, gpus, whole):
    pool = replace(TRAIN, fabric_pod=FABRIC)
    made = deploy(lambda: job(cluster=gpu_cluster(pool), gpus_per_node=gpus).job.id)
    template = made.one("v1:Job").inputs["spec"]["template"]
    container = template["spec"]["containers"][0]
    assert ("networking.gke.io/interfaces" in template["metadata"]["annotations"]) is whole
    assert template["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
    assert (environment(container)["NCCL_SOCKET_IFNAME"] == "eth0") is whole
    assert ("initContainers" in template["spec"]) is whole
    assert ("sockets" in {volume["name"] for volume in template["spec"]["volumes"]}) is whole
    assert ("sockets" in {mount["name"] for mount in container["volumeMounts"]}) is whole


def test_it_passes_pod_security_restricted(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    security = container["securityContext"]
    assert security["allowPrivilegeEscalation"] is False and security["readOnlyRootFilesystem"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert not any("hostPath" in volume for volume in pod["volumes"])


def test_it_can_write_where_it_must(pod, container):
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes[mounts["/dev/shm"]]["emptyDir"] == {"medium": "Memory", "sizeLimit": "16Gi"}
    assert {"/tmp", "/scratch", "/opt/training"} <= set(mounts)
    assert set(mounts.values()) == set(volumes)


def test_queue_priority_and_peace_from_consolidation(made, pod):
    metadata = made.one("v1:Job").inputs["metadata"]
    assert metadata["labels"]["kueue.x-k8s.io/queue-name"] == queues.QUEUE
    assert pod["priorityClassName"] == NEEDS.priority_class
    template = made.one("v1:Job").inputs["spec"]["template"]["metadata"]
    assert template["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
    assert template["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


def test_the_trainer_travels_as_it_is_and_renames_its_config_map(made, pod):
    program = made.one("v1:ConfigMap").inputs
    (volume,) = [volume for volume in pod["volumes"] if "configMap" in volume]
    assert volume["configMap"]["name"] == program["metadata"]["name"]
    assert program["immutable"] is True
    folder = Path(pods.__file__).parent
    laid_out = {item["path"]: program["data"][item["key"]] for item in volume["configMap"]["items"]}
    recipe = laid_out.pop("recipe.json")
    assert recipe == RECIPE.replace("{features}", "s3://mumbai-features")
    assert laid_out == {
        source.relative_to(folder).as_posix(): source.read_text()
        for source in (folder / "trainer").rglob("*.py")
    }
    assert {"trainer/launch.py", "trainer/recipe.py"} <= set(laid_out)
    assert sum(map(len, program["data"].values())) < 900_000, "a ConfigMap has a mebibyte at most"


def test_another_recipe_is_another_config_map(deploy, made):
    changed = deploy(lambda: job(recipe=RECIPE.replace("10", "11")).job.id)
    names = {found.one("v1:ConfigMap").inputs["metadata"]["name"] for found in (made, changed)}
    assert len(names) == 2


def test_it_goes_before_the_nodes_it_runs_on(made):
    nodes, cluster = made.one("cloud:Thing", "node-pool").urn, made.one("cloud:Thing", "mumbai").urn
    found = made.one("v1:Job")
    assert nodes in found.depends_on
    assert not found.deleted_with  # else its pods would stay, and Karpenter may not drain them
    assert made.one("v1:Service").deleted_with == made.one("v1:ConfigMap").deleted_with == cluster


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pool": "serve", "gpus_per_node": 8}, ["'serve'", "8 GPUs", "1 x L4", "g6.xlarge"]),
        ({"nodes": 3}, ["'train'", "3 pods", "2 nodes", "hold 2"]),
        ({"pool": "trian"}, ["'mumbai'", "'trian'", "did you mean 'train'"]),
        ({"nodes": 0}, ["'train'", "0 pods"]),
    ],
)
def test_a_job_that_fits_no_node_is_refused_before_anything_is_registered(deploy, changes, words):
    refusal = []

    def program():
        with pytest.raises(ValueError) as caught:
            job(**changes)
        refusal.append(str(caught.value))

    made = deploy(program)
    assert all(word in refusal[0] for word in words), refusal[0]
    assert not [found for found in made.resources if "TrainingJob" in found.type or "batch" in found.type]


@pytest.fixture(scope="module")
def replicas(deploy):
    return deploy(lambda: job(recovery="replicas", recipe='{"steps": 10, "replicas": 2}').job.id)


def test_a_replica_meets_its_own_ranks_alone_and_asks_the_lighthouse_for_others(replicas):
    job_of_replicas = replicas.one("v1:Job")
    container = job_of_replicas.inputs["spec"]["template"]["spec"]["containers"][0]
    assert {"--standalone", "--nproc-per-node=8", "--max-restarts=0"} <= set(container["command"])
    assert not [flag for flag in container["command"] if flag.startswith("--rdzv") or "--nnodes" in flag]
    service = replicas.one("v1:Service", "llama-lighthouse")
    (port,) = service.inputs["spec"]["ports"]
    address = f"http://llama-lighthouse.training.svc:{port['port']:.0f}"
    assert environment(container)["TORCHFT_LIGHTHOUSE"] == address
    assert {service.urn, replicas.one("v1:Deployment").urn} <= set(job_of_replicas.depends_on)


def test_the_lighthouse_is_no_pod_of_the_job_and_waits_for_no_gpu(replicas):
    spec = replicas.one("v1:Deployment").inputs["spec"]
    template, jobs_own = spec["template"], replicas.one("v1:Job").inputs["spec"]["template"]
    pod = template["spec"]
    (container,) = pod["containers"]
    assert spec["replicas"] == 1 and spec["strategy"] == {"type": "Recreate"}
    assert spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    meeting = replicas.one("v1:Service", "llama-rendezvous").inputs["spec"]["selector"]
    assert not meeting.items() <= template["metadata"]["labels"].items()
    assert "nodeSelector" not in pod and "tolerations" not in pod, "the pools of GPUs are tainted"
    assert container["resources"]["limits"].keys() == {"memory"}
    assert container["command"][:3] == ["python", "-m", "trainer.lighthouse"]
    assert container["image"] == jobs_own["spec"]["containers"][0]["image"]
    assert pod["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]


def test_a_replica_that_is_reclaimed_is_replaced_at_no_charge(replicas, spec):
    asked = replicas.one("v1:Job").inputs["spec"]
    assert asked["podFailurePolicy"] == spec["podFailurePolicy"] and asked["completions"] == 2


def test_who_recovers_from_checkpoints_has_no_lighthouse(made, container):
    assert not [found for found in made.resources if "lighthouse" in found.urn]
    assert "TORCHFT_LIGHTHOUSE" not in environment(container)
