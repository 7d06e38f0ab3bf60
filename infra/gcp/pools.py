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
from infra.catalog import Choice, Machine, choose_for
from infra.contracts.governance import DataGovernance
from infra.contracts.labels import EXPECTED_NODES_GKE, GKE_COMPUTE_CLASS, GPU_RESOURCE, GPU_TAINT, POOL_LABEL
from infra.gcp import compute_class, nodes, tags
from infra.gcp.cluster import Cluster
from infra.gcp.fabric import Fabric, FabricArgs
from infra.gcp.fabric_pods import DRIVER_ENVIRONMENT, fabric_pod
from infra.gcp.iam import Project
from infra.settings.pools import FLEX_START_HOURS, GooglePool
from infra.settings.purchase import FLEX_START, SPOT, Way

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
    handling: DataGovernance
    cluster: Cluster
    pools: Sequence[GooglePool]
    disk_key: pulumi.Output[str]


class Pools(pulumi.ComponentResource):
    """The GPU nodes of a cluster. `ready` is what pods that ask for GPUs wait for, by their pool's name."""

    def __init__(self, name: str, args: PoolsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Pools", name, None, opts)
        self._args = args
        self.ready = {pool.name: self._pool(name, pool) for pool in args.pools}
        self.register_outputs({"pools": [pool.name for pool in args.pools]})

    def _pool(self, name: str, pool: GooglePool) -> list[pulumi.Resource]:
        choice = choose_for(self._args.project.region, pool)
        machine = choice.machines[0]
        zones = [one_zone(choice, pool.zone)] if pool.together else list(machine.zones)
        fabric = self._fabric(name, pool, zones[0]) if pool.fabric != "none" else None
        made = [self._node_pool(name, pool, way, machine, zones, fabric) for way in pool.purchase]
        choice = [self._compute_class(name, pool, made)] if pool.chained else []
        return [*made, *choice, *(fabric.ready if fabric else ())]

    def _compute_class(
        self, name: str, pool: GooglePool, node_pools: Sequence[pulumi.Resource]
    ) -> kubernetes.apiextensions.CustomResource:
        cluster = self._args.cluster
        return kubernetes.apiextensions.CustomResource(
            f"{name}-{pool.name}-class",
            api_version=compute_class.API,
            kind="ComputeClass",
            metadata={"name": pool.name},
            spec=compute_class.spec([pool.node_pool(way) for way in pool.purchase]),
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
        self,
        name: str,
        pool: GooglePool,
        way: Way,
        machine: Machine,
        zones: Sequence[str],
        fabric: Fabric | None,
    ) -> gcp.container.NodePool:
        args = self._args
        resource_name, flexible = f"{name}-{pool.node_pool(way)}", way == FLEX_START
        return gcp.container.NodePool(
            resource_name,
            name=pool.node_pool(way),
            project=args.project.id,
            location=args.project.region,
            cluster=args.cluster.name,
            node_locations=list(zones),
            node_count=pool.standing_nodes if pool.stands else None,
            initial_node_count=None if pool.stands else 0,
            autoscaling=None if pool.stands else _growth(pool),
            management={"auto_repair": not flexible, "auto_upgrade": True},
            # There is seldom a GPU machine to spare for a surge. Flex-start nodes end within a week: GKE's own choice.
            upgrade_settings=None
            if flexible
            else {"strategy": "SURGE", "max_surge": 0, "max_unavailable": 1},
            # Flex-start nodes with a fabric come without one, as in cluster-toolkit's dws-flex-start/gke-a3-ultragpu.
            placement_policy=self._placement(resource_name) if pool.together and not flexible else None,
            network_config=_networks(fabric),
            node_config=nodes.config(self._node(pool, way, machine)),
            opts=pulumi.ResourceOptions(
                parent=self,
                # A node finds the Kubernetes networks of its cards when it comes.
                depends_on=[*args.cluster.ready, *(fabric.networks if fabric else ())],
                delete_before_replace=True,  # the new one has the same name
                ignore_changes=[] if pool.stands else ["initialNodeCount"],
            ),
        )

    def _node(self, pool: GooglePool, way: Way, machine: Machine) -> nodes.NodeArgs:
        args = self._args
        return nodes.NodeArgs(
            machine_type=machine.machine_type.partition("+")[0],  # n1-standard-4+1xT4
            pool=pool.name,
            account=args.cluster.account.email,
            disk_key=args.disk_key,
            disk_gib=nodes.GPU_DISK_GIB,
            disk_type="hyperdisk-balanced" if machine.machine_type.startswith(HYPERDISK) else "pd-balanced",
            labels={
                **tags.labels(args.handling, f"{args.cluster.args.name}-{pool.node_pool(way)}"),
                **_expected(pool, way),
            },
            purchase=way,
            reservation=pool.capacity_reservation,
            max_run_hours=(pool.max_run_hours or FLEX_START_HOURS) if way == FLEX_START else None,
            notice_seconds=nodes.notice_seconds(args.cluster.args.version),
            compute_class=pool.name if pool.chained else None,
            accelerator=nodes.Accelerator(ACCELERATORS[machine.gpu], machine.gpu_count),
            local_ssds=machine.nvme_gb // LOCAL_SSD_GB,
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


def describe(region: str, version: str, pools: Sequence[GooglePool]) -> dict[str, contracts.Pool]:
    """The pools of a cluster of this Kubernetes version as pods see them, by name."""
    return {
        pool.name: _described(pool, choose_for(region, pool).machines[0], nodes.notice_seconds(version))
        for pool in pools
    }


def one_zone(choice: Choice, wanted: str | None = None) -> str:
    """The zone of nodes that stand together: the `wanted` one, else where the machine costs least.

    Raises:
        LookupError: the wanted zone does not offer it.
    """
    if wanted is None:
        return choice.zones[0]
    if wanted not in choice.zones:
        machine = choice.machines[0]
        raise LookupError(f"{machine.machine_type} is in {', '.join(machine.zones)}, not in {wanted}")
    return wanted


def _growth(pool: GooglePool) -> gcp.container.NodePoolAutoscalingArgsDict:
    """From zero to the pool's limit, over all zones together, wherever there are machines."""
    policy: Literal["ANY"] = "ANY"
    return gcp.container.NodePoolAutoscalingArgsDict(
        total_min_node_count=0, total_max_node_count=pool.most_nodes, location_policy=policy
    )


def _expected(pool: GooglePool, way: Way) -> dict[str, str]:
    """The label that tells the bill how many nodes to count on: of a chain, all on its first way."""
    if way != pool.purchase[0]:
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


def _described(pool: GooglePool, machine: Machine, notice: int) -> contracts.Pool:
    selects = {POOL_LABEL: pool.name}
    tolerates = [{"key": GPU_TAINT["key"], "operator": "Exists", "effect": GPU_TAINT["effect"]}]
    if pool.chained:
        selects[GKE_COMPUTE_CLASS] = pool.name
        tolerates.append(compute_class.toleration(pool.name))
    seen = contracts.Pool(
        name=pool.name,
        gpu=machine.gpu,
        gpus_per_node=pool.gpus_per_node,
        purchase=pool.purchase,
        fabric=pool.fabric,
        machine_types=(machine.machine_type,),
        max_nodes=pool.most_nodes,
        standing=pool.standing_nodes if pool.stands else None,
        node_selector=selects,
        tolerations=tolerates,
        limits={GPU_RESOURCE: str(pool.gpus_per_node)},
        fabric_pod=fabric_pod(pool.name, pool.fabric) if pool.fabric != "none" else contracts.FabricPod(),
        environment=DRIVER_ENVIRONMENT,
    )
    return replace(seen, grace_seconds=notice - nodes.SYSTEM_SECONDS) if SPOT in pool.purchase else seen
