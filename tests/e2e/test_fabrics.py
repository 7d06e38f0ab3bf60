"""Google's fabrics through the real engine: what is proved, where pods stand, and what the guard of workloads lets in.

Pods run in name only here: the proofs show that they can be placed, and measure nothing.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import doctor
from commands.up import summary
from infra.gcp.fabric_pods import DAEMON_IMAGE
from localcloud import cloud
from localcloud.directories import PROJECT
from localcloud.engine import Stack
from localcloud.kubernetes import clusters
from localcloud.kubernetes.api import Api, ApiError

pytestmark = pytest.mark.e2e

H100 = {"gpu": "H100", "gpusPerNode": 8, "fabric": "tcpx", "maxNodes": 2}
H200 = {"gpu": "H200", "gpusPerNode": 8, "fabric": "rdma", "maxNodes": 2}
POOLS = {
    "highs": {"name": "highs", "purchase": "on-demand", **H100},
    "ultras": {
        "name": "ultras",
        "purchase": "spot",
        **H200,
    },  # Google sells it no other way without a reservation
}
WORKLOADS = {
    "training": {"pool": "highs", "image": "{registry}/own/training:1", "nodes": 2, "gpusPerNode": 8},
    "proof": {"image": "{registry}/own/proof:1", "dcgmImage": "{registry}/own/dcgm:4"},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    said = {key: value for key, value in values["config"].items() if not key.endswith((":aws", ":workloads"))}
    said["pulumi:disable-default-providers"] = ["aws", "gcp", "kubernetes"]
    said["india-ai-infra:budget"] = {"monthlyInr": 100_000_000}
    said["india-ai-infra:workloads"] = WORKLOADS
    said["india-ai-infra:gcp"] = {
        "project": "ai-team-1234",
        "region": "asia-south1",
        "audit": {"alertEmails": ["alerts@example.org"]},
        "cluster": {
            "access": {"jumpHost": True},
            "pools": list(POOLS.values()),
        },
    }
    file = tmp_path_factory.mktemp("config") / "Pulumi.dev.yaml"
    file.write_text(yaml.safe_dump({"config": said}))
    return file


@pytest.fixture(scope="module")
def stack(environment: dict[str, str], config: Path) -> Iterator[Stack]:
    opened = Stack("dev", cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]), config_file=config)
    try:
        outcome = opened.up()
        assert not outcome.failed, "\n".join(outcome.errors)
        assert [p.message for p in outcome.policies if p.enforcement_level == "mandatory"] == []
        yield opened
    finally:
        opened.unprotect()
        destroyed = opened.destroy()
    assert not destroyed.failed, "\n".join(destroyed.errors)
    assert list(doctor.leftovers("dev")) == []


@pytest.fixture(scope="module")
def api(stack: Stack) -> Api:
    return clusters.running()[0].api()


def pods_of(api: Api, namespace: str, instance: str) -> list[dict[str, Any]]:
    label = f"app.kubernetes.io/instance={instance}"
    return list(api.list("v1", "Pod", namespace, labelSelector=label))


def nodes_of(api: Api, pool: str) -> set[str]:
    return {
        node["metadata"]["name"]
        for node in api.list("v1", "Node", labelSelector=f"india-ai-infra/pool={pool}")
    }


@pytest.mark.parametrize("pool", POOLS)
def test_every_node_of_a_fabric_is_in_its_proof_and_the_proof_ended(api: Api, pool: str) -> None:
    for job in (f"nccl-test-{pool}-diag", f"nccl-test-{pool}"):
        pods = pods_of(api, "proof", job)
        assert {pod["spec"]["nodeName"] for pod in pods} == nodes_of(api, pool)
        assert {pod["status"]["phase"] for pod in pods} == {"Succeeded"}, (
            "a daemon that never ends would hold it"
        )


def test_training_stands_on_the_nodes_of_its_fabric_with_the_daemon(api: Api) -> None:
    pods = pods_of(api, "training", "train")
    assert {pod["spec"]["nodeName"] for pod in pods} == nodes_of(api, "highs")
    for pod in pods:
        (daemon,) = pod["spec"]["initContainers"]
        assert daemon["restartPolicy"] == "Always" and daemon["image"] == DAEMON_IMAGE


def test_the_networks_that_pods_name_are_there(api: Api) -> None:
    there = network_names(api)
    for namespace, job, cards in (("training", "train", 4), ("proof", "nccl-test-ultras", 9)):
        (annotations, *_) = [pod["metadata"]["annotations"] for pod in pods_of(api, namespace, job)]
        named = [card["network"] for card in json.loads(annotations["networking.gke.io/interfaces"])]
        assert named[0] == "default" and len(set(named[1:])) == cards
        assert set(named[1:]) <= there


@pytest.mark.parametrize(("pool", "cards"), [("highs", 4), ("ultras", 9)])
def test_nodes_have_a_resource_for_each_card_as_gke_gives_them(api: Api, pool: str, cards: int) -> None:
    """Two for a card: the device, and the address of the pod on it."""
    networks = {name for name in network_names(api) if name.startswith(f"{pool}-")}
    assert len(networks) == cards
    wanted = {f"networking.gke.io.networks/{name}{end}": "1" for name in networks for end in ("", ".IP")}
    nodes = api.list("v1", "Node", labelSelector=f"india-ai-infra/pool={pool}")
    for node in nodes:
        assert wanted.items() <= node["status"]["allocatable"].items()
        assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"
    assert len(nodes) == 2


def network_names(api: Api) -> set[str]:
    return {network["metadata"]["name"] for network in api.list("networking.gke.io/v1", "Network")}


def test_a_proof_that_passed_is_not_run_again(stack: Stack) -> None:
    outcome = stack.preview()
    assert outcome.unchanged, (outcome.changes, outcome.errors)


def test_a_proof_is_run_again_for_another_floor_and_no_other_is(stack: Stack, api: Api, config: Path) -> None:
    before = {
        job: pods_of(api, "proof", job)[0]["metadata"]["uid"]
        for job in ("nccl-test-highs", "nccl-test-ultras")
    }
    values = yaml.safe_load(config.read_text())
    values["config"]["india-ai-infra:workloads"]["proof"]["floorGbs"] = {"ultras": 320}
    config.write_text(yaml.safe_dump(values))
    outcome = stack.up()
    assert not outcome.failed, outcome.errors
    after = {job: pods_of(api, "proof", job)[0]["metadata"]["uid"] for job in before}
    assert after["nccl-test-highs"] == before["nccl-test-highs"]
    assert after["nccl-test-ultras"] != before["nccl-test-ultras"]


def test_the_summary_says_that_nothing_was_measured(stack: Stack) -> None:
    nodes, pods = summary.look(clusters.recorded()[0])
    assert {node.pool: node.cards for node in nodes if node.cards} == {"highs": 4, "ultras": 9}
    assert pods.simulated == 2 * 2 * 2 + 1, "two jobs on two nodes of two pools, and the lake's"


def as_new(pod: dict[str, Any]) -> dict[str, Any]:
    """The pod of a workload once more, as whoever may make Jobs could ask for it."""
    spec, annotations = copy.deepcopy(pod["spec"]), dict(pod["metadata"]["annotations"])
    del spec["nodeName"]
    metadata = {"name": "another", "namespace": "training", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def root(pod: dict[str, Any]) -> None:
    pod["spec"]["containers"][0]["securityContext"]["runAsUser"] = 0


def privileged(pod: dict[str, Any]) -> None:
    pod["spec"]["containers"][0]["securityContext"] = {"privileged": True}


def another_folder(pod: dict[str, Any]) -> None:
    pod["spec"]["volumes"].append({"name": "host", "hostPath": {"path": "/"}})


def folder_in_disguise(pod: dict[str, Any]) -> None:
    (volume,) = [volume for volume in pod["spec"]["volumes"] if volume["name"] == "host-sys"]
    volume["hostPath"] = {"path": "/"}


def daemons_folder(pod: dict[str, Any]) -> None:
    pod["spec"]["containers"][0]["volumeMounts"].append({"name": "host-sys", "mountPath": "/mine"})


def another_device(pod: dict[str, Any]) -> None:
    pod["metadata"]["annotations"]["devices.gke.io/container.trainer"] = "- path: /dev/sda"


def another_image(pod: dict[str, Any]) -> None:
    pod["spec"]["initContainers"][0]["image"] = "mine:1"


def another_command(pod: dict[str, Any]) -> None:
    pod["spec"]["initContainers"][0]["args"] = ["nsenter -t 1 -a sh"]


def another_library(pod: dict[str, Any]) -> None:
    pod["spec"]["initContainers"][0]["env"].append({"name": "LD_PRELOAD", "value": "/run/tcpx/mine.so"})


def another_right(pod: dict[str, Any]) -> None:
    pod["spec"]["initContainers"][0]["securityContext"]["capabilities"]["add"].append("SYS_ADMIN")


def over_nfs(pod: dict[str, Any]) -> None:
    pod["spec"]["volumes"].append({"name": "nfs", "nfs": {"server": "10.0.0.9", "path": "/"}})


def hosts_network(pod: dict[str, Any]) -> None:
    pod["spec"]["hostNetwork"] = True


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (root, "a container is not root"),
        (privileged, "a container is not privileged"),
        (another_folder, "folders of the host"),
        (folder_in_disguise, "folders of the host"),
        (over_nfs, "folders of the host"),
        (daemons_folder, "folders of the host"),
        (another_device, "devices of the host"),
        (another_image, "tcpx-daemon is the daemon"),
        (another_command, "tcpx-daemon is the daemon"),
        (another_library, "tcpx-daemon is the daemon"),
        (another_right, "tcpx-daemon is the daemon"),
        (hosts_network, "shares nothing of its host"),
    ],
)
def test_the_guard_holds_workloads_to_restricted_but_for_the_daemon(api: Api, change: Any, why: str) -> None:
    pod = as_new(pods_of(api, "training", "train")[0])
    path = "/api/v1/namespaces/training/pods"
    api.request("POST", path, pod, query={"dryRun": "All"})
    change(pod)
    with pytest.raises(ApiError, match=why):
        api.request("POST", path, pod, query={"dryRun": "All"})


def test_the_guard_is_understood_by_the_api_server(api: Api) -> None:
    (policy,) = api.list("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy")
    checked = policy.get("status", {}).get("typeChecking", {})
    assert checked.get("expressionWarnings", []) == []
