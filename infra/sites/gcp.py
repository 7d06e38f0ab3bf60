"""The platform in one region of Google Cloud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pulumi
import pulumi_gcp as gcp

from infra import contracts
from infra.contracts.governance import DataGovernance
from infra.contracts.grants import KUBERNETES_GROUPS
from infra.contracts.needs import WorkloadNeeds, on
from infra.contracts.site import Site
from infra.gcp import access as gcp_access
from infra.gcp import audit as gcp_audit
from infra.gcp import bucket as gcp_bucket
from infra.gcp import budget as gcp_budget
from infra.gcp import cluster as gcp_cluster
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
from infra.gcp.existing_network import AnyNetwork, ExistingNetwork, Found, Needs, look
from infra.platform.managed_prometheus import rules_of_cluster
from infra.platform.opencost import price_sheet
from infra.platform.platform import Platform, PlatformArgs
from infra.platform.storage import Disk
from infra.settings import Settings
from infra.settings.cross_checks import GOOGLE_FABRIC_CIDR
from infra.settings.gcp import Gcp, GoogleClusterAccess
from infra.settings.stack import Currency


def site(said: Settings, cloud: Gcp, needs: Sequence[WorkloadNeeds]) -> Site:
    """The platform in one region of Google Cloud: data and its keys, audit, network, cluster, operators, GPU pools."""
    needs = on({"gcp"}, needs)
    # Not as on AWS: people have both clusters in one kubeconfig.
    name = f"{pulumi.get_project()}-{pulumi.get_stack()}-gcp"
    provider = gcp.Provider(
        "gcp",
        project=cloud.project,
        region=cloud.region,
        default_labels=gcp_tags.defaults(pulumi.get_project(), pulumi.get_stack(), said.owner),
        # A person's login has no project that its calls count against, and some APIs (orgpolicy) then refuse them
        # ("Set the quota project").
        billing_project=cloud.project,
        user_project_override=True,
    )
    opts = pulumi.ResourceOptions(provider=provider)
    # Before anything is made: whoever is not let in to the cluster could not finish.
    gcp_deployer.check(cloud.cluster.access.deployers, provider)
    existing = _existing(said, cloud, provider)
    project = gcp_iam.Project.current(cloud.project, cloud.region, pulumi.InvokeOptions(provider=provider))
    handling = DataGovernance(said.data_class, said.owner, said.purpose, said.retention_days)
    protect, both = cloud.protect_data, cloud.lake.dual_region
    if cloud.org:
        gcp_org.Org("org", gcp_org.OrgArgs(cloud.org.folder, cloud.project, cloud.region, both), opts)

    lake_location = gcp_bucket.DUAL_REGION.lower() if both else None
    keys = gcp_keys.Keys("keys", gcp_keys.KeysArgs(project, handling, name, protect, lake_location), opts)
    lake = gcp_lake.Lake(
        "lake", gcp_lake.LakeArgs(project, handling, keys.lake, keys.logs, both, protect), opts
    )
    audit = gcp_audit.Audit(
        "audit",
        gcp_audit.AuditArgs(
            project,
            handling,
            lake.lake,
            keys.logs,
            name,
            log_days=cloud.network.flow_log_days,
            alert_emails=cloud.audit.alert_emails,
            default_sink=cloud.audit.default_sink,
        ),
        opts,
    )
    gcp_metric_alerts.MetricAlerts(
        "metric-alerts",
        gcp_metric_alerts.MetricAlertsArgs(
            project, name, rules_of_cluster(needs, name, cloud.region), audit.channels
        ),
        opts,
    )
    if cloud.billing_account and audit.channels:
        gcp_budget.SpendBudget(
            "spend-budget",
            gcp_budget.SpendBudgetArgs(
                project, name, cloud.billing_account, said.monthly_inr("gcp"), audit.channels
            ),
            opts,
        )
    network = _network(name, cloud, project, existing, opts)
    host = _jump_host(name, cloud, project, handling, network, keys, opts)
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
            # From the start, so that a first pool with a fabric is an addition to a cluster that is up.
            multi_networking=True,
            deletion_protection=cloud.cluster.deletion_protection,
            reach=_reach(cloud.cluster.access),
        ),
        opts,
    )
    gpus = _operate(cloud, project, handling, keys, lake, network, cluster, said.currency, needs, opts)
    registry = f"{cloud.region}-docker.pkg.dev/{cloud.project}"
    return Site(gpus, lake.lake, registry, tunnel=host.tunnel if host else None)


def _existing(said: Settings, cloud: Gcp, provider: gcp.Provider) -> Found | None:
    """The VPC that exists already, if the stack names one, and it will do."""
    asked = cloud.network.existing
    if asked is None:
        return None
    nodes = sum(pool.most_nodes for pool in cloud.cluster.pools) + cloud.cluster.system.max_nodes
    others = {}
    if said.aws and not said.aws.network.existing:
        others["aws.network.cidr"] = said.aws.network.cidr
    if any(pool.fabric != "none" for pool in cloud.cluster.pools):
        others["the networks of the fabric"] = GOOGLE_FABRIC_CIDR
    return look(asked, cloud.project, Needs(cloud.region, nodes, others), provider)


def _network(
    name: str,
    cloud: Gcp,
    project: gcp_iam.Project,
    existing: Found | None,
    opts: pulumi.ResourceOptions,
) -> AnyNetwork:
    """The VPC of the stack's own, or the one that exists already."""
    if existing:
        return ExistingNetwork("network", existing, opts)
    cidrs = (cloud.network.cidr, cloud.network.pods_cidr, cloud.network.services_cidr)
    return gcp_network.Network("network", gcp_network.NetworkArgs(project, name, *cidrs), opts)


