"""A GPU cluster on Google Cloud: keys, network, GKE, operators, pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pulumi

from india_ai_infra.in_cluster import InCluster, Made
from india_ai_infra.providers import provider_of
from infra import contracts
from infra.catalog.resolved import ResolvedPool, resolve
from infra.contracts.governance import DataGovernance
from infra.gcp import deployer, pools
from infra.gcp.cluster import Cluster, ClusterArgs
from infra.gcp.existing_network import ExistingNetwork
from infra.gcp.iam import Project
from infra.gcp.jump_host import JumpHost, JumpHostArgs
from infra.gcp.keys import Keys, KeysArgs
from infra.gcp.network import Network, NetworkArgs
from infra.gcp.platform_profile import PROFILE
from infra.gcp.pod_environment import LAKE_ENVIRONMENT
from infra.gcp.pools import Pools, PoolsArgs
from infra.platform.opencost import price_sheet
from infra.platform.platform import Platform, PlatformArgs
from infra.settings.gcp import Gcp
from infra.settings.google_pools import GooglePool
from infra.settings.stack import Settings
from infra.sites.gcp import disk, find_existing, reach


def build(self: pulumi.ComponentResource, name: str, asked: Settings) -> Made:
    """Make the cluster as children of `self`.

    Raises:
        SettingsError: Google knows better, of its network or who runs the program.
    """
    cloud = asked.gcp
    assert cloud, "the region is one of Google"
    # As in a stack of the platform: people have the clusters of both clouds in one kubeconfig.
    child, called = pulumi.ResourceOptions(parent=self), f"{name}-{pulumi.get_stack()}-gcp"
    provider, access = provider_of(self, "gcp"), cloud.cluster.access
    deployer.check(access.deployers, provider)
    resolved = [resolve(cloud.region, pool) for pool in cloud.cluster.pools]
    found = find_existing(asked, cloud, provider)
    project = Project.current(cloud.project, cloud.region, pulumi.InvokeOptions(parent=self))
    governance = DataGovernance(asked.data_class, asked.owner, asked.purpose, asked.retention_days)
    keys = Keys(
        f"{name}-keys", KeysArgs(project, governance, called, protect=False, uses=("cluster",)), child
    )
    cidrs = (cloud.network.cidr, cloud.network.pods_cidr, cloud.network.services_cidr)
    network = (
        ExistingNetwork(f"{name}-network", found, child)
        if found
        else Network(f"{name}-network", NetworkArgs(project, called, *cidrs), child)
    )
    host = None
    if access.jump_host:
        args = JumpHostArgs(project, governance, called, network, keys.cluster, access.deployers)
        host = JumpHost(f"{name}-jump-host", args, child)
    cluster = Cluster(
        name,
        ClusterArgs(
            project,
            governance,
            name=called,
            version=cloud.cluster.version,
            network=network,
            cluster_key=keys.cluster,
            system=cloud.cluster.system,
            # From the start, so that a first pool with a fabric is an addition to a cluster that is up.
            multi_networking=True,
            deletion_protection=cloud.cluster.deletion_protection,
            reach=reach(access),
        ),
        child,
    )
    gpus = _cluster_services(self, name, asked, cloud, resolved, keys, cluster)
    return Made(gpus, cluster.name, cluster.endpoint, cluster.kubeconfig, host.tunnel if host else None)


def _cluster_services(
    self: pulumi.ComponentResource,
    name: str,
    asked: Settings,
    cloud: Gcp,
    resolved: Sequence[ResolvedPool[GooglePool]],
    keys: Keys,
    cluster: Cluster,
) -> contracts.GpuCluster:
    """The operators and the pools."""
    args = cluster.args
    gpus = contracts.GpuCluster(
        name=args.name,
        region=cloud.region,
        resource=cluster.resource,
        provider=cluster.provider,
        pools=pools.describe(cloud.cluster.version, resolved),
        environment=LAKE_ENVIRONMENT,
    )
    platform = Platform(
        f"{name}-platform",
        PlatformArgs(
            profile=PROFILE,
            cluster=gpus,
            cluster_name=cluster.name,
            https_cidrs=args.network.https_cidrs,
            data_class=args.governance.data_class,
            prices=price_sheet(
                PROFILE, cloud.region, resolved, cloud.cluster.system.machine_type, asked.currency
            ),
            disk=disk(keys),
            controllers_depend_on=cluster.ready,
        ),
        pulumi.ResourceOptions(parent=InCluster(name, cluster)),
    )
    made = Pools(
        f"{name}-pools",
        PoolsArgs(args.project, args.governance, cluster, resolved, keys.cluster),
        pulumi.ResourceOptions(parent=self),
    )
    return replace(gpus, platform=platform.ready, nodes=made.ready)
