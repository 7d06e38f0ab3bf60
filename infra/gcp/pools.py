"""Pools: GPU nodes from what the settings ask for, each a GKE node pool of one machine type.

A pool whose nodes stand together (a fabric, a placement group) has a fixed number of them in one zone; every other
grows from zero over all zones that offer the machine, as does one with a fabric that is `elastic`, in its one zone. A
chain of ways to buy is a node pool for each, and a ComputeClass that says in which order they are tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from infra import contracts
from infra.catalog.machines import Machine
from infra.catalog.resolved import ResolvedPool
from infra.contracts.governance import DataGovernance
from infra.contracts.labels import (
    EXPECTED_NODES_GKE,
    GKE_COMPUTE_CLASS,
    GPU_RESOURCE,
    GPU_SHARES,
    GPU_TOLERATION,
    POOL_LABEL,
)
from infra.gcp import compute_class, nodes, tags
from infra.gcp.cluster import Cluster
from infra.gcp.fabric import Fabric, FabricArgs
from infra.gcp.fabric_pods import DRIVER_ENVIRONMENT, fabric_pod
from infra.gcp.iam import Project
from infra.settings.google_pools import FLEX_START_HOURS, GooglePool
from infra.settings.purchase import FLEX_START, SPOT, Purchase
from infra.settings.sharing import MIG

LOCAL_SSD_GB = 375

# Google's names of the catalogue's GPUs ("GPU machine types", Compute Engine documentation).
ACCELERATORS: Mapping[str, str] = MappingProxyType(
    {
        "T4": "nvidia-tesla-t4",
        "L4": "nvidia-l4",
        "H100": "nvidia-h100-80gb",
        "H200": "nvidia-h200-141gb",
        "RTX PRO 6000": "nvidia-rtx-pro-6000",
    }
)
# Machine families that boot from Hyperdisk only.
HYPERDISK = ("a3-ultragpu", "g4-")


@dataclass(frozen=True)
class PoolsArgs:
    """`disk_key` is the path of the key of the boot disks."""

    project: Project
    governance: DataGovernance
    cluster: Cluster
    pools: Sequence[ResolvedPool[GooglePool]]
    disk_key: pulumi.Output[str]


class Pools(pulumi.ComponentResource):
    """The GPU nodes of a cluster. `ready` is what pods that ask for GPUs wait for, by their pool's name."""

    def __init__(self, name: str, args: PoolsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Pools", name, None, opts)
        self._args = args
        self.ready = {pool.name: self._pool(name, pool) for pool in args.pools}
        self.register_outputs({"pools": [pool.name for pool in args.pools]})

    def _pool(self, name: str, resolved: ResolvedPool[GooglePool]) -> list[pulumi.Resource]:
        pool = resolved.settings
        fabric = self._fabric(name, pool, resolved.zones[0]) if pool.fabric != "none" else None
        made = [self._node_pool(name, resolved, purchase, fabric) for purchase in pool.purchase]
        order = [self._compute_class(name, pool, made)] if pool.has_fallback else []
        return [*made, *order, *(fabric.ready if fabric else ())]

    def _compute_class(
        self, name: str, pool: GooglePool, node_pools: Sequence[pulumi.Resource]
    ) -> kubernetes.apiextensions.CustomResource:
        cluster = self._args.cluster
        return kubernetes.apiextensions.CustomResource(
            f"{name}-{pool.name}-class",
            api_version=compute_class.API,
            kind="ComputeClass",
            metadata={"name": pool.name},
            spec=compute_class.spec([pool.node_pool(purchase) for purchase in pool.purchase]),
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=cluster.provider,
                deleted_with=cluster.resource,
                depends_on=list(node_pools),
            ),
        )

    def _fabric(self, name: str, pool: GooglePool, zone: str) -> Fabric:
        cluster = self._args.cluster
        return Fabric(
            f"{name}-{pool.name}-fabric",
            FabricArgs(self._args.project, pool.name, pool.fabric, zone, cluster.resource, cluster.provider),
            pulumi.ResourceOptions(parent=self),
        )

    def _node_pool(
        self, name: str, resolved: ResolvedPool[GooglePool], purchase: Purchase, fabric: Fabric | None
    ) -> gcp.container.NodePool:
        args, pool = self._args, resolved.settings
        resource_name, flexible = f"{name}-{pool.node_pool(purchase)}", purchase == FLEX_START
        return gcp.container.NodePool(
            resource_name,
            name=pool.node_pool(purchase),
            project=args.project.id,
            location=args.project.region,
            cluster=args.cluster.name,
            node_locations=list(resolved.zones),
            node_count=pool.static_nodes if pool.static else None,
            initial_node_count=None if pool.static else 0,
            autoscaling=None if pool.static else _growth(pool),
            management={"auto_repair": not flexible, "auto_upgrade": True},
            # There is seldom a GPU machine to spare for a surge. Flex-start nodes end within a week: GKE's own choice.
            upgrade_settings=None
            if flexible
            else {"strategy": "SURGE", "max_surge": 0, "max_unavailable": 1},
            # Flex-start nodes with a fabric come without one, as in cluster-toolkit's dws-flex-start/gke-a3-ultragpu.
            placement_policy=self._placement(resource_name) if pool.colocated and not flexible else None,
            network_config=_networks(fabric),
            node_config=nodes.config(self._node(pool, purchase, resolved.machine)),
            opts=pulumi.ResourceOptions(
                parent=self,
                # A node finds the Kubernetes networks of its cards when it comes.
                depends_on=[*args.cluster.ready, *(fabric.networks if fabric else ())],
                delete_before_replace=True,  # the new one has the same name
                ignore_changes=[] if pool.static else ["initialNodeCount"],
            ),
        )

    def _node(self, pool: GooglePool, purchase: Purchase, machine: Machine) -> nodes.NodeArgs:
        args = self._args
        return nodes.NodeArgs(
            machine_type=machine.machine_type.partition("+")[0],  # n1-standard-4+1xT4
            pool=pool.name,
            account=args.cluster.account.email,
            disk_key=args.disk_key,
            disk_gib=nodes.GPU_DISK_GIB,
            disk_type="hyperdisk-balanced" if machine.machine_type.startswith(HYPERDISK) else "pd-balanced",
            labels={
                **tags.labels(args.governance, f"{args.cluster.args.name}-{pool.node_pool(purchase)}"),
                **_expected(pool, purchase),
            },
            purchase=purchase,
            reservation=pool.capacity_reservation,
            max_run_hours=(pool.max_run_hours or FLEX_START_HOURS) if purchase == FLEX_START else None,
            notice_seconds=nodes.notice_seconds(args.cluster.args.version),
            compute_class=pool.name if pool.has_fallback else None,
            accelerator=nodes.Accelerator(ACCELERATORS[machine.gpu], machine.gpu_count, pool.sharing),
            local_ssds=machine.nvme_gb // LOCAL_SSD_GB,
            node_labels={GPU_SHARES: str(pool.gpus_per_node * pool.parts)} if pool.sharing else {},
        )

    def _placement(self, name: str) -> gcp.container.NodePoolPlacementPolicyArgsDict:
        policy = gcp.compute.ResourcePolicy(
            name,
            project=self._args.project.id,
            region=self._args.project.region,
            group_placement_policy={"collocation": "COLLOCATED"},
            opts=pulumi.ResourceOptions(parent=self),
        )
        return gcp.container.NodePoolPlacementPolicyArgsDict(type="COMPACT", policy_name=policy.name)


