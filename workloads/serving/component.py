"""ModelServer: vLLM replicas on a GPU pool, behind a Service, that drain before they go.

Flags, environment and endpoints: the vLLM 0.33.0 wheel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.contracts.cluster import GpuCluster, Pool
from infra.contracts.labels import HOSTNAME_LABEL, INTERNET_EGRESS, ZONE_LABEL
from workloads.kubernetes import pods
from workloads.kubernetes.placement import (
    WHEN_MADE,
    capacity,
    fabric_pod,
    may_be_absent,
    nccl_environment,
    pool_for,
    resources,
    tell_waits,
    tolerations,
)
from workloads.serving.needs import APP, IMAGE, NEEDS, PORT_NAME

PORT = 8000

LOAD_SECONDS = 1800  # image of 15 GB, weights, CUDA graphs, on a node that has just started
HEALTHY_SECONDS = LOAD_SECONDS + 600  # and the node itself


@dataclass
class ModelServerArgs:
    """`replicas` servers of one model, each over `gpus` GPUs of one node (tensor parallel).

    model: the name that clients ask for. weights: where they are in the lake (`s3://…`), streamed to the GPUs; None
    takes `model` from the Hugging Face hub, over the only way to the internet that the namespace has.
    max_model_len: tokens of prompt and answer together; None takes the model's own. quantization: a method of vLLM;
    None leaves the checkpoint as it is. gpu_memory_utilization: share of each GPU's memory for weights and KV
    cache. max_queued_requests: beyond these a request is refused with 503.
    vllm_args: further flags of `vllm serve`.
    """

    cluster: GpuCluster
    pool: str
    model: str
    replicas: int = 1
    gpus: int = 1
    weights: pulumi.Input[str] | None = None
    image: pulumi.Input[str] = IMAGE
    namespace: str = "serving"
    service_account: str = "serving"
    priority_class: str | None = NEEDS.priority_class
    max_model_len: int | None = None
    quantization: str | None = None
    gpu_memory_utilization: float = 0.9
    max_queued_requests: int = 64
    vllm_args: Sequence[str] = field(default_factory=list)


class ModelServer(pulumi.ComponentResource):
    """The Deployment, its Service and its PodDisruptionBudget. On a pool that may have no node for days no update waits
    for the replicas.

    url: of the OpenAI-compatible API inside the cluster. Raises ValueError, before anything is registered, if the pool
    can't hold the replicas.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        pool = pool_for(args.cluster, args.pool, gpus=args.gpus, pods=args.replicas)
        if not 0 < args.gpu_memory_utilization <= 1:
            raise ValueError(f"gpu_memory_utilization {args.gpu_memory_utilization} is not in (0, 1]")
        super().__init__("india-ai-infra:workloads:ModelServer", name, None, opts)
        child = pulumi.ResourceOptions(
            parent=self, provider=args.cluster.provider, depends_on=args.cluster.needed_on(args.pool)
        )
        # Neither is `deleted_with` the cluster: Karpenter would drain their nodes one pod at a time, and each pod would
        # come back. They go before its NodePools do.
        deployment = _deployment(name, args, pool, child)
        _disruption_budget(name, args, child)
        after = pulumi.ResourceOptions(deleted_with=args.cluster.resource, depends_on=[deployment])
        service = _service(name, args, pool, pulumi.ResourceOptions.merge(child, after))
        if may_be_absent(pool):
            tell_waits("deployment", name, args.namespace, pool, self)
        self.url = service.metadata.apply(
            lambda metadata: f"http://{metadata.name}.{metadata.namespace}.svc:{PORT}/v1"
        )
        self.register_outputs({"url": self.url})


def drain_split(grace_seconds: int) -> tuple[int, int]:
    """How a pod's grace is spent: seconds until endpoints forget it, then for answers in flight. vLLM leaves in the
    rest. 10 and 85 of 110 s; 3 and 10 of the 15 that Google's older spot nodes give."""
    forget = min(10, grace_seconds // 5)
    return forget, (grace_seconds - forget) * 85 // 100


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": name}


def _deployment(
    name: str, args: ModelServerArgs, pool: Pool, opts: pulumi.ResourceOptions
) -> k8s.apps.v1.Deployment:
    labels = _labels(name)
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
                    labels=labels | egress, annotations=dict(fabric_pod(pool, args.gpus).annotations) or None
                ),
                spec=_pod(name, args, pool),
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


def _pod(name: str, args: ModelServerArgs, pool: Pool) -> k8s.core.v1.PodSpecArgs:
    fabric = fabric_pod(pool, args.gpus)
    return k8s.core.v1.PodSpecArgs(
        service_account_name=args.service_account,
        automount_service_account_token=False,
        enable_service_links=False,
        priority_class_name=args.priority_class,
        termination_grace_period_seconds=pool.grace_seconds,
        node_selector=dict(pool.node_selector),
        tolerations=tolerations(pool),
        topology_spread_constraints=[
            _spread(name, ZONE_LABEL),
            _spread(name, HOSTNAME_LABEL),
        ],
        security_context=pods.pod_security(),
        init_containers=[*fabric.sidecars] or None,
        containers=[_container(args, pool)],
        volumes=[*pods.scratch_volumes(pods.SHARED_MEMORY_GIB_PER_GPU * args.gpus), *fabric.volumes],
    )


