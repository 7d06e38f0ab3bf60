"""A GPU cluster on AWS: keys, network, EKS, Karpenter, operators, pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pulumi

from india_ai_infra.in_cluster import InCluster, Made
from india_ai_infra.providers import check_region, provider_of
from infra import contracts, geography
from infra.aws import pools
from infra.aws.cluster import Cluster, ClusterArgs
from infra.aws.deployer import administrators, caller
from infra.aws.endpoints import ENDPOINTS, GUARDDUTY
from infra.aws.existing_network import AnyNetwork, ExistingNetwork, look
from infra.aws.iam import Account
from infra.aws.jump_host import JumpHost, JumpHostArgs
from infra.aws.karpenter import Karpenter, KarpenterArgs
from infra.aws.keys import Keys, KeysArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.platform_profile import PROFILE
from infra.aws.pod_environment import lake_environment
from infra.aws.pools import Pools, PoolsArgs
from infra.catalog.resolved import ResolvedPool, resolve
from infra.contracts.governance import DataGovernance
from infra.platform.opencost import price_sheet
from infra.platform.platform import Platform, PlatformArgs
from infra.settings.aws import Aws
from infra.settings.aws_pools import AwsPool
from infra.settings.stack import Settings
from infra.sites.aws import disk, existing_needs, reach


def build(self: pulumi.ComponentResource, name: str, asked: Settings) -> Made:
    """Make the cluster as children of `self`.

    Raises:
        ArgumentsError, SettingsError: AWS knows better, of its region, its network or who runs the program.
    """
    cloud = asked.aws
    assert cloud, "the region is one of AWS"
    check_region(f"GpuCluster {name}", cloud.region, self)
    child, called = pulumi.ResourceOptions(parent=self), f"{name}-{pulumi.get_stack()}"
    provider = provider_of(self, "aws")
    deployers = administrators(cloud.cluster.access.deployers, caller(provider))
    resolved = [resolve(cloud.region, pool) for pool in cloud.cluster.pools]
    existing = cloud.network.existing
    found = look(existing, existing_needs(called, cloud, resolved), provider) if existing else None
    account = Account.current(cloud.region, pulumi.InvokeOptions(parent=self))
    governance = DataGovernance(asked.data_class, asked.owner, asked.purpose, asked.retention_days)
    keys = Keys(
        f"{name}-keys",
        KeysArgs(account, governance, called, called, protect=False, uses=("cluster", "logs")),
        child,
    )
    network = (
        ExistingNetwork(f"{name}-network", account, found, child)
        if found
        else _network(name, called, account, governance, keys, cloud, child)
    )
    host = None
    if cloud.cluster.access.jump_host:
        args = JumpHostArgs(governance, called, cloud.region, network, keys.cluster)
        host = JumpHost(f"{name}-jump-host", args, child)
    cluster = Cluster(
        name,
        ClusterArgs(
            account,
            governance,
            name=called,
            version=cloud.cluster.version,
            network=network,
            deployers=deployers,
            cluster_key_arn=keys.cluster,
            logs_key_arn=keys.logs,
            system=cloud.cluster.system,
            log_days=governance.log_days,
            deletion_protection=cloud.cluster.deletion_protection,
            # Whether the account has a detector is not the cluster's to know.
            guardduty=False,
            reach=reach(cloud.cluster.access, host),
        ),
        child,
    )
    within = [pool.within(network.zone_names) for pool in resolved]
    gpus = _cluster_services(self, name, asked, cloud, within, account, governance, keys, network, cluster)
    return Made(gpus, cluster.name, cluster.endpoint, cluster.kubeconfig, host.tunnel if host else None)


def _network(
    name: str,
    called: str,
    account: Account,
    governance: DataGovernance,
    keys: Keys,
    cloud: Aws,
    child: pulumi.ResourceOptions,
) -> Network:
    given = cloud.network
    args = NetworkArgs(
        account,
        governance,
        cluster_name=called,
        cidr=given.cidr,
        zones=geography.region(cloud.region).zones,
        logs_key_arn=keys.logs,
        flow_log_days=given.flow_log_days,
        nat_per_zone=given.nat_per_zone,
        endpoints_per_zone=given.nat_per_zone,
        endpoints=[service for service in ENDPOINTS if service != GUARDDUTY],
    )
    return Network(f"{name}-network", args, child)


def _cluster_services(
    self: pulumi.ComponentResource,
    name: str,
    asked: Settings,
    cloud: Aws,
    resolved: Sequence[ResolvedPool[AwsPool]],
    account: Account,
    governance: DataGovernance,
    keys: Keys,
    network: AnyNetwork,
    cluster: Cluster,
) -> contracts.GpuCluster:
    """The operators and the pools."""
    child, called, system = pulumi.ResourceOptions(parent=self), cluster.args.name, cloud.cluster.system
    karpenter = Karpenter(
        f"{name}-karpenter", KarpenterArgs(account, governance, cluster.resource, called), child
    )
    gpus = contracts.GpuCluster(
        name=called,
        region=cloud.region,
        resource=cluster.resource,
        provider=cluster.provider,
        pools=pools.describe(resolved),
        environment=lake_environment(cloud.region),
    )
    platform = Platform(
        f"{name}-platform",
        PlatformArgs(
            profile=PROFILE,
            cluster=gpus,
            cluster_name=cluster.name,
            https_cidrs=network.https_cidrs,
            data_class=governance.data_class,
            interruption_queue=karpenter.queue_name,
            prices=price_sheet(PROFILE, cloud.region, resolved, system.machine_type, asked.currency),
            disk=disk(cloud, keys.cluster),
            controller_replicas=min(2, system.min_nodes),
            controllers_depend_on=[*cluster.ready, *karpenter.ready],
        ),
        pulumi.ResourceOptions(parent=InCluster(name, cluster)),
    )
    made = Pools(
        f"{name}-pools",
        PoolsArgs(
            account,
            governance,
            cluster,
            network,
            resolved,
            disk_key_arn=keys.cluster,
            instance_profile=karpenter.instance_profile,
            karpenter=platform.node_controllers,
        ),
        child,
    )
    return replace(gpus, platform=platform.ready, nodes=made.ready)
