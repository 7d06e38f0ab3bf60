"""Nodes of managed node groups and node pools, played by kwok, as the catalogue gives their machine type."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infra.contracts.labels import (
    ARCH_LABEL,
    CAPACITY_TYPE_LABEL,
    EFA_RESOURCE,
    EFFECTS,
    EKS_COMPUTE_TYPE,
    EKS_NODE_GROUP,
    GKE_NODE_POOL,
    GPU_RESOURCE,
    HOSTNAME_LABEL,
    HUGE_PAGES_2MI,
    INSTANCE_TYPE_LABEL,
    OS_LABEL,
    POOL_LABEL,
    REGION_LABEL,
    ZONE_LABEL,
)
from localcloud.kubernetes import clusters
from localcloud.kubernetes.api import MERGE, Api, ApiError, Object

if TYPE_CHECKING:
    from infra.catalog.machines import Machine

MAX_PODS = 110
HYBRID = {EKS_COMPUTE_TYPE: "hybrid"}  # EKS puts it on nodes that are not in AWS
ROOT_DISK_GIB = 100
# What EFA's installer holds back on each node: two endpoints of 110 MiB a core, and a page (efa-config, efa-hugepages).
EFA_HUGEPAGES_MIB_PER_VCPU, EFA_HUGEPAGE_MIB = 220, 2


def add_nodes(
    cluster: str,
    node_group: str,
    region: str,
    machine_type: str,
    zone_name: str,
    count: int,
    capacity_type: str,
    labels: Mapping[str, str] | None = None,
    taints: Iterable[Mapping[str, str]] = (),
    instance_ids: Sequence[str] = (),
    annotations: Mapping[str, str] | None = None,
) -> list[str]:
    """Add `count` nodes in one zone to a node group, or to a node pool of GKE, and return their names.

    `capacity_type` is `spot` or `on-demand`, in any of the spellings of EKS. `taints` have key, value and effect, in
    Kubernetes' or EKS' spelling. `instance_ids` are those of EC2 where it knows the machines; made up otherwise.
    """
    from infra.catalog.machines import machine

    access = clusters.named(cluster)
    if access is None:
        raise clusters.ClusterError(f"no cluster {cluster} to add nodes to: start it first")
    api = access.api()
    shape = machine(region, machine_type)
    names = []
    for index in range(count):
        if shape.cloud == "gcp":
            node = _gke_node(shape, cluster, node_group, zone_name, capacity_type)
        else:
            instance = instance_ids[index] if index < len(instance_ids) else f"i-{secrets.token_hex(9)[:17]}"
            node = _node(shape, instance, zone_name, capacity_type)
            node["metadata"]["labels"][EKS_NODE_GROUP] = node_group
        node["metadata"]["labels"] |= labels or {}
        node["metadata"]["annotations"] |= annotations or {}
        node["spec"]["taints"] = [_taint(taint) for taint in taints]
        api.request("POST", "/api/v1/nodes", node)
        names.append(node["metadata"]["name"])
    return names


def join_nodes(config: Mapping[str, Any], count: int, gpus: int, vcpus: int, memory_gib: int) -> list[str]:
    """Join machines on premises to their cluster with `config`, a NodeConfig of nodeadm, and return their names."""
    about, (labels, taints) = config["spec"]["cluster"], _registered(config)
    access = clusters.named(about["name"])
    if access is None:
        raise clusters.ClusterError(f"no cluster {about['name']} to join: start it first")
    resources = {
        "cpu": str(vcpus),
        "memory": f"{memory_gib}Gi",
        "ephemeral-storage": f"{ROOT_DISK_GIB}Gi",
        "pods": str(MAX_PODS),
        GPU_RESOURCE: str(gpus),
    }
    names = [f"{labels[POOL_LABEL]}-{index}" for index in range(1, count + 1)]
    for name in names:
        own = {**labels, **HYBRID, HOSTNAME_LABEL: name, ARCH_LABEL: "amd64"}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {**own, OS_LABEL: "linux"},
                "annotations": {"kwok.x-k8s.io/node": "fake"},
            },
            "spec": {
                "providerID": f"eks-hybrid:///{about['region']}/{about['name']}/{name}",
                "taints": taints,
            },
            "status": {"capacity": resources, "allocatable": resources},
        }
        access.api().request("POST", "/api/v1/nodes", node)
    return names


def leave(config: Mapping[str, Any]) -> list[str]:
    """Remove the nodes that joined with `config`, and return their names."""
    labels, _ = _registered(config)
    return remove_nodes(config["spec"]["cluster"]["name"], labels[POOL_LABEL], POOL_LABEL)


def _registered(config: Mapping[str, Any]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The labels and taints that the kubelet's flags register a node with."""
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in config["spec"]["kubelet"]["flags"])
    labels = dict(label.split("=", 1) for label in flags["node-labels"].split(","))
    taints = []
    for taint in flags["register-with-taints"].split(","):
        key, _, effect = taint.partition(":")
        name, _, value = key.partition("=")
        taints.append({"key": name, "value": value, "effect": effect})
    return labels, taints


