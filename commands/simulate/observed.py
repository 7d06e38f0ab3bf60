"""A replay's cluster as it is seen: its nodes and pods, and what of them comes or goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from infra.contracts.labels import (
    CAPACITY_TYPE_LABEL,
    DISRUPTED_TAINT,
    GPU_RESOURCE,
    INSTANCE_TYPE_LABEL,
    POOL_LABEL,
)
from infra.settings.pools import SYSTEM_POOL
from localcloud.kubernetes.api import Object

WORKLOAD = "india-ai-infra/workload"


@dataclass(frozen=True)
class Pod:
    """A pod of a workload, wanting `gpus` GPUs of a pool; `node` is None while it waits."""

    name: str
    workload: str
    pool: str
    gpus: int
    node: str | None = None


@dataclass(frozen=True)
class Node:
    """A node that pods can run on."""

    name: str
    pool: str
    machine_type: str
    spot: bool
    gpus: int
    zone: str = ""  # its id, where it is known


@dataclass(frozen=True)
class Seen:
    """A cluster at rest: its nodes and pods by name."""

    nodes: Mapping[str, Node]
    pods: Mapping[str, Pod]


def node_of(item: Object) -> Node:
    """A node of the cluster. Karpenter's zone of it is not read: `zone` stays empty."""
    labels = item["metadata"]["labels"]
    return Node(
        name=item["metadata"]["name"],
        pool=labels.get(POOL_LABEL, SYSTEM_POOL),
        machine_type=labels.get(INSTANCE_TYPE_LABEL, ""),
        spot=labels.get(CAPACITY_TYPE_LABEL) == "spot",
        gpus=int(item["status"].get("allocatable", {}).get(GPU_RESOURCE, 0)),
    )


def pod_of(item: Object) -> Pod:
    """A pod of the replay."""
    spec = item["spec"]
    gpus = int(spec["containers"][0]["resources"]["limits"][GPU_RESOURCE])
    pool = spec["nodeSelector"][POOL_LABEL]
    metadata = item["metadata"]
    return Pod(metadata["name"], metadata["labels"][WORKLOAD], pool, gpus, spec.get("nodeName"))


def leaves(node: Object) -> bool:
    """Whether a node that is deleted is drained already."""
    tainted = any(taint["key"] == DISRUPTED_TAINT for taint in node["spec"].get("taints") or ())
    return "deletionTimestamp" in node["metadata"] and tainted


def rests(claim: Object, leaving: Set[str]) -> bool:
    """Whether a NodeClaim neither comes nor goes; `leaving` are nodes that count as gone."""
    if "deletionTimestamp" in claim["metadata"]:
        return claim.get("status", {}).get("nodeName") in leaving
    return condition(claim, "Initialized")


def goes(pod: Object, leaving: Set[str]) -> bool:
    """Whether a pod is deleted, or on a node that counts as gone."""
    return "deletionTimestamp" in pod["metadata"] or pod["spec"].get("nodeName") in leaving


def condition(item: Object, type_: str) -> bool:
    """Whether a condition of its status is true."""
    conditions: Sequence[Mapping[str, Any]] = item.get("status", {}).get("conditions") or ()
    return any(c["type"] == type_ and c["status"] == "True" for c in conditions)
