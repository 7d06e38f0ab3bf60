"""The platform in one AWS region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pulumi
import pulumi_aws as aws

from infra import contracts, geography
from infra.aws import current_cluster, hybrid_nodes, pools, tags
from infra.aws.access import Access, AccessArgs, ClusterAccess, ClusterAccessArgs
from infra.aws.alertmanager import Alertmanager, AlertmanagerArgs
from infra.aws.audit import Audit, AuditArgs
from infra.aws.budget import SpendBudget, SpendBudgetArgs
from infra.aws.cluster import Cluster, ClusterArgs, Reach
from infra.aws.database import Databases, DatabasesArgs
from infra.aws.deployer import Deployer, administrators, caller
from infra.aws.endpoints import ENDPOINTS, GUARDDUTY
from infra.aws.existing_network import AnyNetwork, ExistingNetwork, Needs, NetworkFacts, look
from infra.aws.hybrid_nodes import HybridNodes, HybridNodesArgs
from infra.aws.jump_host import PROXY_URL, JumpHost, JumpHostArgs
from infra.aws.karpenter import Karpenter, KarpenterArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.on_premises_vpn import OnPremisesVpn, OnPremisesVpnArgs
from infra.aws.platform_profile import PROFILE
from infra.aws.pod_environment import lake_environment
from infra.aws.pools import Pools, PoolsArgs
from infra.aws.registry import Registry, RegistryArgs
from infra.catalog.resolved import ResolvedPool
from infra.contracts.database import Database
from infra.contracts.grants import by_role
from infra.contracts.needs import WorkloadNeeds, on
from infra.contracts.site import Site
from infra.platform.opencost import Price, price_sheet
from infra.platform.platform import Platform, PlatformArgs
from infra.platform.storage import Disk
from infra.settings.aws import Aws
from infra.settings.aws import ClusterAccess as Reaching
from infra.settings.aws_pools import AwsPool
from infra.settings.stack import Settings
from infra.sites.aws_foundation import Foundation, LakeReplica, foundation
from infra.sites.databases import with_database


def site(
    settings: Settings, cloud: Aws, resolved: Sequence[ResolvedPool[AwsPool]], needs: Sequence[WorkloadNeeds]
) -> Site:
    """The platform in one AWS region: data and its keys, network, cluster, operators, GPU pools, audit; and what nodes
    on premises join it with."""
    name = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    provider = aws.Provider(
        "aws",
        region=cloud.region,
        default_tags={"tags": tags.defaults(pulumi.get_project(), pulumi.get_stack(), settings.owner)},
    )
    # Before anything is made: whoever is not let in to the cluster could not finish.
    deployers = administrators(cloud.cluster.access.deployers, caller(provider))
    own = {"project": pulumi.get_project(), "stack": pulumi.get_stack()}
    current_cluster.stay(name, cloud.region, cloud.network, own, provider)
    asked = cloud.network.existing
    existing = look(asked, existing_needs(name, cloud, resolved), provider) if asked else None

    here = {"aws", "onPremises"} if settings.on_premises else {"aws"}  # a site's nodes are the same cluster's
    base = foundation(name, settings, cloud, resolved, on(here, needs), provider)
    topic_arn = _audit(base).topic_arn
    _spend_budget(base)
    network = _network(base, existing)
    base = replace(base, pools=[pool.within(network.zone_names) for pool in resolved])
    host = _jump_host(base, network)
    link = _link(base, network)
    cluster = _cluster(base, network, deployers, host, link)
    joined = _hybrid(base, cluster, link)
    sender = Alertmanager(
        "alertmanager",
        AlertmanagerArgs(base.account, cluster.resource, name, topic_arn, base.keys.logs),
        base.opts,
    )
    databases = _databases(base, network, cluster, topic_arn)
    gpus = _cluster_services(base, network, cluster, joined, sender, databases)
    data = base.replica.lake if base.replica and base.replica.failover else base.lake.lake
    registry = pulumi.Output.concat(base.account.id, f".dkr.ecr.{cloud.region}.amazonaws.com")
    return Site(gpus, data, registry, joined.node_configs if joined else {}, host.tunnel if host else None)


def _audit(base: Foundation) -> Audit:
    args = AuditArgs(
        base.account,
        base.governance,
        base.lake.lake,
        base.keys.logs,
        base.name,
        base.cloud.audit.guardduty,
        base.cloud.audit.alert_emails,
        base.replica.lake if base.replica else None,
    )
    return Audit("audit", args, base.opts)


def _spend_budget(base: Foundation) -> None:
    """The month's budget on the account, where there is somebody to tell."""
    if emails := base.cloud.audit.alert_emails:
        monthly_inr = base.settings.monthly_inr("aws")
        args = SpendBudgetArgs(base.name, pulumi.get_stack(), monthly_inr, base.settings.currency, emails)
        SpendBudget("spend-budget", args, base.opts)


