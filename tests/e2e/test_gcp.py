"""A GKE cluster of the local cloud through its provider: nodes of a fixed pool, and of one that grows and shrinks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.contracts.labels import GKE_COMPUTE_CLASS
from infra.gcp import compute_class
from infra.gcp.cluster import kubeconfig
from localcloud.kubernetes import clusters
from localcloud.kubernetes.api import Api
from localcloud.providers.gcp.provider import Gcp
from localcloud.providers.kubernetes.provider import KubernetesProvider
from localcloud.providers.protocol import Resource, ResourceError
from tests.e2e.waiting import wait

pytestmark = pytest.mark.e2e

NAME, LOCATION = "gke-test", "asia-south1"
CLUSTER, POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
SECONDS = 150


class Stack:
    """What an update does to the provider, resource by resource; destroyed in reverse."""

    def __init__(self) -> None:
        self.provider = Gcp()
        self.provider.configure({"project": "ai-team", "region": LOCATION})
        self.made: dict[str, tuple[Resource, dict, dict]] = {}

    def up(self, token: str, name: str, **inputs: Any) -> dict[str, Any]:
        urn = f"urn:pulumi:local::india-ai-infra::{token}::{name}"
        before, seen, outputs = self.made.get(name, (None, {}, {}))
        checked = self.provider.check(Resource(urn), seen, {"name": name, "location": LOCATION, **inputs})
        if before:
            outputs = self.provider.update(before, seen, outputs, checked)
            self.made[name] = (before, checked, outputs)
        else:
            resource_id, outputs = self.provider.create(Resource(urn), checked)
            self.made[name] = (Resource(urn, resource_id), checked, outputs)
        return outputs

    def down(self, name: str) -> None:
        self.provider.delete(*self.made.pop(name))


@pytest.fixture(scope="module")
def stack(run_dir: object) -> Iterator[Stack]:
    made = Stack()
    dataplane = {"enableMultiNetworking": True, "datapathProvider": "ADVANCED_DATAPATH"}
    made.up(
        CLUSTER, NAME, initialNodeCount=1, removeDefaultNodePool=True, deletionProtection=False, **dataplane
    )
    yield made
    made.down(NAME)
    assert clusters.processes_of(NAME) == []
    assert NAME not in clusters.recorded()
    assert not clusters.folder(NAME).exists()


@pytest.fixture(scope="module")
def api(stack: Stack) -> Api:
    access = clusters.access(f"https://{stack.made[NAME][2]['endpoint']}")
    assert access is not None
    return access.api()


def nodes_of(api: Api, pool: str) -> list[dict[str, Any]]:
    return api.list("v1", "Node", labelSelector=f"cloud.google.com/gke-nodepool={pool}")


def pod(name: str) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": "1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            "containers": [{"name": "main", "image": "vllm", "resources": {"limits": limits}}],
        },
    }


def kept(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """One pod that its controller makes again when it is evicted, as a bare one was once on a busy machine."""
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }


def test_the_outputs_lead_to_a_real_control_plane(stack: Stack, api: Api):
    outputs = stack.made[NAME][2]
    assert outputs["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"] == outputs["endpoint"]
    assert outputs["masterAuth"]["clusterCaCertificate"]
    assert "gitVersion" in api.request("GET", "/version")
    with pytest.raises(ResourceError, match="a cluster gke-test runs already"):
        Stack().up(CLUSTER, NAME, location="asia-south2", initialNodeCount=1)


def test_a_fixed_pool_has_its_nodes_in_every_zone_and_follows_its_size(stack: Stack, api: Api):
    t4 = {
        "machineType": "n1-standard-4",
        "guestAccelerators": [{"type": "nvidia-tesla-t4", "count": 1}],
        "labels": {"india-ai-infra/pool": "small"},
    }
    zones = ["asia-south1-a", "asia-south1-b"]
    stack.up(POOL, "small", cluster=NAME, nodeCount=1, nodeLocations=zones, nodeConfig=t4)
    made = nodes_of(api, "small")
    labels = [node["metadata"]["labels"] for node in made]
    assert sorted(each["topology.kubernetes.io/zone"] for each in labels) == zones
    assert {each["node.kubernetes.io/instance-type"] for each in labels} == {"n1-standard-4"}
    assert {each["cloud.google.com/gke-accelerator"] for each in labels} == {"nvidia-tesla-t4"}
    assert {each["india-ai-infra/pool"] for each in labels} == {"small"}
    assert GPU_TAINT in made[0]["spec"]["taints"]
    assert made[0]["spec"]["providerID"].startswith("gce://")
    assert made[0]["status"]["allocatable"]["nvidia.com/gpu"] == "1"
    stack.up(POOL, "small", cluster=NAME, nodeCount=2, nodeLocations=zones, nodeConfig=t4)
    made = nodes_of(api, "small")
    assert len(made) == 4
    labelled = {
        "nodeLocations": zones,
        "nodeConfig": t4,
        "management": {"autoRepair": True, "autoUpgrade": True},
    }
    stack.up(POOL, "small", cluster=NAME, nodeCount=2, **labelled)
    assert nodes_of(api, "small")[0]["metadata"]["uid"] == made[0]["metadata"]["uid"]
    stack.down("small")
    assert nodes_of(api, "small") == []


def test_an_autoscaled_pool_grows_for_a_pod_within_its_limit_and_shrinks(stack: Stack, api: Api):
    l4 = {
        "machineType": "g2-standard-8",
        "spot": True,
        "guestAccelerators": [{"type": "nvidia-l4", "count": 1}],
    }
    scaling = {"totalMinNodeCount": 0, "totalMaxNodeCount": 1}
    stack.up(POOL, "serve", cluster=NAME, autoscaling=scaling, nodeConfig=l4)
    assert nodes_of(api, "serve") == []
    for name in ("first", "second"):
        api.request("POST", "/api/v1/namespaces/default/pods", pod(name))
    wait(lambda: any(p["status"]["phase"] == "Running" for p in api.list("v1", "Pod", "default")), SECONDS)
    (node,) = nodes_of(api, "serve")
    assert node["metadata"]["labels"]["cloud.google.com/gke-spot"] == "true"
    assert node["metadata"]["labels"]["node.kubernetes.io/instance-type"] == "g2-standard-8"
    assert GPU_TAINT in node["spec"]["taints"]
    for name in ("first", "second"):
        api.request("DELETE", f"/api/v1/namespaces/default/pods/{name}", query={"gracePeriodSeconds": "0"})
    wait(lambda: nodes_of(api, "serve") == [], SECONDS)
    stack.down("serve")
    assert api.list("karpenter.sh/v1", "NodePool") == []


def test_a_pool_is_deleted_with_the_nodes_that_its_autoscaler_made(stack: Stack, api: Api):
    stack.up(
        POOL,
        "cpu",
        cluster=NAME,
        autoscaling={"maxNodeCount": 1},
        nodeConfig={"machineType": "e2-standard-4"},
    )
    wanted = {**pod("busy"), "spec": {"containers": [{"name": "main", "image": "nginx"}]}}
    api.request("POST", "/api/v1/namespaces/default/pods", wanted)
    wait(lambda: len(nodes_of(api, "cpu")) == 1, SECONDS)
    stack.down("cpu")
    assert nodes_of(api, "cpu") == []


def test_nodes_that_an_autoscaler_made_have_a_resource_for_each_further_card(stack: Stack, api: Api):
    vpc = {"vpc": "roce", "vpcSubnet": "roce-0"}
    about = {"apiVersion": "networking.gke.io/v1", "metadata": {"name": "card"}}
    parameters = {**about, "kind": "GKENetworkParamSet", "spec": {**vpc, "deviceMode": "RDMA"}}
    network = {**about, "kind": "Network", "spec": {"type": "Device", "parametersRef": {"name": "card"}}}
    for made in (parameters, network):
        api.apply(made)
    cards = [
        {
            "network": "projects/p/global/networks/roce",
            "subnetwork": f"projects/p/regions/r/subnetworks/{name}",
        }
        for name in ("roce-0", "of-no-network")
    ]
    stack.up(
        POOL,
        "carded",
        cluster=NAME,
        autoscaling={"maxNodeCount": 1},
        nodeConfig={"machineType": "e2-standard-4"},
        networkConfig={"additionalNodeNetworkConfigs": cards},
    )
    wanted = {**pod("carded"), "spec": {"containers": [{"name": "main", "image": "nginx"}]}}
    api.request("POST", "/api/v1/namespaces/default/pods", wanted)
    wait(lambda: len(nodes_of(api, "carded")) == 1, SECONDS)
    wait(lambda: bool(cards_of(nodes_of(api, "carded")[0])), SECONDS)
    assert cards_of(nodes_of(api, "carded")[0]) == {"card": "1", "card.IP": "1"}
    stack.down("carded")
    for made in (network, parameters):
        api.delete(made)


def cards_of(node: dict[str, Any]) -> dict[str, str]:
    prefix = "networking.gke.io.networks/"
    allocatable = node["status"]["allocatable"]
    assert {"cpu", "memory", "pods"} <= allocatable.keys()
    return {name.removeprefix(prefix): n for name, n in allocatable.items() if name.startswith(prefix)}


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("cloud.google.com/v1", "ComputeClass"),
        ("networking.gke.io/v1", "Network"),
        ("networking.gke.io/v1", "GKENetworkParamSet"),
    ],
)
def test_a_cluster_has_what_every_gke_cluster_has(api: Api, version: str, kind: str):
    thing = {"apiVersion": version, "kind": kind, "metadata": {"name": "any"}, "spec": {"any": "thing"}}
    assert not api.kind(version, kind).namespaced
    assert api.apply(thing)["spec"] == {"any": "thing"}
    api.delete(thing)


def test_the_pools_of_a_chain_are_tried_in_the_order_of_its_class(stack: Stack, api: Api):
    purchases = {"spot": True, "on-demand": False}
    rungs = [f"chain-{purchase}" for purchase in purchases]

    def pool_of(purchase: str) -> None:
        config = {
            "machineType": "g2-standard-8",
            "spot": purchases[purchase],
            "guestAccelerators": [{"type": "nvidia-l4", "count": 1}],
            "labels": {GKE_COMPUTE_CLASS: "chain"},
            "taints": [{"key": GKE_COMPUTE_CLASS, "value": "chain", "effect": "NO_SCHEDULE"}],
        }
        scaling = {"totalMinNodeCount": 0, "totalMaxNodeCount": 1}
        stack.up(POOL, f"chain-{purchase}", cluster=NAME, autoscaling=scaling, nodeConfig=config)

    def weights() -> dict[str, int]:
        return {
            each["metadata"]["name"]: each["spec"]["weight"]
            for each in api.list("karpenter.sh/v1", "NodePool")
        }

    def wait_for(name: str) -> str:
        """Where a pod that asks for the class comes to run."""
        wanted = pod(name)["spec"]
        wanted["nodeSelector"] = {GKE_COMPUTE_CLASS: "chain"}
        wanted["tolerations"] += [compute_class.toleration("chain")]
        api.apply(kept(name, wanted))

        def running() -> list[dict[str, Any]]:
            made = api.list("v1", "Pod", "default", labelSelector=f"app={name}")
            return [each for each in made if each["status"]["phase"] == "Running"]

        wait(lambda: bool(running()), SECONDS)
        node = running()[0]["spec"]["nodeName"]
        return api.request("GET", f"/api/v1/nodes/{node}")["metadata"]["labels"][
            "cloud.google.com/gke-nodepool"
        ]

    def end(*names: str) -> None:
        for name in names:
            api.delete(kept(name, {}), "Background")
        wait(lambda: not any(nodes_of(api, rung) for rung in rungs), SECONDS)

    pool_of("on-demand")  # the first made is not the first tried
    pool_of("spot")
    the_class = Class(stack, rungs)
    assert [wait_for("first"), wait_for("second")] == ["chain-spot", "chain-on-demand"]
    end("first", "second")

    the_class.order(rungs[::-1])
    assert wait_for("third") == "chain-on-demand"
    end("third")

    stack.down("chain-on-demand")
    pool_of("on-demand")
    assert weights() == {"chain-on-demand": 100, "chain-spot": 99}, "a pool made anew has its place again"
    for rung in rungs:
        stack.down(rung)
    the_class.delete()


class Class:
    """The ComputeClass `chain` of the cluster, through the provider as an update makes it."""

    def __init__(self, stack: Stack, pools: list[str]) -> None:
        outputs = stack.made[NAME][2]
        authority = outputs["masterAuth"]["clusterCaCertificate"]
        self.provider = KubernetesProvider()
        self.provider.configure({"kubeconfig": kubeconfig(NAME, outputs["endpoint"], authority)})
        urn = f"urn:pulumi:local::india-ai-infra::kubernetes:{compute_class.API}:ComputeClass::chain"
        self.inputs = self._inputs(pools)
        self.resource, self.outputs = (
            Resource(urn, "chain"),
            self.provider.create(Resource(urn), self.inputs)[1],
        )

    def order(self, pools: list[str]) -> None:
        wanted = self._inputs(pools)
        self.outputs = self.provider.update(self.resource, self.inputs, self.outputs, wanted)
        self.inputs = wanted

    def delete(self) -> None:
        self.provider.delete(self.resource, self.inputs, self.outputs)

    def _inputs(self, pools: list[str]) -> dict[str, Any]:
        kind = {"apiVersion": compute_class.API, "kind": "ComputeClass", "metadata": {"name": "chain"}}
        return {**kind, "spec": compute_class.spec(pools)}
