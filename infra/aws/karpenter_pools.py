"""Elastic pools as Karpenter objects: a NodePool each, one EC2NodeClass for most GPU pools, one for system nodes.

Machines are named by type, from the catalogue; no `karpenter.k8s.aws/*` label is used, so the same NodePools work with
every Karpenter provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.aws import fabric, nodes
from infra.catalog.machines import Machine
from infra.contracts.labels import (
    CAPACITY_TYPE_LABEL,
    DEVICE_PLUGIN_CONFIG,
    DISCOVERY_TAG,
    EXPECTED_NODES,
    GPU_RESOURCE,
    GPU_SHARES,
    GPU_TAINT,
    INSTANCE_TYPE_LABEL,
    KARPENTER_NODE_POOL,
    POOL_LABEL,
    ZONE_IDS,
    ZONE_LABEL,
    time_slicing,
)
from infra.settings.pools import SYSTEM_POOL, GpuPool
from infra.settings.purchase import ON_DEMAND

# Of most pools; one with a fabric or a reservation has its own class, named as it is. No name of a pool has a dot.
NODE_CLASS = "gpu.shared"
NODE_CLASS_API, NODE_POOL_API = "karpenter.k8s.aws/v1", "karpenter.sh/v1"
NODE_OVERLAY_API = "karpenter.sh/v1alpha1"
EMPTY_FOR = "5m"  # long enough for the next pod of a series, short enough for the price of a GPU
# A spot notice leaves 120 s. Without this, Karpenter's drain obeys `do-not-disrupt` in a reclaim too (seen, 1.14.1): it
# waits for such pods until EC2 takes their machine, and they are never told.
NOTICE = "115s"
GRACE_SECONDS = 110  # that pods ask for, so that they end before the drain does
HEAVIEST = 100  # "weight" of a NodePool: 1 to 100
LIFETIME = "720h"  # a node is replaced within a month, for the patches of its image


@dataclass(frozen=True)
class Colocation:
    """What an elastic pool's nodes share when a fabric joins them: interfaces, a placement group (None: a reservation's
    nodes are where they are), a security group."""

    machine: Machine
    placement_group: pulumi.Input[str] | None
    security_group: pulumi.Input[str]


def node_class(
    *,
    cluster_name: str,
    ami_alias: str,
    instance_profile: str,
    disk_key_arn: pulumi.Input[str],
    tags: Mapping[str, str],
    disk_gib: int = nodes.GPU_DISK_GIB,
    colocation: Colocation | None = None,
    reservation: str | None = None,
) -> dict[str, Any]:
    """The spec of an EC2NodeClass: a pinned image, private subnets, the cluster's security group, encrypted disks.

    With a fabric also its interfaces, which Karpenter otherwise attaches only for pods that ask, and the placement
    group; with a reservation (of capacity, or a block) the only one that `reserved` nodes may take from.
    """
    spec = {
        "amiSelectorTerms": [{"alias": ami_alias}],
        "instanceProfile": instance_profile,
        "subnetSelectorTerms": [{"tags": {DISCOVERY_TAG: cluster_name}}],
        # EKS puts this tag on the cluster's own security group, and on no other.
        "securityGroupSelectorTerms": [{"tags": {"aws:eks:cluster-name": cluster_name}}],
        "associatePublicIPAddress": False,
        "blockDeviceMappings": [
            {
                "deviceName": nodes.ROOT_DEVICE,
                "ebs": {
                    "volumeType": "gp3",
                    "volumeSize": f"{disk_gib}Gi",
                    "encrypted": True,
                    "kmsKeyID": disk_key_arn,
                    "deleteOnTermination": True,
                },
            }
        ],
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        },
        "instanceStorePolicy": "RAID0",
        "tags": dict(tags),
    }
    if reservation:
        spec["capacityReservationSelectorTerms"] = [{"id": reservation}]
    return spec if colocation is None else spec | _joined(colocation, spec["securityGroupSelectorTerms"])


def _joined(colocation: Colocation, groups: Sequence[Any]) -> dict[str, Any]:
    return {
        "networkInterfaces": [
            {"networkCardIndex": one.card, "deviceIndex": one.device, "interfaceType": one.kind}
            for one in fabric.interfaces(colocation.machine)
        ],
        **(
            {"placementGroupSelector": {"name": colocation.placement_group}}
            if colocation.placement_group is not None
            else {}
        ),
        "userData": fabric.user_data(efa=True, nvme=False),  # the disks are `instanceStorePolicy`'s
        "securityGroupSelectorTerms": [*groups, {"id": colocation.security_group}],
    }


def node_pool(
    pool: GpuPool,
    machine_types: Sequence[str],
    zone_names: Sequence[pulumi.Input[str]],
    class_name: str = NODE_CLASS,
) -> dict[str, Any]:
    """The spec of a pool's NodePool."""
    return {
        "template": {
            "metadata": {"labels": {POOL_LABEL: pool.name, **_sharing_labels(pool)}},
            "spec": {
                "nodeClassRef": _class_ref(class_name),
                "requirements": [
                    _one_of(INSTANCE_TYPE_LABEL, list(machine_types)),
                    _one_of(ZONE_LABEL, zone_names),
                    _one_of(CAPACITY_TYPE_LABEL, pool.purchase),
                ],
                "taints": [GPU_TAINT],
                "expireAfter": LIFETIME,
                "terminationGracePeriod": NOTICE,
            },
        },
        "limits": {GPU_RESOURCE: str(pool.most_gpus * pool.parts)},
        "disruption": _disruption(pool),
    }