def remove_nodes(cluster: str, node_group: str, label: str = EKS_NODE_GROUP) -> list[str]:
    """Remove a node group's nodes and return their names: nothing new may come, then the pods go, then the nodes.

    `label` says which group a node belongs to. Nodes that Karpenter made are its own to remove.
    """
    access = clusters.named(cluster)
    if access is None or not clusters.alive(cluster):
        return []
    api = access.api()
    nodes = api.list("v1", "Node", labelSelector=f"{label}={node_group},!karpenter.sh/nodepool")
    names = [node["metadata"]["name"] for node in nodes]
    for name in names:
        cordon = {"spec": {"unschedulable": True}}
        api.request("PATCH", f"/api/v1/nodes/{name}", cordon, content=MERGE)
    for name in names:
        _drain(api, name)
        api.request("DELETE", f"/api/v1/nodes/{name}")
    return names


def capacity(machine: Machine) -> dict[str, str]:
    """What a node of this machine type has, as Kubernetes quantities."""
    resources = {
        "cpu": str(machine.vcpus),
        "memory": f"{int(machine.memory_gib * 1024)}Mi",
        "ephemeral-storage": f"{max(int(machine.nvme_gb or 0), ROOT_DISK_GIB)}Gi",
        "pods": str(MAX_PODS),
    }
    if machine.gpu_count:
        resources[GPU_RESOURCE] = str(machine.gpu_count)
    if machine.efa_interfaces:
        resources[EFA_RESOURCE] = str(machine.efa_interfaces)
        resources[HUGE_PAGES_2MI] = f"{_huge_mib(machine)}Mi"
    return resources


def allocatable(machine: Machine) -> dict[str, str]:
    """What pods can ask for: less what EKS or GKE keeps for the system."""
    if machine.cloud == "gcp":
        memory_mib = int(machine.memory_gib * 1024) - _gke_reserved_mib(machine.memory_gib)
    else:
        memory_mib = _eks_memory_mib(machine)
    cpu_milli = machine.vcpus * 1000 - _reserved_cpu_milli(machine.vcpus)
    return {**capacity(machine), "cpu": f"{cpu_milli}m", "memory": f"{memory_mib}Mi"}


def _eks_memory_mib(machine: Machine) -> int:
    """By the formulas of EKS' bootstrap and of Karpenter."""
    # Karpenter takes 7.5 % for the hypervisor; kubelet keeps 255 MiB, 11 MiB a pod, and evicts below 100 MiB.
    return int(machine.memory_gib * 1024 * 0.925) - 255 - 11 * MAX_PODS - 100 - _huge_mib(machine)


def _huge_mib(machine: Machine) -> int:
    return EFA_HUGEPAGES_MIB_PER_VCPU * machine.vcpus + EFA_HUGEPAGE_MIB if machine.efa_interfaces else 0


def _gke_reserved_mib(memory_gib: float) -> int:
    """25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112, 2 % of the rest; eviction
    begins at 100 MiB. Source: GKE documentation, "Plan GKE Standard node sizes"."""
    reserved, below = 100.0, 0
    for upto, share in ((4, 0.25), (8, 0.20), (16, 0.10), (128, 0.06), (memory_gib, 0.02)):
        reserved += max(0.0, min(memory_gib, upto) - below) * share * 1024
        below = upto
    return int(reserved)


def _reserved_cpu_milli(vcpus: int) -> int:
    """6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest."""
    shares = (60, 10, 5, 5)
    return int(sum(shares[:vcpus]) + 2.5 * max(0, vcpus - len(shares)))


def _node(machine: Machine, instance: str, zone: str, capacity_type: str) -> Object:
    spot = capacity_type.lower() == "spot"
    name = f"{instance}.{machine.region}.compute.internal"
    labels = {
        HOSTNAME_LABEL: name,
        ARCH_LABEL: "amd64",
        OS_LABEL: "linux",
        INSTANCE_TYPE_LABEL: machine.machine_type,
        REGION_LABEL: machine.region,
        ZONE_LABEL: zone,
        CAPACITY_TYPE_LABEL: "spot" if spot else "on-demand",
        "eks.amazonaws.com/capacityType": "SPOT" if spot else "ON_DEMAND",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"providerID": f"aws:///{zone}/{instance}"},
        "status": {"capacity": capacity(machine), "allocatable": allocatable(machine)},
    }


def _gke_node(machine: Machine, cluster: str, pool: str, zone: str, capacity_type: str) -> Object:
    spot = capacity_type.lower() == "spot"
    name = f"gke-{cluster[:20]}-{pool[:20]}-{secrets.token_hex(4)}-{secrets.token_hex(2)}".lower()
    labels = {
        HOSTNAME_LABEL: name,
        ARCH_LABEL: "amd64",
        OS_LABEL: "linux",
        INSTANCE_TYPE_LABEL: machine.machine_type.split("+")[0],  # GPUs are no part of GKE's name
        REGION_LABEL: machine.region,
        ZONE_LABEL: zone,
        CAPACITY_TYPE_LABEL: "spot" if spot else "on-demand",  # GKE has none; our summary counts by it
        GKE_NODE_POOL: pool,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"providerID": f"gce://local/{zone}/{name}"},
        "status": {"capacity": capacity(machine), "allocatable": allocatable(machine)},
    }


def _taint(taint: Mapping[str, str]) -> dict[str, str]:
    effect = EFFECTS.get(taint["effect"], taint["effect"])
    return {"key": taint["key"], "value": taint.get("value") or "", "effect": effect}


def _drain(api: Api, node: str) -> None:
    """Delete the node's pods, so that their controllers replace them now and not minutes after the node is gone."""
    for pod in api.list("v1", "Pod", fieldSelector=f"spec.nodeName={node}"):
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        try:
            api.request("DELETE", path, query={"gracePeriodSeconds": "0"})
        except ApiError as error:
            if error.status != 404:
                raise