def describe(version: str, pools: Sequence[ResolvedPool[GooglePool]]) -> dict[str, contracts.Pool]:
    """The pools of a cluster of this Kubernetes version as pods see them, by name."""
    notice = nodes.notice_seconds(version)
    return {resolved.name: _described(resolved, notice) for resolved in pools}


def _growth(pool: GooglePool) -> gcp.container.NodePoolAutoscalingArgsDict:
    """From zero to the pool's limit, over all zones together, wherever there are machines."""
    policy: Literal["ANY"] = "ANY"
    return gcp.container.NodePoolAutoscalingArgsDict(
        total_min_node_count=0, total_max_node_count=pool.most_nodes, location_policy=policy
    )


def _expected(pool: GooglePool, purchase: Purchase) -> dict[str, str]:
    """The label that tells the bill how many nodes to count on: of a chain, all on its first way."""
    if purchase != pool.purchase[0]:
        return {EXPECTED_NODES_GKE: "0"}
    if pool.expected_nodes is None:
        return {}
    return {EXPECTED_NODES_GKE: f"{pool.expected_nodes:g}".replace(".", "-")}  # no dots in a label


def _networks(fabric: Fabric | None) -> gcp.container.NodePoolNetworkConfigArgsDict:
    return gcp.container.NodePoolNetworkConfigArgsDict(
        enable_private_nodes=True,
        additional_node_network_configs=[
            gcp.container.NodePoolNetworkConfigAdditionalNodeNetworkConfigArgsDict(
                network=at.network, subnetwork=at.subnetwork
            )
            for at in fabric.attachments
        ]
        if fabric
        else None,
    )


def _described(resolved: ResolvedPool[GooglePool], notice: int) -> contracts.Pool:
    pool = resolved.settings
    shares = pool.gpus_per_node * pool.parts
    selects = {POOL_LABEL: pool.name}
    tolerates = [GPU_TOLERATION]
    if pool.has_fallback:
        selects[GKE_COMPUTE_CLASS] = pool.name
        tolerates.append(compute_class.toleration(pool.name))
    seen = contracts.Pool(
        name=pool.name,
        gpu=resolved.machine.gpu,
        gpus_per_node=shares,
        purchase=pool.purchase,
        fabric=pool.fabric,
        machine_types=resolved.machine_types,
        max_nodes=pool.most_nodes,
        static_nodes=pool.static_nodes if pool.static else None,
        node_selector=selects,
        tolerations=tolerates,
        limits={GPU_RESOURCE: str(shares)},
        fabric_pod=fabric_pod(pool.name, pool.fabric) if pool.fabric != "none" else contracts.FabricPod(),
        environment=DRIVER_ENVIRONMENT,
        notices="google",
        reclaims_per_hour=resolved.reclaims_per_hour,
        usd_per_hour=resolved.usd_per_hour,
        gpu_parts=pool.parts,
        gpu_memory_share=1.0 if pool.sharing and pool.sharing.mode == MIG else 1 / pool.parts,
    )
    return replace(seen, grace_seconds=notice - nodes.SYSTEM_SECONDS) if SPOT in pool.purchase else seen
