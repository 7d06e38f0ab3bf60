"""The platform in one region of Google Cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pulumi
import pulumi_gcp as gcp

from infra import contracts
from infra.catalog.resolved import ResolvedPool
from infra.contracts.database import Database
from infra.contracts.governance import DataGovernance
from infra.contracts.grants import KUBERNETES_GROUPS, by_role
from infra.contracts.needs import WorkloadNeeds, on
from infra.contracts.site import Site
from infra.gcp import access as gcp_access
from infra.gcp import audit as gcp_audit
from infra.gcp import bucket as gcp_bucket
from infra.gcp import budget as gcp_budget
from infra.gcp import cluster as gcp_cluster
from infra.gcp import database as gcp_database
from infra.gcp import deployer as gcp_deployer
from infra.gcp import iam as gcp_iam
from infra.gcp import jump_host as gcp_jump_host
from infra.gcp import keys as gcp_keys
from infra.gcp import lake as gcp_lake
from infra.gcp import metric_alerts as gcp_metric_alerts
from infra.gcp import network as gcp_network
from infra.gcp import org as gcp_org
from infra.gcp import pools as gcp_pools
from infra.gcp import registry as gcp_registry
from infra.gcp import tags as gcp_tags
from infra.gcp.existing_network import AnyNetwork, ExistingNetwork, Needs, NetworkFacts, look
from infra.gcp.platform_profile import PROFILE
from infra.gcp.pod_environment import LAKE_ENVIRONMENT
from infra.platform.managed_prometheus import rules_of_cluster
from infra.platform.opencost import price_sheet
from infra.platform.platform import Platform, PlatformArgs
from infra.platform.storage import Disk
from infra.settings.cross_checks import GOOGLE_FABRIC_CIDR
from infra.settings.gcp import Gcp, GoogleClusterAccess
from infra.settings.google_pools import GooglePool
from infra.settings.stack import Settings
from infra.sites.databases import with_database


@dataclass(frozen=True)
class Foundation:
    """What the whole site stands on. `name` is that of the cluster, and the start of other names in the project;
    `needs` are of the workloads that may run here; `opts` names the provider of the region."""

    name: str
    settings: Settings
    cloud: Gcp
    pools: Sequence[ResolvedPool[GooglePool]]
    needs: Sequence[WorkloadNeeds]
    project: gcp_iam.Project
    governance: DataGovernance
    keys: gcp_keys.Keys
    lake: gcp_lake.Lake
    opts: pulumi.ResourceOptions


def site(
    settings: Settings, cloud: Gcp, pools: Sequence[ResolvedPool[GooglePool]], needs: Sequence[WorkloadNeeds]
) -> Site:
    """The platform in one region of Google Cloud: data and its keys, audit, network, cluster, operators, GPU pools."""
    provider = gcp.Provider(
        "gcp",
        project=cloud.project,
        region=cloud.region,
        default_labels=gcp_tags.defaults(pulumi.get_project(), pulumi.get_stack(), settings.owner),
        # A person's login has no project that its calls count against, and some APIs (orgpolicy) then refuse them
        # ("Set the quota project").
        billing_project=cloud.project,
        user_project_override=True,
    )
    # Before anything is made: whoever is not let in to the cluster could not finish.
    gcp_deployer.check(cloud.cluster.access.deployers, provider)
    existing = find_existing(settings, cloud, provider)
    base = _foundation(settings, cloud, pools, on({"gcp"}, needs), provider)
    audit = _audit(base)
    _metric_alerts(base, audit)
    _spend_budget(base, audit)
    network = _network(base, existing)
    host = _jump_host(base, network)
    cluster = _cluster(base, network)
    gpus = _cluster_services(base, network, cluster, _databases(base, network))
    registry = f"{cloud.region}-docker.pkg.dev/{cloud.project}"
    return Site(gpus, base.lake.lake, registry, tunnel=host.tunnel if host else None)


def _foundation(
    settings: Settings,
    cloud: Gcp,
    pools: Sequence[ResolvedPool[GooglePool]],
    needs: Sequence[WorkloadNeeds],
    provider: gcp.Provider,
) -> Foundation:
    """The data, its keys, and who and what everything else is made for."""
    # Not as on AWS: people have both clusters in one kubeconfig.
    name = f"{pulumi.get_project()}-{pulumi.get_stack()}-gcp"
    opts = pulumi.ResourceOptions(provider=provider)
    project = gcp_iam.Project.current(cloud.project, cloud.region, pulumi.InvokeOptions(provider=provider))
    governance = DataGovernance(
        settings.data_class, settings.owner, settings.purpose, settings.retention_days
    )
    protect, both = cloud.protect_data, cloud.lake.dual_region
    if cloud.org:
        gcp_org.Org("org", gcp_org.OrgArgs(cloud.org.folder, cloud.project, cloud.region, both), opts)
    lake_location = gcp_bucket.DUAL_REGION.lower() if both else None
    uses = gcp_keys.EVERY_STACKS
    if with_database(settings, "gcp", needs):
        uses = (*uses, gcp_keys.DATABASE)
    keys_args = gcp_keys.KeysArgs(project, governance, name, protect, lake_location, uses)
    keys = gcp_keys.Keys("keys", keys_args, opts)
    lake_args = gcp_lake.LakeArgs(project, governance, keys.lake, keys.logs, both, protect)
    lake = gcp_lake.Lake("lake", lake_args, opts)
    return Foundation(name, settings, cloud, pools, needs, project, governance, keys, lake, opts)


def _audit(base: Foundation) -> gcp_audit.Audit:
    args = gcp_audit.AuditArgs(
        base.project,
        base.governance,
        base.lake.lake,
        base.keys.logs,
        base.name,
        log_days=base.cloud.network.flow_log_days,
        alert_emails=base.cloud.audit.alert_emails,
        default_sink=base.cloud.audit.default_sink,
    )
    return gcp_audit.Audit("audit", args, base.opts)


def _metric_alerts(base: Foundation, audit: gcp_audit.Audit) -> None:
    rules = rules_of_cluster(base.needs, base.name, base.cloud.region)
    args = gcp_metric_alerts.MetricAlertsArgs(base.project, base.name, rules, audit.channels)
    gcp_metric_alerts.MetricAlerts("metric-alerts", args, base.opts)


def _spend_budget(base: Foundation, audit: gcp_audit.Audit) -> None:
    """The month's budget on the account that pays, where there is somebody to tell."""
    account = base.cloud.billing_account
    if account and audit.channels:
        monthly_inr = base.settings.monthly_inr("gcp")
        args = gcp_budget.SpendBudgetArgs(base.project, base.name, account, monthly_inr, audit.channels)
        gcp_budget.SpendBudget("spend-budget", args, base.opts)


