"""A real control plane, kwok nodes and real Karpenter, through the kubernetes provider but without the engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.aws import karpenter_pools
from infra.catalog.machines import machine
from infra.settings.pools import GpuPool
from infra.settings.sharing import Sharing
from localcloud.kubernetes import clusters, nodes
from localcloud.kubernetes.api import MERGE, Api
from localcloud.providers.kubernetes.provider import KubernetesProvider
from localcloud.providers.protocol import NotReadyError, Resource, ResourceError

pytestmark = pytest.mark.e2e

NAME = "mumbai-test"
REGION = "ap-south-1"
TYPES = ["g6.xlarge", "g6.2xlarge", "g6.12xlarge"]
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


class Stack:
    """What an update does to a provider, resource by resource; destroyed in reverse."""

    def __init__(self, provider: KubernetesProvider) -> None:
        self.provider = provider
        self.made: dict[str, tuple[Resource, dict, dict]] = {}

    def up(self, token: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        urn = f"urn:pulumi:local::india-ai-infra::kubernetes:{token}::{name}"
        inputs = self.provider.check(Resource(urn), {}, inputs)
        self.provider.create(Resource(urn, preview=True), inputs)
        try:
            resource_id, outputs = self.provider.create(Resource(urn), inputs)
        except NotReadyError as failed:
            self.made[name] = (Resource(urn, failed.resource_id), inputs, failed.outputs)
            raise
        self.made[name] = (Resource(urn, resource_id), inputs, outputs)
        return outputs

    def read(self, name: str) -> tuple[dict, dict] | None:
        return self.provider.read(*self.made[name])

    def down(self, *names: str) -> None:
        for name in names or reversed(list(self.made)):
            self.provider.delete(*self.made.pop(name))


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str]) -> Iterator[clusters.ClusterAccess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INDIA_AI_INFRA_AWS_ENDPOINT", environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
        yield clusters.start(NAME, REGION)
        clusters.stop(NAME)
    assert clusters.processes_of(NAME) == []
    assert NAME not in clusters.recorded()


@pytest.fixture(scope="module")
def api(cluster: clusters.ClusterAccess) -> Api:
    return cluster.api()


@pytest.fixture
def stack(cluster: clusters.ClusterAccess) -> Iterator[Stack]:
    provider = KubernetesProvider()
    provider.configure({"kubeconfig": json.dumps(kubeconfig(cluster.endpoint))})
    made = Stack(provider)
    yield made
    made.down()


def kubeconfig(endpoint: str) -> dict[str, Any]:
    """As `aws eks update-kubeconfig` writes it."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "eks", "cluster": {"server": endpoint}}],
        "users": [{"name": "eks", "user": {"exec": {"command": "aws", "args": ["eks", "get-token"]}}}],
        "contexts": [{"name": "eks", "context": {"cluster": "eks", "user": "eks"}}],
        "current-context": "eks",
    }


def deployment(name: str, gpus: int, replicas: int = 1, tolerates: bool = True) -> dict[str, Any]:
    container = {"name": "main", "image": "vllm", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}
    pod = {"nodeSelector": {"india-ai-infra/pool": "serve"}, "containers": [container]}
    if tolerates:
        pod["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def job(
    annotations: dict[str, str] | None = None, pod_annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "torch"}]}
    template = {"metadata": {"annotations": pod_annotations or {}}, "spec": pod}
    spec = {
        "parallelism": 2,
        "completions": 2,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "template": template,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"annotations": annotations or {}},
        "spec": spec,
    }


def cheapest_on_spot() -> str:
    """Of the types that the pool allows, at its cheapest zone: prices move, so no test names it."""
    quotes = {name: machine(REGION, name).quote("spot") for name in TYPES}
    return min((quote.low, name) for name, quote in quotes.items() if quote)[1]


def node_pool() -> dict[str, Any]:
    wanted = {
        "node.kubernetes.io/instance-type": TYPES,
        "karpenter.sh/capacity-type": ["spot"],
    }
    template = {
        "metadata": {"labels": {"india-ai-infra/pool": "serve"}},
        "spec": {
            "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"},
            "taints": [GPU_TAINT],
            "requirements": [{"key": k, "operator": "In", "values": v} for k, v in wanted.items()],
        },
    }
    spec = {"template": template, "limits": {"nvidia.com/gpu": "8"}}
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "serve"}, "spec": spec}


KARPENTER = {
    "chart": "oci://public.ecr.aws/karpenter/karpenter",
    "version": "1.14.1",
    "namespace": "kube-system",
}


def install_karpenter(stack: Stack) -> None:
    stack.up("helm.sh/v3:Release", "karpenter", KARPENTER)
    stack.up("karpenter.sh/v1:NodePool", "serve", node_pool())


def test_a_cluster_that_runs_is_returned_as_it_is(cluster: clusters.ClusterAccess):
    assert clusters.start(NAME, REGION) == cluster
    assert clusters.access(cluster.endpoint) == cluster
    assert clusters.alive(NAME)