def node_overlay(pool: GpuPool) -> dict[str, Any]:
    """The spec of the NodeOverlay of a pool whose GPUs are shared: without it Karpenter counts whole GPUs, and buys a
    node for each pod (kubernetes-sigs/karpenter#729)."""
    return {
        "requirements": [_one_of(KARPENTER_NODE_POOL, [pool.name])],
        "capacity": {GPU_RESOURCE: _shares(pool)},
    }


def _sharing_labels(pool: GpuPool) -> dict[str, str]:
    if pool.sharing is None:
        return {}
    return {DEVICE_PLUGIN_CONFIG: time_slicing(pool.parts), GPU_SHARES: _shares(pool)}


def _shares(pool: GpuPool) -> str:
    return str(pool.gpus_per_node * pool.parts)


def system_pool(machine: Machine, zone_names: Sequence[pulumi.Input[str]], most_nodes: int) -> dict[str, Any]:
    """The spec of the NodePool with the system nodes beyond the managed group's: at most `most_nodes`, as those are.

    The limit is in vCPUs: one in `nodes` counts those of a batch after it only, and three pods at once get three nodes
    (Karpenter 1.14.1, `subtractMax` in pkg/controllers/provisioning/scheduling/scheduler.go). The weight sends a pod
    that tolerates the GPUs' taint and asks for none to these machines, the cheaper ones.
    """
    return {
        "weight": HEAVIEST,
        "template": {
            "metadata": {"labels": {POOL_LABEL: SYSTEM_POOL}},
            "spec": {
                "nodeClassRef": _class_ref(SYSTEM_POOL),
                "requirements": [
                    _one_of(INSTANCE_TYPE_LABEL, [machine.machine_type]),
                    _one_of(ZONE_LABEL, zone_names),
                    _one_of(CAPACITY_TYPE_LABEL, [ON_DEMAND]),
                ],
                "expireAfter": LIFETIME,
            },
        },
        "limits": {"cpu": str(most_nodes * machine.vcpus)},
        "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": EMPTY_FOR},
    }


def priced_as(pool: GpuPool, zones: Sequence[str]) -> dict[str, str]:
    """What the estimate of costs reads: the IDs of the zones, and how many nodes people count on."""
    counted = {} if pool.expected_nodes is None else {EXPECTED_NODES: f"{pool.expected_nodes:g}"}
    return {ZONE_IDS: " ".join(zones), **counted}


def _class_ref(name: str) -> dict[str, str]:
    return {"group": NODE_CLASS_API.partition("/")[0], "kind": "EC2NodeClass", "name": name}


def _one_of(key: str, values: Sequence[pulumi.Input[str]]) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": list(values)}


def _disruption(pool: GpuPool) -> dict[str, Any]:
    """A node goes when nothing runs on it, never for being underused: an evicted model takes minutes to load again.

    Nodes with several GPUs are for jobs that lose hours when a node goes, so a new image waits until they are empty.
    """
    drifted = "0" if pool.gpus_per_node > 1 else "1"
    return {
        "consolidationPolicy": "WhenEmpty",
        "consolidateAfter": EMPTY_FOR,
        "budgets": [
            {"nodes": "100%", "reasons": ["Empty"]},
            {"nodes": drifted, "reasons": ["Drifted"]},
        ],
    }
