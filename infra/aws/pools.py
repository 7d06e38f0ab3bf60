"""Pools: GPU nodes from what the settings ask for.

A pool whose nodes stand together (a fabric, a placement group, a capacity block) is a managed node group in one zone;
every other is a Karpenter NodePool, also one with a fabric that is `elastic`. Only a NodePool can have a chain of ways
to buy. The system nodes beyond the managed group's are a NodePool too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import contracts
from infra.aws import fabric, karpenter_pools, nodes
from infra.aws.cluster import Cluster
from infra.aws.existing_network import AnyNetwork
from infra.aws.iam import Account
from infra.catalog.kubernetes_versions import kubernetes_versions
from infra.catalog.machines import Machine, machine
from infra.catalog.resolved import ResolvedPool
from infra.contracts.governance import DataGovernance
from infra.contracts.labels import (
    EFA_RESOURCE,
    EXPECTED_NODES,
    GPU_RESOURCE,
    GPU_TAINT,
    GPU_TOLERATION,
    POOL_LABEL,
    taint_of_cloud,
)
from infra.settings.pools import SYSTEM_POOL, GpuPool, SystemPool
from infra.settings.purchase import CAPACITY_BLOCK, ON_DEMAND, RESERVED, SPOT

ALL_PROTOCOLS = "-1"
# EKS' names. Machines of a reservation are on-demand ones that the launch template sends to it.
CAPACITY_TYPES: Mapping[str, str] = MappingProxyType(
    {SPOT: "SPOT", ON_DEMAND: "ON_DEMAND", RESERVED: "ON_DEMAND", CAPACITY_BLOCK: "CAPACITY_BLOCK"}
)


@dataclass(frozen=True)
class PoolsArgs:
    """`pools` are resolved within the zones of `network`. `karpenter` is what NodePools need and outlive: the chart's
    release. `instance_profile` is for its nodes."""

    account: Account
    governance: DataGovernance
    cluster: Cluster
    network: AnyNetwork
    pools: Sequence[ResolvedPool[GpuPool]]
    disk_key_arn: pulumi.Input[str]
    instance_profile: str
    karpenter: Sequence[pulumi.Resource]


class Pools(pulumi.ComponentResource):
    """The nodes that a cluster grows: GPU pools, and more system nodes.

    `ready` is what pods that ask for GPUs wait for, by their pool's name.
    """

    ready: Mapping[str, Sequence[pulumi.Resource]]

    def __init__(self, name: str, args: PoolsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Pools", name, None, opts)
        self._args = args
        self._name = args.cluster.args.name
        self._child = pulumi.ResourceOptions(parent=self)
        self._image = kubernetes_versions()[args.cluster.args.version]
        self._shared_class: kubernetes.apiextensions.CustomResource | None = None
        self.ready = {pool.name: [self._pool(name, pool)] for pool in args.pools}
        self._more_system_nodes(name, args.cluster.args.system)
        self.register_outputs({"pools": [pool.name for pool in args.pools]})

    def _pool(self, name: str, resolved: ResolvedPool[GpuPool]) -> pulumi.Resource:
        pool = resolved.settings
        if pool.static:
            return self._node_group(name, resolved)
        if pool.colocated:
            return self._joined_node_pool(name, resolved)
        if pool.capacity_reservation:
            own = self._node_class(name, pool.name, reservation=pool.capacity_reservation)
            return self._node_pool(name, resolved, resolved.machine_types, own, pool.name)
        if self._shared_class is None:
            self._shared_class = self._node_class(name, karpenter_pools.NODE_CLASS)
        shared = self._shared_class
        return self._node_pool(name, resolved, resolved.machine_types, shared, karpenter_pools.NODE_CLASS)

    def _node_group(self, name: str, resolved: ResolvedPool[GpuPool]) -> aws.eks.NodeGroup:
        """Nodes that stand together in one zone, bought in one way."""
        args, pool, cheapest = self._args, resolved.settings, resolved.machine
        label = f"{self._name}-{pool.name}"
        (purchase,) = pool.purchase
        block = purchase == CAPACITY_BLOCK
        template = nodes.launch_template(
            f"{name}-{pool.name}",
            nodes.TemplateArgs(
                disk_gib=nodes.GPU_DISK_GIB,
                disk_key_arn=args.disk_key_arn,
                tags=args.governance.tags(label),
                user_data=fabric.user_data(efa=pool.fabric == "efa", nvme=cheapest.nvme_gb > 0),
                network_interfaces=self._interfaces(name, pool, cheapest),
                placement_group=self._placement_group(name, pool),
                reservation=pool.capacity_reservation,
                block_machine=cheapest.machine_type if block else None,
            ),
            self._child,
        )
        return aws.eks.NodeGroup(
            f"{name}-{pool.name}",
            cluster_name=args.cluster.name,
            node_group_name=pool.name,
            node_role_arn=args.cluster.node_role.role.arn,
            subnet_ids=[args.network.private_subnets[zone] for zone in resolved.zones],
            version=self._image.version,
            release_version=self._image.ami_release,
            ami_type="AL2023_x86_64_NVIDIA",
            capacity_type=CAPACITY_TYPES[purchase],
            instance_types=None if block else list(resolved.machine_types),
            scaling_config={
                "desired_size": pool.static_nodes,
                "min_size": pool.static_nodes,
                "max_size": pool.most_nodes,
            },
            launch_template={"id": template.id, "version": template.latest_version.apply(str)},
            update_config={"max_unavailable": 1},
            node_repair_config={"enabled": True},
            labels={POOL_LABEL: pool.name},
            taints=[aws.eks.NodeGroupTaintArgs(**taint_of_cloud(GPU_TAINT))],
            opts=pulumi.ResourceOptions(parent=self, depends_on=args.cluster.ready),
        )

    def _more_system_nodes(self, name: str, system: SystemPool) -> None:
        """A NodePool for the system nodes beyond those of the managed group, which nothing scales."""
        args, more = self._args, system.max_nodes - system.min_nodes
        if not more:
            return
        kind = machine(args.account.region, system.machine_type)
        zones = [zone_name for zone, zone_name in args.network.zone_names.items() if zone in kind.zones]
        node_class = self._node_class(name, SYSTEM_POOL, disk_gib=nodes.SYSTEM_DISK_GIB)
        kubernetes.apiextensions.CustomResource(
            f"{name}-{SYSTEM_POOL}",
            api_version=karpenter_pools.NODE_POOL_API,
            kind="NodePool",
            # Operators are sized for the managed group: a month counts on no more.
            metadata={"name": SYSTEM_POOL, "annotations": {EXPECTED_NODES: "0"}},
            spec=karpenter_pools.system_pool(kind, zones, more),
            opts=self._of_karpenter([*args.karpenter, node_class]),
        )

    def _placement_group(self, name: str, pool: GpuPool) -> pulumi.Input[str] | None:
        """The group that keeps the pool's nodes close: the one that the settings name, or a new one.

        None for what is reserved: its machines are where they are, and a launch into another group ends in
        InsufficientInstanceCapacity (terraform-aws-modules/terraform-aws-eks#3730; aws-parallelcluster#6311 on blocks).
        """
        if isinstance(pool.placement_group, str):
            return pool.placement_group
        if {RESERVED, CAPACITY_BLOCK} & {*pool.purchase}:
            return None
        label = f"{self._name}-{pool.name}"
        made = aws.ec2.PlacementGroup(
            f"{name}-{pool.name}",
            name=label,
            strategy="cluster",
            tags=self._args.governance.tags(label),
            opts=self._child,
        )
        return made.name

    def _interfaces(
        self, name: str, pool: GpuPool, machine: Machine
    ) -> list[aws.ec2.LaunchTemplateNetworkInterfaceArgs]:
        """None without a fabric: EKS then lays out one interface in the cluster's security group by itself."""
        if pool.fabric == "none":
            return []
        groups = [self._args.cluster.security_group_id, self._fabric_group(name, pool).id]
        return [
            aws.ec2.LaunchTemplateNetworkInterfaceArgs(
                network_card_index=interface.card,
                device_index=interface.device,
                interface_type=interface.kind,
                associate_public_ip_address="false",
                delete_on_termination="true",
                security_groups=groups,
            )
            for interface in fabric.interfaces(machine)
        ]

    def _fabric_group(self, name: str, pool: GpuPool) -> aws.ec2.SecurityGroup:
        """EFA passes only where a group lets its members both in and out by naming itself."""
        label = f"{self._name}-{pool.name}-efa"
        return aws.ec2.SecurityGroup(
            f"{name}-{pool.name}-efa",
            name=label,
            description="EFA between the nodes of one pool",
            vpc_id=self._args.network.vpc_id,
            ingress=[
                aws.ec2.SecurityGroupIngressArgs(
                    protocol=ALL_PROTOCOLS, from_port=0, to_port=0, self=True, description="Node to node EFA"
                )
            ],
            egress=[
                aws.ec2.SecurityGroupEgressArgs(
                    protocol=ALL_PROTOCOLS, from_port=0, to_port=0, self=True, description="Node to node EFA"
                ),
                aws.ec2.SecurityGroupEgressArgs(
                    protocol=ALL_PROTOCOLS,
                    from_port=0,
                    to_port=0,
                    cidr_blocks=["0.0.0.0/0"],
                    description="Images and the AWS APIs",
                ),
            ],
            tags=self._args.governance.tags(label),
            opts=self._child,
        )

    def _node_class(
        self,
        name: str,
        called: str,
        colocation: karpenter_pools.Colocation | None = None,
        reservation: str | None = None,
        disk_gib: int = nodes.GPU_DISK_GIB,
    ) -> kubernetes.apiextensions.CustomResource:
        args = self._args
        return kubernetes.apiextensions.CustomResource(
            f"{name}-{called}" if called == karpenter_pools.NODE_CLASS else f"{name}-{called}-class",
            api_version=karpenter_pools.NODE_CLASS_API,
            kind="EC2NodeClass",
            metadata={"name": called},
            spec=karpenter_pools.node_class(
                cluster_name=self._name,
                ami_alias=self._image.ami_alias,
                instance_profile=args.instance_profile,
                disk_key_arn=args.disk_key_arn,
                tags=nodes.started_tags(args.governance.tags(f"{self._name}-{called}")),
                disk_gib=disk_gib,
                colocation=colocation,
                reservation=reservation,
            ),
            opts=self._of_karpenter(args.karpenter),
        )

    def _joined_node_pool(
        self, name: str, resolved: ResolvedPool[GpuPool]
    ) -> kubernetes.apiextensions.CustomResource:
        """A pool from zero whose nodes a fabric joins: one machine type, in one zone, under a class of its own."""
        pool, only = resolved.settings, resolved.machine
        group = self._fabric_group(name, pool)
        colocation = karpenter_pools.Colocation(only, self._placement_group(name, pool), group.id)
        node_class = self._node_class(name, pool.name, colocation, pool.capacity_reservation)
        return self._node_pool(name, resolved, [only.machine_type], node_class, pool.name)

    def _node_pool(
        self,
        name: str,
        resolved: ResolvedPool[GpuPool],
        types: Sequence[str],
        node_class: pulumi.Resource,
        class_name: str,
    ) -> kubernetes.apiextensions.CustomResource:
        pool, zones = resolved.settings, resolved.zones
        names = [self._args.network.zone_names[zone] for zone in zones]
        shares = [self._overlay(name, pool)] if pool.sharing else []
        return kubernetes.apiextensions.CustomResource(
            f"{name}-{pool.name}",
            api_version=karpenter_pools.NODE_POOL_API,
            kind="NodePool",
            metadata={"name": pool.name, "annotations": karpenter_pools.priced_as(pool, zones)},
            spec=karpenter_pools.node_pool(pool, types, names, class_name),
            opts=self._of_karpenter([*self._args.karpenter, node_class, *shares]),
        )

    def _overlay(self, name: str, pool: GpuPool) -> kubernetes.apiextensions.CustomResource:
        """How many GPUs a node of the pool is to pods, which Karpenter can't see before there is one."""
        return kubernetes.apiextensions.CustomResource(
            f"{name}-{pool.name}-shares",
            api_version=karpenter_pools.NODE_OVERLAY_API,
            kind="NodeOverlay",
            metadata={"name": pool.name},
            spec=karpenter_pools.node_overlay(pool),
            opts=self._of_karpenter(self._args.karpenter),
        )

    def _of_karpenter(self, needs: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        """Not `deleted_with` the cluster, unlike other Kubernetes objects: Karpenter's machines are in no state but its
        own, and end only when it sees the NodePool go. Left to the cluster's end they would run on, and be paid for.
        """
        return pulumi.ResourceOptions(
            parent=self,
            provider=self._args.cluster.provider,
            depends_on=needs,
            custom_timeouts=pulumi.CustomTimeouts(delete="30m"),
        )


def describe(pools: Sequence[ResolvedPool[GpuPool]]) -> dict[str, contracts.Pool]:
    """The pools as pods see them, by name."""
    return {resolved.name: _described(resolved) for resolved in pools}


def _described(resolved: ResolvedPool[GpuPool]) -> contracts.Pool:
    pool, machine = resolved.settings, resolved.machine
    shares = pool.gpus_per_node * pool.parts
    limits = {GPU_RESOURCE: str(shares)}
    efa = pool.fabric == "efa"
    if efa:
        limits[EFA_RESOURCE] = str(machine.efa_interfaces)
    return contracts.Pool(
        name=pool.name,
        gpu=machine.gpu,
        gpus_per_node=shares,
        purchase=pool.purchase,
        fabric=pool.fabric,
        machine_types=resolved.machine_types,
        max_nodes=pool.most_nodes,
        static_nodes=pool.static_nodes if pool.static else None,
        node_selector={POOL_LABEL: pool.name},
        tolerations=[GPU_TOLERATION],
        limits=limits,
        grace_seconds=karpenter_pools.GRACE_SECONDS,
        environment=fabric.EFA_ENVIRONMENT if efa else {},
        peer_environment=fabric.EFA_PEER_ENVIRONMENT if efa else {},
        locks_memory=efa,
        notices="aws",
        reclaims_per_hour=resolved.reclaims_per_hour,
        usd_per_hour=resolved.usd_per_hour,
        gpu_parts=pool.parts,
        gpu_memory_share=1 / pool.parts,
    )