def _cluster(base: Foundation, network: AnyNetwork) -> gcp_cluster.Cluster:
    asked = base.cloud.cluster
    args = gcp_cluster.ClusterArgs(
        base.project,
        base.governance,
        name=base.name,
        version=asked.version,
        network=network,
        cluster_key=base.keys.cluster,
        system=asked.system,
        groups_domain=gcp_access.groups_domain(by_role(base.cloud.access)),
        # From the start, so that a first pool with a fabric is an addition to a cluster that is up.
        multi_networking=True,
        deletion_protection=asked.deletion_protection,
        reach=reach(asked.access),
    )
    return gcp_cluster.Cluster("cluster", args, base.opts)


def find_existing(
    settings: Settings, cloud: Gcp, provider: pulumi.ProviderResource | None
) -> NetworkFacts | None:
    """The VPC that exists already, if the stack names one, and it will do."""
    asked = cloud.network.existing
    if asked is None:
        return None
    nodes = sum(pool.most_nodes for pool in cloud.cluster.pools) + cloud.cluster.system.max_nodes
    others = {}
    if settings.aws and not settings.aws.network.existing:
        others["aws.network.cidr"] = settings.aws.network.cidr
    if any(pool.fabric != "none" for pool in cloud.cluster.pools):
        others["the networks of the fabric"] = GOOGLE_FABRIC_CIDR
    return look(asked, cloud.project, Needs(cloud.region, nodes, others), provider)