def _spread(name: str, topology: str) -> k8s.core.v1.TopologySpreadConstraintArgs:
    # A preference: when spot is to be had in one zone only, two replicas there beat one.
    return k8s.core.v1.TopologySpreadConstraintArgs(
        max_skew=1,
        topology_key=topology,
        when_unsatisfiable="ScheduleAnyway",
        label_selector=LabelSelectorArgs(match_labels=_labels(name)),
    )


def _container(args: ModelServerArgs, pool: Pool) -> k8s.core.v1.ContainerArgs:
    # The server goes on answering while the endpoints forget it; then SIGTERM, and vLLM's own drain.
    forget, drain = drain_split(pool.grace_seconds)
    sleep = k8s.core.v1.LifecycleHandlerArgs(sleep=k8s.core.v1.SleepActionArgs(seconds=forget))
    return k8s.core.v1.ContainerArgs(
        name="vllm",
        image=args.image,
        command=["vllm", "serve"],
        args=_flags(args, drain),
        env=pods.environment(_environment(args, pool)),
        ports=[k8s.core.v1.ContainerPortArgs(name=PORT_NAME, container_port=PORT)],
        resources=resources(pool, args.gpus),
        security_context=pods.container_security(),
        startup_probe=_probe(period=10, failures=LOAD_SECONDS // 10),
        readiness_probe=_probe(period=5, failures=3),
        liveness_probe=_probe(period=30, failures=5),
        lifecycle=k8s.core.v1.LifecycleArgs(pre_stop=sleep),
        volume_mounts=[*pods.scratch_mounts(), *fabric_pod(pool, args.gpus).mounts],
    )


def _flags(args: ModelServerArgs, drain: int) -> list[pulumi.Input[str]]:
    flags: list[pulumi.Input[str]] = [
        args.model if args.weights is None else args.weights,
        f"--served-model-name={args.model}",
        f"--port={PORT}",
        f"--tensor-parallel-size={args.gpus}",
        f"--gpu-memory-utilization={args.gpu_memory_utilization}",
        f"--max-num-queued-reqs={args.max_queued_requests}",
        f"--shutdown-timeout={drain}",
    ]
    if args.weights is not None:
        flags.append("--load-format=runai_streamer")
    if args.max_model_len is not None:
        flags.append(f"--max-model-len={args.max_model_len}")
    if args.quantization is not None:
        flags.append(f"--quantization={args.quantization}")
    return [*flags, *args.vllm_args]


def _environment(args: ModelServerArgs, pool: Pool) -> dict[str, pulumi.Input[str]]:
    environment: dict[str, pulumi.Input[str]] = {
        # Nothing about what runs here leaves the country.
        "DO_NOT_TRACK": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_CACHE_ROOT": f"{pods.SCRATCH}/vllm",
        **args.cluster.environment,
        **pods.scratch_environment(),
        **nccl_environment(pool, args.gpus),
    }
    if args.weights is not None:
        environment["HF_HUB_OFFLINE"] = "1"
        environment["RUNAI_STREAMER_CONCURRENCY"] = (
            "16"  # 16 to 32 is the best of the project's own benchmark
        )
        # The streamer's buffer counts for every rank: without a limit it fills the pod's memory (streamer#76).
        environment["RUNAI_STREAMER_MEMORY_LIMIT"] = str(2 * 1024**3)
    return environment


def _probe(period: int, failures: int) -> k8s.core.v1.ProbeArgs:
    return k8s.core.v1.ProbeArgs(
        http_get=k8s.core.v1.HTTPGetActionArgs(path="/health", port="http"),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=5,
    )


def _service(
    name: str, args: ModelServerArgs, pool: Pool, opts: pulumi.ResourceOptions
) -> k8s.core.v1.Service:
    # It has endpoints only once a replica is ready.
    annotations = {"pulumi.com/skipAwait": "true"} if may_be_absent(pool) else None
    return k8s.core.v1.Service(
        f"{name}-service",
        metadata=ObjectMetaArgs(
            name=name, namespace=args.namespace, labels=_labels(name), annotations=annotations
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="ClusterIP",
            selector=_labels(name),
            ports=[k8s.core.v1.ServicePortArgs(name="http", port=PORT, target_port="http")],
        ),
        opts=opts,
    )


def _disruption_budget(
    name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions
) -> k8s.policy.v1.PodDisruptionBudget:
    # One at a time. `minAvailable` would forbid every drain of a lone replica, and so of its node.
    return k8s.policy.v1.PodDisruptionBudget(
        f"{name}-disruption-budget",
        metadata=ObjectMetaArgs(name=name, namespace=args.namespace, labels=_labels(name)),
        spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            unhealthy_pod_eviction_policy="AlwaysAllow",
            selector=LabelSelectorArgs(match_labels=_labels(name)),
        ),
        opts=opts,
    )