def _cluster(
    base: Foundation,
    network: AnyNetwork,
    deployers: Sequence[Deployer],
    host: JumpHost | None,
    link: OnPremisesVpn | None,
) -> Cluster:
    asked = base.cloud.cluster
    args = ClusterArgs(
        base.account,
        base.governance,
        name=base.name,
        version=asked.version,
        network=network,
        deployers=deployers,
        cluster_key_arn=base.keys.cluster,
        logs_key_arn=base.keys.logs,
        system=asked.system,
        log_days=base.governance.log_days,
        deletion_protection=asked.deletion_protection,
        site=link,
        guardduty=base.watched,
        reach=reach(asked.access, host),
        addon_versions=asked.addon_versions,
    )
    return Cluster("cluster", args, base.opts)


def _jump_host(base: Foundation, network: AnyNetwork) -> JumpHost | None:
    if not base.cloud.cluster.access.jump_host:
        return None
    args = JumpHostArgs(base.governance, base.name, base.cloud.region, network, base.keys.cluster)
    return JumpHost("jump-host", args, base.opts)


def reach(asked: Reaching, host: JumpHost | None) -> Reach:
    """Who reaches the API server. The program itself goes through the tunnel only where no network has a direct way."""
    groups: dict[str, pulumi.Input[str]] = {group: group for group in asked.security_groups}
    if host:
        groups["jump-host"] = host.security_group_id
    return Reach(asked.cidrs, groups, PROXY_URL if asked.tunnel else None)


def _link(base: Foundation, network: AnyNetwork) -> OnPremisesVpn | None:
    asked = base.settings.on_premises
    if asked is None:
        return None
    args = OnPremisesVpnArgs(
        base.governance,
        network,
        base.name,
        asked.vpn.address,
        asked.vpn.asn,
        asked.node_cidrs,
        asked.pod_cidrs,
        base.keys.logs,
    )
    return OnPremisesVpn("site", args, base.opts)


def _hybrid(base: Foundation, cluster: Cluster, link: OnPremisesVpn | None) -> HybridNodes | None:
    asked = base.settings.on_premises
    if asked is None or link is None:
        return None
    args = HybridNodesArgs(
        base.account, base.governance, cluster, link, asked.certificate_authority, asked.pools
    )
    return HybridNodes("hybrid", args, base.opts)


def _databases(
    base: Foundation, network: AnyNetwork, cluster: Cluster, topic_arn: pulumi.Output[str]
) -> Mapping[str, Database]:
    """Those of the workloads that need one, by the workload's name."""
    workloads = with_database(base.settings, "aws", base.needs)
    if not workloads:
        return {}
    args = DatabasesArgs(
        base.account,
        base.governance,
        base.name,
        network,
        [cluster.security_group_id],
        base.cloud.database,
        workloads,
        base.keys.database,
        base.keys.logs,
        topic_arn,
        base.cloud.protect_data,
    )
    return Databases("databases", args, base.opts).by_workload


def _cluster_services(
    base: Foundation,
    network: AnyNetwork,
    cluster: Cluster,
    joined: HybridNodes | None,
    sender: Alertmanager,
    databases: Mapping[str, Database],
) -> contracts.GpuCluster:
    """People's and pods' access to the cluster, its operators and its GPU pools."""
    granted = _access(base, cluster)
    karpenter_args = KarpenterArgs(base.account, base.governance, cluster.resource, base.name)
    karpenter = Karpenter("karpenter", karpenter_args, base.opts)
    registry = _registry(base, cluster, karpenter, joined)
    replica = base.replica
    gpus = contracts.GpuCluster(
        name=base.name,
        region=base.cloud.region,
        resource=cluster.resource,
        provider=cluster.provider,
        pools=pools.describe(base.pools),
        mirrors=registry.mirrors,
        environment=lake_environment(replica.region if replica and replica.failover else base.cloud.region),
    )
    platform = _platform(base, network, cluster, gpus, karpenter, registry, sender, databases)
    pools_args = PoolsArgs(
        base.account,
        base.governance,
        cluster,
        network,
        base.pools,
        disk_key_arn=base.keys.cluster,
        instance_profile=karpenter.instance_profile,
        karpenter=platform.node_controllers,
    )
    made = Pools("pools", pools_args, base.opts)
    at_site = joined.ready if joined else []
    return replace(gpus, platform=[*platform.ready, *at_site, granted], nodes=made.ready)


def _access(base: Foundation, cluster: Cluster) -> ClusterAccess:
    """The roles of people and pods, and what they may do in the cluster."""
    people = by_role(base.cloud.access)
    given = AccessArgs(
        base.account, base.lake.lake, base.lake.access_logs, base.name, people, workloads=base.needs
    )
    if base.replica:
        given = replace(given, replica=base.replica.lake, replica_region=base.replica.region)
    access = Access("access", given, base.opts)
    args = ClusterAccessArgs(cluster.name, access.human_roles, access.workload_roles, base.needs)
    return ClusterAccess("cluster-access", args, base.opts)