def disk(keys: gcp_keys.Keys) -> Disk:
    """Of the cluster's key, as the nodes' own disks: Compute Engine's agent may use it already."""
    return Disk("pd.csi.storage.gke.io", {"type": "pd-balanced", "disk-encryption-kms-key": keys.cluster})


def _network(base: Foundation, existing: NetworkFacts | None) -> AnyNetwork:
    """The VPC of the stack's own, or the one that exists already."""
    if existing:
        return ExistingNetwork("network", existing, base.opts)
    asked = base.cloud.network
    cidrs = (asked.cidr, asked.pods_cidr, asked.services_cidr)
    return gcp_network.Network("network", gcp_network.NetworkArgs(base.project, base.name, *cidrs), base.opts)


def _jump_host(base: Foundation, network: AnyNetwork) -> gcp_jump_host.JumpHost | None:
    asked = base.cloud.cluster.access
    if not asked.jump_host:
        return None
    args = gcp_jump_host.JumpHostArgs(
        base.project, base.governance, base.name, network, base.keys.cluster, asked.deployers
    )
    return gcp_jump_host.JumpHost("jump-host", args, base.opts)


def reach(asked: GoogleClusterAccess) -> gcp_cluster.Reach:
    """Who reaches the API server. The program itself goes through the tunnel only where it has no direct way."""
    proxy = gcp_jump_host.PROXY_URL if asked.tunnel else None
    return gcp_cluster.Reach(asked.cidrs, asked.dns_endpoint, proxy, asked.deployers)


def _databases(base: Foundation, network: AnyNetwork) -> Mapping[str, Database]:
    """Those of the workloads that need one, by the workload's name."""
    workloads = with_database(base.settings, "gcp", base.needs)
    if not workloads:
        return {}
    args = gcp_database.DatabasesArgs(
        base.project,
        base.governance,
        base.name,
        network,
        base.cloud.database,
        workloads,
        base.keys.database,
        base.cloud.protect_data,
    )
    return gcp_database.Databases("databases", args, base.opts).by_workload


def _cluster_services(
    base: Foundation,
    network: AnyNetwork,
    cluster: gcp_cluster.Cluster,
    databases: Mapping[str, Database],
) -> contracts.GpuCluster:
    """People's and pods' access to the data and the cluster, its operators and its GPU pools."""
    cloud, people = base.cloud, by_role(base.cloud.access)
    access_args = gcp_access.AccessArgs(base.project, base.lake.lake, cluster.resource, people, base.needs)
    access = gcp_access.Access("access", access_args, base.opts)
    registry_args = gcp_registry.RegistryArgs(
        base.project, cluster.args.name, cloud.registries, base.keys.cluster
    )
    registry = gcp_registry.Registry("registry", registry_args, base.opts)
    gpus = contracts.GpuCluster(
        name=cluster.args.name,
        region=cloud.region,
        resource=cluster.resource,
        provider=cluster.provider,
        pools=gcp_pools.describe(cloud.cluster.version, base.pools),
        mirrors=registry.mirrors,
        environment=LAKE_ENVIRONMENT,
    )
    platform_args = PlatformArgs(
        profile=PROFILE,
        cluster=gpus,
        cluster_name=cluster.name,
        https_cidrs=network.https_cidrs,
        workloads=base.needs,
        databases=databases,
        data_class=base.governance.data_class,
        people={KUBERNETES_GROUPS[person]: members for person, members in people.items()},
        prices=price_sheet(
            PROFILE, cloud.region, base.pools, cloud.cluster.system.machine_type, base.settings.currency
        ),
        disk=disk(base.keys),
        registries=registry.mirrors,
        controllers_depend_on=[*cluster.ready, *registry.ready],
    )
    # What runs in a cluster has the same names on every cloud, and is told apart by what it is part of.
    platform = Platform("platform", platform_args, pulumi.ResourceOptions(parent=cluster))
    pools_args = gcp_pools.PoolsArgs(base.project, base.governance, cluster, base.pools, base.keys.cluster)
    nodes = gcp_pools.Pools("pools", pools_args, base.opts)
    return replace(gpus, platform=[*platform.ready, *access.ready], nodes=nodes.ready)
