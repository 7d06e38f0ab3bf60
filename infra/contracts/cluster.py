"""Clusters and pools as rooms hand them on, with no cloud's names in their types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    import pulumi_kubernetes as kubernetes

# A mapping in Kubernetes' own words (camelCase). Pulumi takes one wherever its types name one of its Args classes.
PodPart = Any


@dataclass(frozen=True)
class FabricPod:
    """What a pod that takes a whole node carries to use the node's fabric, in Kubernetes' own words (camelCase).

    `environment` and `mounts` are of its own container; `sidecars` are init containers that run beside it.
    """

    annotations: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    sidecars: Sequence[PodPart] = ()
    volumes: Sequence[PodPart] = ()
    mounts: Sequence[PodPart] = ()


@dataclass(frozen=True)
class Pool:
    """GPU nodes of one kind, as a pod sees them.

    `node_selector` picks exactly this pool; `tolerations` are those its taints ask for. `limits` are for one whole
    node (`nvidia.com/gpu`, the fabric's devices), as Kubernetes quantities. `max_nodes` is the limit the pool scales
    to. `purchase` is how its nodes are bought, first choice first; `fabric` none or the name of the fast network,
    `fabric_pod` what that asks of pods beside `limits`. `grace_seconds` is what a pod gets to leave when its node is
    taken back: asking for more is in vain. `static_nodes` is how many are always there, None where they come when pods
    ask. `environment` is what a container with GPUs is told of the driver and the fabric, `peer_environment` what it is
    told besides where pods on several nodes work together, and `locks_memory` says whether the fabric must lock memory.
    `notices` is whose metadata service announces that a node is taken back (`aws`, `google`), empty where none does.
    `reclaims_per_hour` are those of one node that the catalogue expects, and `usd_per_hour` is its price; 0 where none
    is known.

    `gpu_parts` is how many pods share a GPU: `gpus_per_node` and `limits` then count parts, and a pod gets one.
    `gpu_memory_share` is how much of the GPU's memory that a pod sees it may use: all, or its part where it sees what
    is the others' too.
    """

    name: str
    gpu: str
    gpus_per_node: int
    purchase: Sequence[str]
    fabric: str
    machine_types: tuple[str, ...]
    max_nodes: int
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    grace_seconds: int = 110
    fabric_pod: FabricPod = FabricPod()
    static_nodes: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    peer_environment: Mapping[str, str] = field(default_factory=dict)
    locks_memory: bool = False
    notices: str = ""
    reclaims_per_hour: float = 0.0
    usd_per_hour: float = 0.0
    gpu_parts: int = 1
    gpu_memory_share: float = 1.0


@dataclass(frozen=True)
class GpuCluster:
    """A Kubernetes cluster with GPU pools.

    Kubernetes resources carry `deleted_with=resource`, so that a destroy does not wait on a cluster that has gone, and
    depend on `platform`, the operators they need. Pools are by name, and so is what makes their nodes (`nodes`): pods
    wait for those of their own pool, as another's may be long in coming, or never come. `mirrors` are where its nodes
    pull an upstream's images instead, by the upstream's name (`docker.io`). `environment` is what every container is
    told so that the cloud's own SDKs find the lake.
    """

    name: str
    region: str
    resource: pulumi.Resource
    provider: kubernetes.Provider
    pools: Mapping[str, Pool]
    platform: Sequence[pulumi.Resource] = ()
    nodes: Mapping[str, Sequence[pulumi.Resource]] = field(default_factory=dict)
    mirrors: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def needed_on(self, pool: str) -> list[pulumi.Resource]:
        """What a workload on one pool waits for."""
        return [*self.platform, *self.nodes.get(pool, ())]
