"""The platform of a stack, top to bottom: settings in, platform out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pulumi
import pulumi_aws as aws
import pulumi_gcp as gcp

from infra import catalog, geography, interfaces, settings
from infra.aws import pools, tags
from infra.aws.access import Access, AccessArgs, ClusterAccess, ClusterAccessArgs
from infra.aws.audit import Audit, AuditArgs
from infra.aws.cluster import Cluster, ClusterArgs
from infra.aws.deployer import deployer_arn
from infra.aws.iam import Account
from infra.aws.karpenter import Karpenter, KarpenterArgs
from infra.aws.keys import Keys, KeysArgs
from infra.aws.lake import Lake, LakeArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.pools import Pools, PoolsArgs
from infra.aws.replica import Replica, ReplicaArgs
from infra.aws.tags import Handling
from infra.budget import Budget
from infra.gcp import access as gcp_access
from infra.gcp import audit as gcp_audit
from infra.gcp import bucket as gcp_bucket
from infra.gcp import cluster as gcp_cluster
from infra.gcp import iam as gcp_iam
from infra.gcp import keys as gcp_keys
from infra.gcp import lake as gcp_lake
from infra.gcp import network as gcp_network
from infra.gcp import org as gcp_org
from infra.gcp import pools as gcp_pools
from infra.gcp import tags as gcp_tags
from infra.grants import KUBERNETES_GROUPS
from infra.platform.platform import Platform, PlatformArgs
from infra.settings import Aws, Gcp, Settings, Workloads
from workloads.serving.component import ModelServer, ModelServerArgs
from workloads.training.component import TrainingJob, TrainingJobArgs


@dataclass(frozen=True)
class Site:
    """What a stack has in one region: where workloads run, and where their data is."""

    cluster: interfaces.GpuCluster
    lake: interfaces.Lake


def run() -> None:
    """Read the running stack's settings, refuse what is wrong in them, and make everything they ask for."""
    said = settings.load(pulumi.Config(), catalog.check_offered)
    Budget("budget", said)
    sites = []
    if said.aws:
        sites.append(on_aws(said, said.aws))
    if said.gcp:
        sites.append(on_gcp(said, said.gcp))
    run_workloads(said.workloads, sites)
    for site in sites:
        export(site)