def test_everything_listens_on_this_machine_only(cluster: clusters.ClusterAccess):
    listening = [
        connection.laddr.ip
        for process in clusters.processes_of(NAME)
        for connection in process.net_connections("tcp")
        if connection.status == "LISTEN"
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_none_of_it_holds_an_office_that_a_sleep_would_lose(cluster: clusters.ClusterAccess):
    # A laptop that slept: whoever was elected ends when its lease ran out meanwhile, and the cloud with it.
    leases = cluster.api().list("coordination.k8s.io/v1", "Lease", "kube-system")
    names = {lease["metadata"]["name"] for lease in leases}
    assert not names & {"kube-controller-manager", "kube-scheduler"}


def test_a_node_group_has_the_catalogues_capacity_and_goes_with_its_pods(api: Api):
    labels = {"india-ai-infra/pool": "train"}
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}
    names = nodes.add_nodes(NAME, "train", REGION, "p5.48xlarge", "ap-south-1a", 2, "SPOT", labels, [taint])
    made = {node["metadata"]["name"]: node for node in api.list("v1", "Node")}
    node = made[names[0]]
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "8"
    assert node["status"]["allocatable"]["vpc.amazonaws.com/efa"] == "32"
    assert node["metadata"]["labels"]["india-ai-infra/pool"] == "train"
    assert node["metadata"]["labels"]["karpenter.sh/capacity-type"] == "spot"
    assert GPU_TAINT in node["spec"]["taints"]
    assert node["spec"]["providerID"].startswith("aws:///ap-south-1a/i-")
    assert sorted(nodes.remove_nodes(NAME, "train")) == sorted(names)
    assert api.list("v1", "Node") == []


def test_karpenter_brings_the_cheapest_spot_machine_and_takes_it_away(stack: Stack, api: Api):
    install_karpenter(stack)
    stack.up("apps/v1:Deployment", "vllm", deployment("vllm", gpus=1))
    (node,) = api.list("v1", "Node")
    labels = node["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] == cheapest_on_spot()
    assert labels["karpenter.sh/capacity-type"] == "spot"
    assert labels["topology.kubernetes.io/zone"] in {"ap-south-1a", "ap-south-1b", "ap-south-1c"}
    assert clusters.processes_of(NAME, "karpenter")
    stack.down()  # the NodePool before its controller: or its nodes would never let it go
    assert api.list("v1", "Node") == []
    assert clusters.processes_of(NAME, "karpenter") == []


def test_pods_that_share_a_gpu_get_one_node(stack: Stack, api: Api):
    """Karpenter buys by the NodeOverlay, the node has the parts, and a fifth pod is a second node."""
    pool = GpuPool(name="serve", gpu="L4", max_nodes=4, sharing=Sharing(mode="time-slicing", parts=4))
    zones = ["ap-south-1a", "ap-south-1b", "ap-south-1c"]
    specs = {
        "NodeOverlay": (karpenter_pools.NODE_OVERLAY_API, karpenter_pools.node_overlay(pool)),
        "NodePool": (karpenter_pools.NODE_POOL_API, karpenter_pools.node_pool(pool, TYPES[:2], zones)),
    }
    stack.up("helm.sh/v3:Release", "karpenter", KARPENTER)
    for kind, (version, spec) in specs.items():
        made = {"apiVersion": version, "kind": kind, "metadata": {"name": pool.name}, "spec": spec}
        stack.up(f"{version}:{kind}", kind, made)
    stack.up("apps/v1:Deployment", "four", deployment("four", gpus=1, replicas=4))
    (node,) = api.list("v1", "Node")
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "4"
    stack.up("apps/v1:Deployment", "fifth", deployment("fifth", gpus=1))
    assert len(api.list("v1", "Node")) == 2
    stack.down()
    assert api.list("v1", "Node") == []


def test_a_pod_that_fits_no_pool_fails_in_the_schedulers_and_karpenters_words(stack: Stack):
    install_karpenter(stack)
    with pytest.raises(
        NotReadyError, match=r"default-scheduler: .*; karpenter: .*did not tolerate taint"
    ) as failed:
        stack.up("apps/v1:Deployment", "no-toleration", deployment("no-toleration", 1, tolerates=False))
    assert "karpenter: Failed to schedule pod" in str(failed.value)
    with pytest.raises(NotReadyError, match="no instance type has enough resources"):
        stack.up("apps/v1:Deployment", "too-many", deployment("too-many", gpus=9))


def test_a_job_keeps_running_unless_it_says_how_long(stack: Stack, api: Api):
    nodes.add_nodes(NAME, "system", REGION, "m6a.xlarge", "ap-south-1a", 1, "on-demand")
    stack.up("batch/v1:Job", "train", job({"pulumi.com/waitFor": "jsonpath={.status.ready}=2"}))
    done = stack.up("batch/v1:Job", "short", job(pod_annotations={"india-ai-infra/runs-for": "1s"}))
    assert done["status"]["succeeded"] == 2
    with pytest.raises(NotReadyError, match="BackoffLimitExceeded"):
        stack.up("batch/v1:Job", "broken", job(pod_annotations={"india-ai-infra/fails-after": "1s"}))
    read = stack.read("train")
    assert read is not None
    assert read[1]["status"]["ready"] == 2
    stack.down()
    nodes.remove_nodes(NAME, "system")


def test_a_bad_manifest_fails_in_the_preview(stack: Stack):
    wrong = deployment("wrong", 1)
    wrong["spec"]["repliccas"] = 2
    with pytest.raises(ResourceError, match=r"\.spec\.repliccas: field not declared in schema"):
        stack.up("apps/v1:Deployment", "wrong", wrong)
    assert stack.made == {}


def test_what_does_not_exist_yet_does_not_fail_a_preview(stack: Stack, api: Api):
    later = Resource("urn:pulumi:local::india-ai-infra::kubernetes:core/v1:ConfigMap::later", preview=True)
    in_a_new_namespace = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "later"},
    }
    stack.provider.create(later, in_a_new_namespace)
    of_a_new_kind = {"apiVersion": "later.io/v1", "kind": "Later", "metadata": {"name": "a"}}
    stack.provider.create(later, of_a_new_kind)
    assert api.get(in_a_new_namespace) is None
    assert api.get(of_a_new_kind) is None