def _jump_host(
    name: str,
    cloud: Gcp,
    project: gcp_iam.Project,
    handling: DataGovernance,
    network: AnyNetwork,
    keys: gcp_keys.Keys,
    opts: pulumi.ResourceOptions,
) -> gcp_jump_host.JumpHost | None:
    asked = cloud.cluster.access
    if not asked.jump_host:
        return None
    args = gcp_jump_host.JumpHostArgs(project, handling, name, network, keys.cluster, asked.deployers)
    return gcp_jump_host.JumpHost("jump-host", args, opts)


def _reach(asked: GoogleClusterAccess) -> gcp_cluster.Reach:
    """Who reaches the API server. The program itself goes through the tunnel only where it has no direct way."""
    proxy = gcp_jump_host.PROXY_URL if asked.tunnel else None
    return gcp_cluster.Reach(asked.cidrs, asked.dns_endpoint, proxy, asked.deployers)


def _google_people(cloud: Gcp) -> dict[str, list[str]]:
    return {
        "data-engineer": cloud.access.data_engineers,
        "ml-engineer": cloud.access.ml_engineers,
        "auditor": cloud.access.auditors,
    }


def _operate(
    cloud: Gcp,
    project: gcp_iam.Project,
    handling: DataGovernance,
    keys: gcp_keys.Keys,
    lake: gcp_lake.Lake,
    network: AnyNetwork,
    cluster: gcp_cluster.Cluster,
    currency: Currency,
    needs: Sequence[WorkloadNeeds],
    opts: pulumi.ResourceOptions,
) -> contracts.GpuCluster:
    """People's and pods' access to the data and the cluster, its operators and its GPU pools."""
    people = _google_people(cloud)
    access = gcp_access.Access(
        "access", gcp_access.AccessArgs(project, lake.lake, cluster.resource, people, needs), opts
    )
    registry = gcp_registry.Registry(
        "registry",
        gcp_registry.RegistryArgs(project, cluster.args.name, cloud.registries, keys.cluster),
        opts,
    )
    gpus = contracts.GpuCluster(
        name=cluster.args.name,
        cloud="gcp",
        region=cloud.region,
        resource=cluster.resource,
        provider=cluster.provider,
        pools=gcp_pools.describe(cloud.region, cloud.cluster.version, cloud.cluster.pools),
        mirrors=registry.mirrors,
    )
    platform = Platform(
        "platform",
        PlatformArgs(
            cluster=gpus,
            cluster_name=cluster.name,
            https_cidrs=network.https_cidrs,
            workloads=needs,
            data_class=handling.data_class,
            people={KUBERNETES_GROUPS[person]: members for person, members in people.items()},
            prices=price_sheet(
                cloud.region, cloud.cluster.pools, cloud.cluster.system.machine_type, currency
            ),
            # Of the cluster's key, as the nodes' own disks: Compute Engine's agent may use it already.
            disk=Disk(
                "pd.csi.storage.gke.io", {"type": "pd-balanced", "disk-encryption-kms-key": keys.cluster}
            ),
            registries=registry.mirrors,
            controllers_depend_on=[*cluster.ready, *registry.ready],
        ),
        # What runs in a cluster has the same names on every cloud, and is told apart by what it is part of.
        pulumi.ResourceOptions(parent=cluster),
    )
    nodes = gcp_pools.Pools(
        "pools", gcp_pools.PoolsArgs(project, handling, cluster, cloud.cluster.pools, keys.cluster), opts
    )
    return replace(gpus, platform=[*platform.ready, *access.ready], nodes=nodes.ready)
