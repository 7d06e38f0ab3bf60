"""The platform in one AWS region, with its lake in the other one too if the stack asks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi
import pulumi_aws as aws

from infra import geography, interfaces
from infra.aws import current_cluster, hybrid, pools, tags
from infra.aws.access import Access, AccessArgs, ClusterAccess, ClusterAccessArgs
from infra.aws.alertmanager import Alertmanager, AlertmanagerArgs
from infra.aws.audit import Audit, AuditArgs
from infra.aws.cluster import Cluster, ClusterArgs, Reach
from infra.aws.deployer import administrators, caller
from infra.aws.endpoints import ENDPOINTS, GUARDDUTY
from infra.aws.existing_network import AnyNetwork, ExistingNetwork, Found, Needs, look
from infra.aws.hybrid import HybridNodes, HybridNodesArgs
from infra.aws.iam import Account
from infra.aws.jump_host import PROXY_URL, JumpHost, JumpHostArgs
from infra.aws.karpenter import Karpenter, KarpenterArgs
from infra.aws.keys import Keys, KeysArgs
from infra.aws.lake import Lake, LakeArgs, audit_bucket
from infra.aws.network import Network, NetworkArgs
from infra.aws.pools import Pools, PoolsArgs
from infra.aws.registry import Registry, RegistryArgs
from infra.aws.replica import Replica, ReplicaArgs
from infra.aws.site_link import SiteLink, SiteLinkArgs
from infra.aws.tags import Handling
from infra.catalog import choose_for
from infra.platform.platform import Platform, PlatformArgs
from infra.platform.storage import Disk
from infra.settings import Settings
from infra.settings.aws import Aws
from infra.settings.aws import ClusterAccess as Reaching
from infra.settings.on_premises import OnPremises
from infra.sites import Site


def site(said: Settings, cloud: Aws) -> Site:
    """The platform in one AWS region: data and its keys, network, cluster, operators, GPU pools, audit; and what nodes
    on premises join it with."""
    name = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    provider = aws.Provider(
        "aws",
        region=cloud.region,
        default_tags={"tags": tags.defaults(pulumi.get_project(), pulumi.get_stack(), said.owner)},
    )
    opts = pulumi.ResourceOptions(provider=provider)
    # Before anything is made: whoever is not let in to the cluster could not finish.
    deployers = administrators(cloud.cluster.access.deployers, caller(provider))
    own = {"project": pulumi.get_project(), "stack": pulumi.get_stack()}
    current_cluster.stay(name, cloud.region, cloud.network, own, provider)
    asked = cloud.network.existing
    existing = look(asked, _needs(name, cloud), provider) if asked else None
    account = Account.current(cloud.region, pulumi.InvokeOptions(provider=provider))
    handling = Handling(said.data_class, said.owner, said.purpose, said.retention_days)

    keys = Keys(
        "keys",
        KeysArgs(
            account,
            handling,
            name,
            trail_name=name,
            protect=cloud.protect_data,
            audit_bucket=audit_bucket("lake"),
        ),
        opts,
    )
    lake = Lake(
        "lake",
        LakeArgs(account, handling, keys.lake, keys.logs, trail_name=name, protect=cloud.protect_data),
        opts,
    )
    replica = _replica(name, said, cloud, account, handling, lake, keys, provider)
    audit = AuditArgs(
        account,
        handling,
        lake.lake,
        keys.logs,
        name,
        cloud.audit.guardduty,
        cloud.audit.alert_emails,
        replica.lake if replica else None,
    )
    topic_arn = Audit("audit", audit, opts).topic_arn
    # Its agent would report to no detector; and Runtime Monitoring doesn't support clusters with nodes on premises
    # (GuardDuty user guide, "Prerequisites for Amazon EKS cluster support").
    watched = cloud.audit.guardduty and said.on_premises is None
    network = _network(name, cloud, account, handling, keys, existing, watched, opts)
    host = _jump_host(name, cloud, handling, network, keys, opts)
    link = _link(name, said.on_premises, handling, network, keys, opts)
    cluster = Cluster(
        "cluster",
        ClusterArgs(
            account,
            handling,
            name=name,
            version=cloud.cluster.version,
            network=network,
            deployers=deployers,
            cluster_key_arn=keys.cluster,
            logs_key_arn=keys.logs,
            system=cloud.cluster.system,
            log_days=handling.log_days,
            deletion_protection=cloud.cluster.deletion_protection,
            site=link,
            guardduty=watched,
            reach=_reach(cloud.cluster.access, host),
            addon_versions=cloud.cluster.addon_versions,
        ),
        opts,
    )
    joined = _hybrid(said.on_premises, account, handling, cluster, link, opts)
    sender = Alertmanager(
        "alertmanager", AlertmanagerArgs(account, cluster.resource, name, topic_arn, keys.logs), opts
    )
    gpus = _operate(
        name, cloud, account, handling, keys, lake, replica, network, cluster, joined, sender, said, opts
    )
    data = replica.lake if replica and replica.failover else lake.lake
    registry = pulumi.Output.concat(account.id, f".dkr.ecr.{cloud.region}.amazonaws.com")
    return Site(gpus, data, registry, joined.node_configs if joined else {}, host.tunnel if host else None)


def _jump_host(
    name: str, cloud: Aws, handling: Handling, network: AnyNetwork, keys: Keys, opts: pulumi.ResourceOptions
) -> JumpHost | None:
    if not cloud.cluster.access.jump_host:
        return None
    return JumpHost("jump-host", JumpHostArgs(handling, name, cloud.region, network, keys.cluster), opts)


def _reach(asked: Reaching, host: JumpHost | None) -> Reach:
    """Who reaches the API server. The program itself goes through the tunnel only where no network has a direct way."""
    groups: dict[str, pulumi.Input[str]] = {group: group for group in asked.security_groups}
    if host:
        groups["jump-host"] = host.security_group_id
    return Reach(asked.cidrs, groups, PROXY_URL if asked.tunnel else None)


def _link(
    name: str,
    asked: OnPremises | None,
    handling: Handling,
    network: AnyNetwork,
    keys: Keys,
    opts: pulumi.ResourceOptions,
) -> SiteLink | None:
    if asked is None:
        return None
    args = SiteLinkArgs(
        handling,
        network,
        name,
        asked.vpn.address,
        asked.vpn.asn,
        asked.node_cidrs,
        asked.pod_cidrs,
        keys.logs,
    )
    return SiteLink("site", args, opts)


def _hybrid(
    asked: OnPremises | None,
    account: Account,
    handling: Handling,
    cluster: Cluster,
    link: SiteLink | None,
    opts: pulumi.ResourceOptions,
) -> HybridNodes | None:
    if asked is None or link is None:
        return None
    args = HybridNodesArgs(account, handling, cluster, link, asked.certificate_authority, asked.pools)
    return HybridNodes("hybrid", args, opts)


@dataclass(frozen=True)
class Elsewhere:
    """The lake in the other region, the addresses of S3 there, and whether workloads use it now."""

    lake: interfaces.Lake
    region: str
    s3_cidrs: pulumi.Output[list[str]]
    failover: bool


def _replica(
    name: str,
    said: Settings,
    cloud: Aws,
    account: Account,
    handling: Handling,
    lake: Lake,
    keys: Keys,
    home: aws.Provider,
) -> Elsewhere | None:
    """The lake a second time, if the stack asks for it."""
    asked = cloud.replica
    if asked is None:
        return None
    provider = aws.Provider(
        "aws-replica",
        region=asked.region,
        default_tags={"tags": tags.defaults(pulumi.get_project(), pulumi.get_stack(), said.owner)},
    )
    there = Account(account.id, asked.region)
    made = Replica(
        "replica",
        ReplicaArgs(account, there, handling, lake, keys.lake, name, provider, cloud.protect_data),
        pulumi.ResourceOptions(provider=home),
    )
    s3 = aws.ec2.get_prefix_list_output(
        name=f"com.amazonaws.{asked.region}.s3", opts=pulumi.InvokeOutputOptions(provider=provider)
    )
    addresses = s3.cidr_blocks.apply(lambda cidrs: [str(cidr) for cidr in cidrs or ()])
    return Elsewhere(made.lake, asked.region, addresses, asked.failover)


def _operate(
    name: str,
    cloud: Aws,
    account: Account,
    handling: Handling,
    keys: Keys,
    lake: Lake,
    replica: Elsewhere | None,
    network: AnyNetwork,
    cluster: Cluster,
    joined: HybridNodes | None,
    sender: Alertmanager,
    said: Settings,
    opts: pulumi.ResourceOptions,
) -> interfaces.GpuCluster:
    """People's and pods' access to the cluster, its operators and its GPU pools."""
    people = {
        "data-engineer": cloud.access.data_engineers,
        "ml-engineer": cloud.access.ml_engineers,
        "auditor": cloud.access.auditors,
    }
    given = AccessArgs(account, lake.lake, lake.access_logs, name, people)
    if replica:
        given = replace(given, replica=replica.lake, replica_region=replica.region)
    access = Access("access", given, opts)
    granted = ClusterAccess(
        "cluster-access", ClusterAccessArgs(cluster.name, access.human_roles, access.workload_roles), opts
    )
    karpenter = Karpenter("karpenter", KarpenterArgs(account, handling, cluster.resource, name), opts)
    roles = {"nodes": cluster.node_role.role.name, "karpenter-nodes": karpenter.node_role.name}
    if joined:
        roles["hybrid-nodes"] = joined.node_role.name
    registry = Registry(
        "registry",
        RegistryArgs(
            account, handling.owner, pulumi.get_stack(), cloud.registries, keys.cluster, node_roles=roles
        ),
        opts,
    )
    gpus = interfaces.GpuCluster(
        name=name,
        cloud="aws",
        region=cloud.region,
        resource=cluster.resource,
        provider=cluster.provider,
        pools=pools.describe(cloud.region, cloud.cluster.pools),
        mirrors=registry.mirrors,
        lake_region=replica.region if replica and replica.failover else None,
    )
    on_premises = said.on_premises
    platform = Platform(
        "platform",
        PlatformArgs(
            cluster=replace(gpus, pools={**gpus.pools, **hybrid.describe(on_premises.pools)})
            if on_premises
            else gpus,
            cluster_name=cluster.name,
            https_cidrs=_reachable(network, replica),
            data_class=handling.data_class,
            site_pod_cidrs=on_premises.pod_cidrs if on_premises else (),
            store=on_premises.store_reach if on_premises else None,
            interruption_queue=karpenter.queue_name,
            alert_receivers=sender.receivers,
            disk=_disk(cloud, keys),
            registries=registry.mirrors,
            controller_replicas=min(2, cloud.cluster.system.min_nodes),
            controllers_depend_on=[*cluster.ready, *karpenter.ready, *registry.ready, *sender.ready],
        ),
    )
    gpu_pools = Pools(
        "pools",
        PoolsArgs(
            account,
            handling,
            cluster,
            network,
            cloud.cluster.pools,
            disk_key_arn=keys.cluster,
            instance_profile=karpenter.instance_profile,
            karpenter=platform.node_controllers,
        ),
        opts,
    )
    at_site = joined.ready if joined else []
    return replace(gpus, platform=[*platform.ready, *at_site, granted], nodes=gpu_pools.ready)


def _disk(cloud: Aws, keys: Keys) -> Disk | None:
    """Of metrics, where a node that goes is sure to be followed by one in the same zone: a disk stays in its own.

    The managed group has a node in each zone, or Karpenter makes one where the disk is.
    """
    system = cloud.cluster.system
    grows = system.max_nodes > system.min_nodes
    if not grows and system.min_nodes < len(geography.region(cloud.region).zones):
        return None
    return Disk("ebs.csi.aws.com", {"type": "gp3", "encrypted": "true", "kmsKeyId": keys.cluster})


def _network(
    name: str,
    cloud: Aws,
    account: Account,
    handling: Handling,
    keys: Keys,
    existing: Found | None,
    watched: bool,
    opts: pulumi.ResourceOptions,
) -> AnyNetwork:
    """The VPC of the stack's own, or the one that exists already."""
    if existing:
        return ExistingNetwork("network", account, existing, opts)
    return Network(
        "network",
        NetworkArgs(
            account,
            handling,
            cluster_name=name,
            cidr=cloud.network.cidr,
            zones=geography.region(cloud.region).zones,
            logs_key_arn=keys.logs,
            flow_log_days=cloud.network.flow_log_days,
            nat_per_zone=cloud.network.nat_per_zone,
            endpoints_per_zone=cloud.network.nat_per_zone,
            endpoints=[service for service in ENDPOINTS if watched or service != GUARDDUTY],
        ),
        opts,
    )


def _needs(name: str, cloud: Aws) -> Needs:
    """The zones of each pool's machines, and the nodes of all pools."""
    chosen = {pool.name: choose_for(cloud.region, pool) for pool in cloud.cluster.pools}
    zones = {
        pool.name: frozenset([pool.zone] if pool.zone else chosen[pool.name].zones)
        for pool in cloud.cluster.pools
    }
    nodes = sum(pool.most_nodes for pool in cloud.cluster.pools) + cloud.cluster.system.max_nodes
    return Needs(zones, nodes, name)


def _reachable(network: AnyNetwork, replica: Elsewhere | None) -> pulumi.Output[list[str]]:
    """What workloads may reach over HTTPS: what the network has, and after a failover the other region's S3.

    Not before one: that S3 is reached through NAT, where no endpoint's policy keeps data from the buckets of other
    accounts. Until then S3 replicates by itself, and no pod has business there.
    """
    nowhere: list[str] = []
    away = replica is not None and replica.failover
    elsewhere = replica.s3_cidrs if replica and away else pulumi.Output.from_input(nowhere)
    return pulumi.Output.all(network.https_cidrs, elsewhere).apply(lambda both: [*both[0], *both[1]])
