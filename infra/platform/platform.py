"""Platform: all that a GPU cluster runs before its first workload."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release

from infra.contracts.cluster import GpuCluster
from infra.contracts.database import Database
from infra.contracts.helm import install
from infra.contracts.needs import WorkloadNeeds
from infra.contracts.platform_profile import PlatformProfile
from infra.contracts.resource_options import after
from infra.platform import opencost, values
from infra.platform.charts import charts
from infra.platform.database_secrets import create_database_secrets
from infra.platform.images import from_mirrors, images
from infra.platform.managed_prometheus import create_collection
from infra.platform.monitoring import create_dashboards, create_monitoring
from infra.platform.namespaces import create_limits, create_namespaces, of_operators, of_workloads
from infra.platform.network_policies import create_network_policies
from infra.platform.pod_guard import guard_workloads, needs_host
from infra.platform.priorities import create_priorities
from infra.platform.queues import create_queues
from infra.platform.rbac import create_rbac
from infra.platform.storage import STORAGE_CLASS, Disk, create_storage_class


@dataclass
class PlatformArgs:
    """What the platform is built from.

    profile: what differs from cloud to cloud.
    cluster: where it runs; its `platform` list is not read. cluster_name: as the cloud knows the cluster.
    workloads: what those need that may run here.
    https_cidrs: what workloads may reach on port 443, the VPC and the object store's ranges.
    databases: the PostgreSQL databases that workloads have here, by the workload's name.
    on_premises_pod_cidrs: pod networks of nodes on premises; store: the networks and the port of an object store there.
    alert_receivers: where Alertmanager sends, by its own name of their kind (`sns_configs`); without any there is none.
    prices: what its nodes cost, for OpenCost.
    disk: of the volumes that metrics are kept on; None keeps them on their node.
    registries: where images are pulled from instead, by the registry that their charts name (`quay.io`).
    interruption_queue: name of the queue that carries spot notices to Karpenter; AWS only.
    people: members (`group:ml@example.in`) of the Kubernetes groups, where the cloud does not put them in by itself.
    data_class: of what workloads handle, written on their namespaces.
    controller_replicas: of Karpenter; at most the number of system nodes.
    controllers_depend_on: what the controllers need in the cloud, such as system nodes and Pod Identity associations.
    """

    profile: PlatformProfile
    cluster: GpuCluster
    cluster_name: pulumi.Input[str]
    https_cidrs: pulumi.Input[Sequence[str]]
    workloads: Sequence[WorkloadNeeds] = ()
    databases: Mapping[str, Database] = field(default_factory=dict)
    on_premises_pod_cidrs: Sequence[str] = ()
    store: tuple[Sequence[str], int] | None = None
    alert_receivers: values.Receivers = field(default_factory=dict)
    prices: Sequence[opencost.Price] = ()
    disk: Disk | None = None
    registries: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    interruption_queue: pulumi.Input[str] = ""
    people: Mapping[str, Sequence[str]] = field(default_factory=dict)
    data_class: str = "personal"
    controller_replicas: int = 2
    controllers_depend_on: Sequence[pulumi.Resource] = field(default_factory=list)


class Platform(pulumi.ComponentResource):
    """Namespaces, limits, network policies, RBAC, priorities, charts, queues and alerts of one cluster.

    node_controllers: the release of what makes nodes, where the cloud does not; NodePools depend on it, so that they go
    before the controller that empties them.
    ready: what a workload must wait for. namespaces: by name.
    """

    node_controllers: list[pulumi.Resource]
    ready: list[pulumi.Resource]
    namespaces: dict[str, Namespace]

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        profile = args.profile
        super().__init__("india-ai-infra:platform:Platform", name, None, opts)
        # What lives in a cluster dies with it: no need to ask a cluster that is being deleted.
        child = pulumi.ResourceOptions(
            parent=self, provider=args.cluster.provider, deleted_with=args.cluster.resource
        )
        needs, of_needs = args.workloads, of_workloads(args.workloads)

        pools = args.cluster.pools.values()
        guard = guard_workloads(pools, child)
        # No moment without one of the two.
        self.namespaces = create_namespaces(
            profile,
            of_needs,
            args.data_class,
            after(child, *guard),
            guarded=needs_host(pools),
            operators=of_operators(needs),
        )
        in_namespaces = after(child, *self.namespaces.values())
        limits = create_limits(of_needs, self.namespaces, args.cluster.pools, child)
        policies = [
            policy
            for each in needs
            for policy in create_network_policies(
                each, profile, args.https_cidrs, in_namespaces, args.store, args.databases.get(each.name)
            )
        ]
        databases = create_database_secrets(needs, args.databases, in_namespaces)
        access = create_rbac(needs, self.namespaces, args.people, child)
        priorities = create_priorities(needs, child)

        disks = create_storage_class(args.disk, child)
        releases = _install_charts(args, after(in_namespaces, *args.controllers_depend_on, *disks))
        self.node_controllers = [releases[profile.node_controller]] if profile.node_controller else []
        queues = create_queues(
            args.cluster.pools,
            [spec.name for spec in of_needs],
            after(in_namespaces, releases["kueue"]),
        )
        alerts: list[pulumi.Resource] = [
            *create_monitoring(needs, profile, after(in_namespaces, releases["kube-prometheus-stack"])),
            *create_dashboards(needs, in_namespaces),
            *(create_collection(needs, in_namespaces) if profile.managed_prometheus else []),
        ]

        self.ready = [*guard, *limits, *policies, *databases, *access, *priorities]
        self.ready += [*disks, *releases.values(), *queues, *alerts]
        controllers = {name: found.id for name, found in releases.items() if name == profile.node_controller}
        self.register_outputs({**controllers, "namespaces": sorted(self.namespaces)})


def _install_charts(args: PlatformArgs, opts: pulumi.ResourceOptions) -> dict[str, Release]:
    """The node controller by itself, since nodes must come even when monitoring is down; the rest brings
    ServiceMonitors, and so follows the chart that defines them."""
    table, profile = charts(), args.profile

    def release(name: str, chart_values: values.Values, *after: pulumi.Resource) -> Release:
        return install(table[name], from_mirrors(images()[name], chart_values, args.registries), opts, after)

    monitoring = values.kube_prometheus_stack(
        profile, args.alert_receivers, STORAGE_CLASS if args.disk else None
    )
    # Not `deleted_with` the cluster: its claims have to go while there is a driver that deletes their disks.
    kept = pulumi.ResourceOptions(parent=opts.parent, provider=opts.provider, depends_on=opts.depends_on)
    prometheus = install(
        table["kube-prometheus-stack"],
        from_mirrors(images()["kube-prometheus-stack"], monitoring, args.registries),
        kept if args.disk else opts,
    )
    releases = {"kube-prometheus-stack": prometheus}
    pools = args.cluster.pools.values()
    if name := profile.node_controller:
        karpenter = values.karpenter(
            args.cluster_name,
            args.interruption_queue,
            args.controller_replicas,
            overlays=any(pool.gpu_parts > 1 for pool in pools),
        )
        releases[name] = release(name, karpenter)
    releases[profile.gpu_chart] = release(
        profile.gpu_chart, values.OF_GPU_CHART[profile.gpu_chart](pools), prometheus
    )
    sheet = opencost.create_prices(profile, args.prices, opts)
    releases["opencost"] = release("opencost", opencost.values(args.cluster.name), prometheus, sheet)
    releases["keda"] = release("keda", values.keda(), prometheus)
    releases["kueue"] = release("kueue", values.kueue(profile), prometheus)
    if args.on_premises_pod_cidrs:
        releases["cilium"] = install(
            table["cilium"], values.cilium(args.on_premises_pod_cidrs), opts, wait=False
        )
    fabric_pools = [pool.name for pool in pools if pool.fabric == "efa"]
    if fabric_pools:
        plugin = values.efa_device_plugin(fabric_pools)
        releases["aws-efa-k8s-device-plugin"] = release("aws-efa-k8s-device-plugin", plugin)
    return releases | _install_workload_charts(args, opts, prometheus)


def _install_workload_charts(
    args: PlatformArgs, opts: pulumi.ResourceOptions, prometheus: Release
) -> dict[str, Release]:
    """The charts that workloads need, each once; they may bring ServiceMonitors too."""
    needed = {chart.name: chart for each in args.workloads for chart in each.charts}
    return {
        chart.name: install(
            chart, from_mirrors(chart.images, dict(chart.values), args.registries), opts, [prometheus]
        )
        for chart in needed.values()
        if chart.cloud in (None, args.profile.cloud)
    }