def test_a_replacement_is_previewed_while_the_old_object_stands(stack: Stack, api: Api):
    inputs = {**job({"pulumi.com/skipAwait": "true"}), "metadata": {"name": "old", "annotations": {}}}
    inputs["metadata"]["annotations"]["pulumi.com/skipAwait"] = "true"
    stack.up("batch/v1:Job", "old", inputs)
    inputs["spec"]["template"]["spec"]["containers"][0]["image"] = "newer"
    resource, _, _ = stack.made["old"]
    stack.provider.create(Resource(resource.urn, preview=True), inputs)
    stands = api.get(inputs)
    assert stands is not None
    assert stands["spec"]["template"]["spec"]["containers"][0]["image"] != "newer"


def test_refresh_sees_what_was_changed_and_deleted_behind_its_back(stack: Stack, api: Api):
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    stack.up("core/v1:ConfigMap", "settings", config)
    read = stack.read("settings")
    assert read is not None
    assert read[0] == config
    path = "/api/v1/namespaces/default/configmaps/settings"
    api.request("PATCH", path, {"data": {"a": "2"}}, content=MERGE)
    read = stack.read("settings")
    assert read is not None
    assert read[0]["data"] == {"a": "2"}
    api.request("DELETE", path)
    assert stack.read("settings") is None
    stack.down()  # already gone: nothing to do


def test_a_finalizer_that_nobody_removes_is_named(stack: Stack, api: Api):
    held = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "held",
            "finalizers": ["example.org/hold"],
            # Of Jobs and Deployments this skips the wait for their end as well; of nothing else that we make.
            "annotations": {"pulumi.com/skipAwait": "true"},
        },
    }
    stack.up("core/v1:ConfigMap", "held", held)
    resource, inputs, outputs = stack.made["held"]
    with pytest.raises(ResourceError, match=r"finalizers hold it: .*example\.org/hold"):
        stack.provider.delete(Resource(resource.urn, resource.id, timeout=1), inputs, outputs)
    path = "/api/v1/namespaces/default/configmaps/held"
    api.request("PATCH", path, {"metadata": {"finalizers": None}}, content=MERGE)


def test_a_release_registers_its_kinds_and_is_recorded_as_helm_does(stack: Stack, api: Api):
    chart = {"chart": "oci://registry.k8s.io/kueue/charts/kueue", "version": "0.19.2", "name": "kueue"}
    with pytest.raises(ResourceError, match='namespaces "kueue-system" not found'):
        stack.up("helm.sh/v3:Release", "early", {**chart, "namespace": "kueue-system"})
    release = {**chart, "namespace": "kueue-system", "createNamespace": True}
    outputs = stack.up("helm.sh/v3:Release", "kueue", release)
    assert outputs["status"]["status"] == "deployed"
    flavor = {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "ResourceFlavor",
        "metadata": {"name": "l4-spot"},
    }
    stack.up(
        "kueue.x-k8s.io/v1beta2:ResourceFlavor", "l4-spot", {**flavor, "spec": {"nodeLabels": {"a": "b"}}}
    )
    with pytest.raises(ResourceError, match="field not declared in schema"):
        stack.up("kueue.x-k8s.io/v1beta2:ResourceFlavor", "wrong", {**flavor, "spec": {"nodeLabel": {}}})
    api.request("DELETE", "/api/v1/namespaces/kueue-system/secrets/sh.helm.release.v1.kueue.v1")
    assert stack.read("kueue") is None


def test_a_cluster_that_died_begins_anew(environment: dict[str, str], tmp_path: Path):
    first = clusters.start("short-lived", REGION)
    for process in clusters.processes_of("short-lived", "etcd"):
        process.kill()
        process.wait()
    assert not clusters.alive("short-lived")
    second = clusters.start("short-lived", REGION)
    assert second.endpoint != first.endpoint
    assert second.api().list("v1", "Namespace")
    clusters.stop("short-lived")
    assert clusters.processes_of("short-lived") == []
    assert not clusters.folder("short-lived").exists()
