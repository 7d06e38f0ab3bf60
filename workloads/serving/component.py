"""ModelServer: replicas of an engine on a GPU pool, behind a Service, that drain before they go."""

from dataclasses import replace

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.contracts.cluster import Pool
from infra.contracts.labels import INTERNET_EGRESS
from workloads.kubernetes.placement import (
    WHEN_MADE,
    capacity,
    fabric_pod,
    may_be_absent,
    pool_for,
    tell_waits,
)
from workloads.serving.needs import PORT_NAME, floor_name
from workloads.serving.pod import (
    LOAD_SECONDS,
    ModelServerArgs,
    fetch_program,
    labels_of,
    labels_of_server,
    pod_spec,
)

HEALTHY_SECONDS = LOAD_SECONDS + 600  # and the node itself


class ModelServer(pulumi.ComponentResource):
    """The Deployment, its Service and its PodDisruptionBudget; a floor is a second Deployment behind the same Service.
    On a pool that may have no node for days no update waits for the replicas.

    url: of the OpenAI-compatible API inside the cluster. Raises ValueError, before anything is registered, if a pool
    can't hold its replicas.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        pool = pool_for(args.cluster, args.pool, gpus=args.gpus, pods=args.replicas)
        of_floor = _of_floor(args)
        if not 0 < args.gpu_memory_utilization <= 1:
            raise ValueError(f"gpu_memory_utilization {args.gpu_memory_utilization} is not in (0, 1]")
        super().__init__("india-ai-infra:workloads:ModelServer", name, None, opts)
        child = self._child(args)
        # Neither is `deleted_with` the cluster: Karpenter would drain their nodes one pod at a time, and each pod would
        # come back. They go before its NodePools do.
        deployments = [_deployment(name, name, args, pool, child)]
        if of_floor:
            deployments.append(_deployment(floor_name(name), name, *of_floor, opts=self._child(of_floor[0])))
        _disruption_budget(name, args, child)
        after = pulumi.ResourceOptions(deleted_with=args.cluster.resource, depends_on=deployments)
        service = _service(name, args, pool, pulumi.ResourceOptions.merge(child, after))
        if may_be_absent(pool):
            tell_waits("deployment", name, args.namespace, pool, self)
        self.url = service.metadata.apply(
            lambda metadata: f"http://{metadata.name}.{metadata.namespace}.svc:{args.engine.port}/v1"
        )
        self.register_outputs({"url": self.url})

    def _child(self, args: ModelServerArgs) -> pulumi.ResourceOptions:
        """Options of what waits for the nodes of its pool."""
        needed = args.cluster.needed_on(args.pool)
        return pulumi.ResourceOptions(parent=self, provider=args.cluster.provider, depends_on=needed)


def _of_floor(args: ModelServerArgs) -> tuple[ModelServerArgs, Pool] | None:
    """The same server on the pool of its floor."""
    if args.floor is None:
        return None
    pool = pool_for(args.cluster, args.floor.pool, gpus=args.gpus, pods=args.floor.replicas)
    return replace(args, pool=pool.name, replicas=args.floor.replicas), pool


def _deployment(
    name: str, server: str, args: ModelServerArgs, pool: Pool, opts: pulumi.ResourceOptions
) -> k8s.apps.v1.Deployment:
    labels = labels_of(name)
    # Without weights of our own the pod must reach the hub; the label opens that way (see the namespace's policies).
    egress = {} if args.weights is not None else dict(INTERNET_EGRESS)
    timeouts = pulumi.CustomTimeouts(create=f"{HEALTHY_SECONDS}s", update=f"{HEALTHY_SECONDS}s")
    return k8s.apps.v1.Deployment(
        name,
        metadata=ObjectMetaArgs(
            name=name,
            namespace=args.namespace,
            labels=labels,
            annotations=WHEN_MADE if may_be_absent(pool) else None,
        ),
        spec=k8s.apps.v1.DeploymentSpecArgs(
            replicas=args.replicas,
            selector=LabelSelectorArgs(match_labels=labels),
            strategy=_strategy(args, pool),
            progress_deadline_seconds=HEALTHY_SECONDS,
            revision_history_limit=3,
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=ObjectMetaArgs(
                    labels=labels | labels_of_server(server, args) | egress,
                    annotations=dict(fabric_pod(pool, args.gpus).annotations) or None,
                ),
                spec=pod_spec(server, args, pool, fetch_program(name, args, opts)),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(custom_timeouts=timeouts)),
    )


def _strategy(args: ModelServerArgs, pool: Pool) -> k8s.apps.v1.DeploymentStrategyArgs:
    """New before old while the pool has room for one more; in a full pool the old one must go first."""
    room = args.replicas < capacity(pool, args.gpus)
    rolling = k8s.apps.v1.RollingUpdateDeploymentArgs(
        max_surge=1 if room else 0, max_unavailable=0 if room else 1
    )
    return k8s.apps.v1.DeploymentStrategyArgs(type="RollingUpdate", rolling_update=rolling)


def _service(
    name: str, args: ModelServerArgs, pool: Pool, opts: pulumi.ResourceOptions
) -> k8s.core.v1.Service:
    # It has endpoints only once a replica is ready.
    annotations = {"pulumi.com/skipAwait": "true"} if may_be_absent(pool) else None
    return k8s.core.v1.Service(
        f"{name}-service",
        metadata=ObjectMetaArgs(
            name=name, namespace=args.namespace, labels=labels_of(name), annotations=annotations
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="ClusterIP",
            selector=labels_of_server(name, args),
            ports=[k8s.core.v1.ServicePortArgs(name=PORT_NAME, port=args.engine.port, target_port=PORT_NAME)],
        ),
        opts=opts,
    )


def _disruption_budget(
    name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions
) -> k8s.policy.v1.PodDisruptionBudget:
    # One at a time. `minAvailable` would forbid every drain of a lone replica, and so of its node.
    return k8s.policy.v1.PodDisruptionBudget(
        f"{name}-disruption-budget",
        metadata=ObjectMetaArgs(name=name, namespace=args.namespace, labels=labels_of(name)),
        spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            unhealthy_pod_eviction_policy="AlwaysAllow",
            selector=LabelSelectorArgs(match_labels=labels_of_server(name, args)),
        ),
        opts=opts,
    )