def _registry(
    base: Foundation, cluster: Cluster, karpenter: Karpenter, joined: HybridNodes | None
) -> Registry:
    """ECR's mirrors, for each role of nodes that pulls from them."""
    roles = {"nodes": cluster.node_role.role.name, "karpenter-nodes": karpenter.node_role.name}
    if joined:
        roles["hybrid-nodes"] = joined.node_role.name
    args = RegistryArgs(
        base.account,
        base.governance.owner,
        pulumi.get_stack(),
        base.cloud.registries,
        base.keys.cluster,
        node_roles=roles,
    )
    return Registry("registry", args, base.opts)


def _platform(
    base: Foundation,
    network: AnyNetwork,
    cluster: Cluster,
    gpus: contracts.GpuCluster,
    karpenter: Karpenter,
    registry: Registry,
    sender: Alertmanager,
    databases: Mapping[str, Database],
) -> Platform:
    """The operators, and the namespaces that workloads run in."""
    on_premises = base.settings.on_premises
    everywhere = gpus
    if on_premises:
        everywhere = replace(gpus, pools={**gpus.pools, **hybrid_nodes.describe(on_premises.pools)})
    args = PlatformArgs(
        profile=PROFILE,
        cluster=everywhere,
        cluster_name=cluster.name,
        https_cidrs=_reachable(network, base.replica),
        workloads=base.needs,
        databases=databases,
        data_class=base.governance.data_class,
        on_premises_pod_cidrs=on_premises.pod_cidrs if on_premises else (),
        store=on_premises.store_reach if on_premises else None,
        interruption_queue=karpenter.queue_name,
        alert_receivers=sender.receivers,
        prices=_prices(base),
        disk=disk(base.cloud, base.keys.cluster),
        registries=registry.mirrors,
        controller_replicas=min(2, base.cloud.cluster.system.min_nodes),
        controllers_depend_on=[*cluster.ready, *karpenter.ready, *registry.ready, *sender.ready],
    )
    return Platform("platform", args)


def _prices(base: Foundation) -> list[Price]:
    system = base.cloud.cluster.system.machine_type
    return price_sheet(PROFILE, base.cloud.region, base.pools, system, base.settings.currency)


def disk(cloud: Aws, key_arn: pulumi.Output[str]) -> Disk | None:
    """Of metrics, where a node that goes is sure to be followed by one in the same zone: a disk stays in its own.

    The managed group has a node in each zone, or Karpenter makes one where the disk is.
    """
    system = cloud.cluster.system
    grows = system.max_nodes > system.min_nodes
    if not grows and system.min_nodes < len(geography.region(cloud.region).zones):
        return None
    return Disk("ebs.csi.aws.com", {"type": "gp3", "encrypted": "true", "kmsKeyId": key_arn})


def _network(base: Foundation, existing: NetworkFacts | None) -> AnyNetwork:
    """The VPC of the stack's own, or the one that exists already."""
    if existing:
        return ExistingNetwork("network", base.account, existing, base.opts)
    asked = base.cloud.network
    args = NetworkArgs(
        base.account,
        base.governance,
        cluster_name=base.name,
        cidr=asked.cidr,
        zones=geography.region(base.cloud.region).zones,
        logs_key_arn=base.keys.logs,
        flow_log_days=asked.flow_log_days,
        nat_per_zone=asked.nat_per_zone,
        endpoints_per_zone=asked.nat_per_zone,
        endpoints=[service for service in ENDPOINTS if base.watched or service != GUARDDUTY],
    )
    return Network("network", args, base.opts)


def existing_needs(name: str, cloud: Aws, resolved: Sequence[ResolvedPool[AwsPool]]) -> Needs:
    """The zones of each pool's machines, and the nodes of all pools."""
    zones = {pool.name: frozenset(pool.allowed_zones) for pool in resolved}
    nodes = sum(pool.most_nodes for pool in cloud.cluster.pools) + cloud.cluster.system.max_nodes
    return Needs(zones, nodes, name)


def _reachable(network: AnyNetwork, replica: LakeReplica | None) -> pulumi.Output[list[str]]:
    """What workloads may reach over HTTPS: what the network has, and after a failover the other region's S3.

    Not before one: that S3 is reached through NAT, where no endpoint's policy keeps data from the buckets of other
    accounts. Until then S3 replicates by itself, and no pod has business there.
    """
    nowhere: list[str] = []
    away = replica is not None and replica.failover
    elsewhere = replica.s3_cidrs if replica and away else pulumi.Output.from_input(nowhere)
    return pulumi.Output.all(network.https_cidrs, elsewhere).apply(lambda both: [*both[0], *both[1]])