def on_aws(said: Settings, cloud: Aws) -> Site:
    """The platform in one AWS region: data and its keys, network, cluster, operators, GPU pools, audit."""
    name = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    provider = aws.Provider(
        "aws",
        region=cloud.region,
        default_tags={"tags": tags.defaults(pulumi.get_project(), pulumi.get_stack(), said.owner)},
    )
    opts = pulumi.ResourceOptions(provider=provider)
    account = Account.current(cloud.region, pulumi.InvokeOptions(provider=provider))
    handling = Handling(said.data_class, said.owner, said.purpose, said.retention_days)

    keys = Keys("keys", KeysArgs(account, handling, name, trail_name=name, protect=cloud.protect_data), opts)
    lake = Lake(
        "lake",
        LakeArgs(account, handling, keys.lake, keys.logs, trail_name=name, protect=cloud.protect_data),
        opts,
    )
    replica = _replica(name, said, cloud, account, handling, lake, keys, provider)
    audit = AuditArgs(
        account, handling, lake.lake, keys.logs, name, cloud.audit.guardduty, cloud.audit.alert_emails
    )
    Audit("audit", audit, opts)
    network = Network(
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
        ),
        opts,
    )
    cluster = Cluster(
        "cluster",
        ClusterArgs(
            account,
            handling,
            name=name,
            version=cloud.cluster.version,
            network=network,
            deployer_arn=deployer_arn(pulumi.InvokeOptions(provider=provider)),
            cluster_key_arn=keys.cluster,
            logs_key_arn=keys.logs,
            system=cloud.cluster.system,
            log_days=handling.log_days,
            deletion_protection=cloud.cluster.deletion_protection,
        ),
        opts,
    )
    gpus = _operate(name, cloud, account, handling, keys, lake, replica, network, cluster, opts)
    return Site(gpus, replica.lake if replica and replica.failover else lake.lake)


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
    network: Network,
    cluster: Cluster,
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
    gpus = interfaces.GpuCluster(
        name=name,
        cloud="aws",
        region=cloud.region,
        resource=cluster.resource,
        provider=cluster.provider,
        pools=pools.describe(cloud.region, cloud.cluster.pools),
    )
    platform = Platform(
        "platform",
        PlatformArgs(
            cluster=gpus,
            cluster_name=cluster.name,
            https_cidrs=_reachable(network, replica),
            interruption_queue=karpenter.queue_name,
            controller_replicas=min(2, cloud.cluster.system.min_nodes),
            controllers_depend_on=[*cluster.ready, *karpenter.ready],
        ),
    )
    nodes = Pools(
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
    return replace(gpus, platform=[*platform.ready, *nodes.ready, granted])


def _reachable(network: Network, replica: Elsewhere | None) -> pulumi.Output[list[str]]:
    """What workloads may reach over HTTPS: the VPC with its endpoints, and S3, whose gateway keeps public addresses; of
    the other region's S3 too, which is reached through NAT."""
    nowhere: list[str] = []
    elsewhere = replica.s3_cidrs if replica else pulumi.Output.from_input(nowhere)
    return pulumi.Output.all(network.endpoints.s3.cidr_blocks, elsewhere).apply(
        lambda both: [network.cidr, *(both[0] or ()), *both[1]]
    )


def on_gcp(said: Settings, cloud: Gcp) -> Site:
    """The platform in one region of Google Cloud: data and its keys, audit, network, cluster, operators, GPU pools."""
    # Not as on AWS: people have both clusters in one kubeconfig.
    name = f"{pulumi.get_project()}-{pulumi.get_stack()}-gcp"
    provider = gcp.Provider(
        "gcp",
        project=cloud.project,
        region=cloud.region,
        default_labels=gcp_tags.defaults(pulumi.get_project(), pulumi.get_stack(), said.owner),
    )
    opts = pulumi.ResourceOptions(provider=provider)
    project = gcp_iam.Project.current(cloud.project, cloud.region, pulumi.InvokeOptions(provider=provider))
    handling = Handling(said.data_class, said.owner, said.purpose, said.retention_days)
    protect, both = cloud.protect_data, cloud.lake.dual_region
    if cloud.org:
        gcp_org.Org("org", gcp_org.OrgArgs(cloud.org.folder, cloud.project, cloud.region, both), opts)

    lake_location = gcp_bucket.DUAL_REGION.lower() if both else None
    keys = gcp_keys.Keys("keys", gcp_keys.KeysArgs(project, handling, name, protect, lake_location), opts)
    lake = gcp_lake.Lake(
        "lake", gcp_lake.LakeArgs(project, handling, keys.lake, keys.logs, both, protect), opts
    )
    days, emails = cloud.network.flow_log_days, cloud.audit.alert_emails
    gcp_audit.Audit(
        "audit", gcp_audit.AuditArgs(project, handling, lake.lake, keys.logs, name, days, emails), opts
    )
    cidrs = (cloud.network.cidr, cloud.network.pods_cidr, cloud.network.services_cidr)
    network = gcp_network.Network("network", gcp_network.NetworkArgs(project, name, *cidrs), opts)
    cluster = gcp_cluster.Cluster(
        "cluster",
        gcp_cluster.ClusterArgs(
            project,
            handling,
            name=name,
            version=cloud.cluster.version,
            network=network,
            cluster_key=keys.cluster,
            system=cloud.cluster.system,
            groups_domain=gcp_access.groups_domain(_google_people(cloud)),
            multi_networking=any(pool.fabric != "none" for pool in cloud.cluster.pools),
            deletion_protection=cloud.cluster.deletion_protection,
        ),
        opts,
    )
    return Site(_operate_gcp(cloud, project, handling, keys, lake, network, cluster, opts), lake.lake)


def _google_people(cloud: Gcp) -> dict[str, list[str]]:
    return {
        "data-engineer": cloud.access.data_engineers,
        "ml-engineer": cloud.access.ml_engineers,
        "auditor": cloud.access.auditors,
    }


def _operate_gcp(
    cloud: Gcp,
    project: gcp_iam.Project,
    handling: Handling,
    keys: gcp_keys.Keys,
    lake: gcp_lake.Lake,
    network: gcp_network.Network,
    cluster: gcp_cluster.Cluster,
    opts: pulumi.ResourceOptions,
) -> interfaces.GpuCluster:
    """People's and pods' access to the data and the cluster, its operators and its GPU pools."""
    people = _google_people(cloud)
    access = gcp_access.Access(
        "access", gcp_access.AccessArgs(project, lake.lake, lake.access_logs, people), opts
    )
    gpus = interfaces.GpuCluster(
        name=cluster.args.name,
        cloud="gcp",
        region=cloud.region,
        resource=cluster.resource,
        provider=cluster.provider,
        pools=gcp_pools.describe(cloud.region, cloud.cluster.pools),
    )
    platform = Platform(
        "platform",
        PlatformArgs(
            cluster=gpus,
            cluster_name=cluster.name,
            https_cidrs=network.https_cidrs,
            people={KUBERNETES_GROUPS[person]: members for person, members in people.items()},
            controllers_depend_on=cluster.ready,
        ),
        # What runs in a cluster has the same names on every cloud, and is told apart by what it is part of.
        pulumi.ResourceOptions(parent=cluster),
    )
    nodes = gcp_pools.Pools(
        "pools", gcp_pools.PoolsArgs(project, handling, cluster, cloud.cluster.pools, keys.cluster), opts
    )
    return replace(gpus, platform=[*platform.ready, *nodes.ready, *access.ready])


def run_workloads(asked: Workloads, sites: Sequence[Site]) -> None:
    """The training job and the model server that the settings ask for, each where its pool is."""
    if train := asked.training:
        site = _site_of(train.pool, sites)
        TrainingJob(
            train.name,
            TrainingJobArgs(
                cluster=site.cluster,
                pool=train.pool,
                nodes=train.nodes,
                gpus_per_node=train.gpus_per_node,
                image=train.image,
                checkpoint_uri=pulumi.Output.concat(site.lake["checkpoints"].uri, "/jobs/", train.name),
            ),
        )
    if serve := asked.serving:
        server = ModelServer(
            serve.name,
            ModelServerArgs(
                cluster=_site_of(serve.pool, sites).cluster,
                pool=serve.pool,
                model=serve.model,
                replicas=serve.replicas,
                gpus=serve.gpus,
            ),
        )
        pulumi.export("modelServerUrl", server.url)


def _site_of(pool: str, sites: Sequence[Site]) -> Site:
    """Where a pool is; the settings refuse a workload on a pool that is nowhere."""
    return next(site for site in sites if pool in site.cluster.pools)


def export(site: Site) -> None:
    """The names of a site's cluster and buckets: `cluster` and `buckets` on AWS, `gcpCluster` and `gcpBuckets`."""
    cluster, buckets = ("cluster", "buckets") if site.cluster.cloud == "aws" else ("gcpCluster", "gcpBuckets")
    pulumi.export(cluster, site.cluster.name)
    pulumi.export(buckets, {role: bucket.name for role, bucket in site.lake.buckets.items()})
