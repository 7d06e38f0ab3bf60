"""The pod of one replica of a model server: its engine, its adapters, and how it starts and ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs

from infra.contracts.cluster import GpuCluster, Pool
from infra.contracts.labels import HOSTNAME_LABEL, ZONE_LABEL
from infra.contracts.lake import Endpoint
from workloads.kubernetes import pods
from workloads.kubernetes.placement import (
    fabric_pod,
    nccl_environment,
    pool_for,
    resources,
    tolerations,
)
from workloads.kubernetes.program_files import program_files, program_mount, program_volume
from workloads.serving.engines import Engine, engines
from workloads.serving.needs import APP, METRICS_PORT_NAME, NEEDS, PORT_NAME

FETCH = Path(__file__).with_name("fetch_adapters.py")
FETCH_FOLDER = "/opt/adapters"
ADAPTERS = f"{pods.SCRATCH}/adapters"
PART_OF = "app.kubernetes.io/part-of"

LOAD_SECONDS = 1800  # image of 15 GB, weights, CUDA graphs, on a node that has just started


@dataclass(frozen=True)
class Floor:
    """`replicas` on `pool`, whose nodes nobody takes back."""

    pool: str
    replicas: int


@dataclass
class ModelServerArgs:
    """`replicas` servers of one model, each over `gpus` GPUs of one node (tensor parallel).

    engine: what serves it, of `engines.yaml`. model: the name that clients ask for. weights: where they are in the lake
    (`s3://…`), streamed to the GPUs; None takes `model` from the Hugging Face hub, over the only way to the internet
    that the namespace has. revision: of the weights, as each answer names it. adapters: LoRA by the name that clients
    ask for, and where each is in the lake.
    max_model_len: tokens of prompt and answer together; None takes the model's own. quantization: a method of the
    engine; None leaves the checkpoint as it is. gpu_memory_utilization: share of each GPU's memory for weights and KV
    cache. kv_offload_gib: the node's memory for keys and values that no longer fit the GPUs. max_queued_requests:
    beyond these a request is refused with 503. engine_args: further flags of the engine. endpoint: where weights and
    adapters are, if not in the cloud's own store. floor: further replicas on a second pool, of the same GPUs.
    """

    cluster: GpuCluster
    pool: str
    model: str
    replicas: int = 1
    gpus: int = 1
    engine: Engine = engines()["vllm"]
    weights: pulumi.Input[str] | None = None
    revision: str | None = None
    adapters: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    image: pulumi.Input[str] | None = None
    namespace: str = "serving"
    service_account: str = "serving"
    priority_class: str | None = NEEDS.priority_class
    max_model_len: int | None = None
    quantization: str | None = None
    gpu_memory_utilization: float = 0.9
    kv_offload_gib: int | None = None
    max_queued_requests: int = 64
    engine_args: Sequence[str] = field(default_factory=list)
    endpoint: Endpoint | None = None
    floor: Floor | None = None


def sidecar_pod(
    name: str,
    args: ModelServerArgs,
    container: k8s.core.v1.ContainerArgs,
    volumes: Sequence[k8s.core.v1.VolumeArgs],
    opts: pulumi.ResourceOptions,
) -> k8s.core.v1.PodSpecArgs:
    """The pod of one replica beside `container`: the engine is ready before that starts, is asked on loopback, and ends
    with it. No Service stands before it."""
    pool = pool_for(args.cluster, args.pool, gpus=args.gpus, pods=args.replicas)
    fetch = fetch_program(name, args, opts)
    engine = _container(args, pool)
    engine.restart_policy, engine.lifecycle = "Always", None
    pod = pod_spec(name, args, pool, fetch)
    pod.restart_policy = "Never"
    pod.topology_spread_constraints = pod.termination_grace_period_seconds = None
    pod.init_containers = [*_before(args, pool, fetch), engine]
    pod.containers = [container]
    pod.volumes = [*_volumes(args, pool, fetch), *volumes]
    return pod


def drain_split(grace_seconds: int) -> tuple[int, int]:
    """How a pod's grace is spent: seconds until endpoints forget it, then for answers in flight. The engine leaves in
    the rest. 10 and 85 of 110 s; 3 and 10 of the 15 that Google's older spot nodes give."""
    forget = min(10, grace_seconds // 5)
    return forget, (grace_seconds - forget) * 85 // 100


def labels_of(deployment: str) -> dict[str, str]:
    """Those by which a Deployment knows its pods, and metrics are told apart."""
    return {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": deployment}


def labels_of_server(name: str, args: ModelServerArgs) -> dict[str, str]:
    """Those that all pods of the server have, and no other's."""
    if args.floor is None:
        return labels_of(name)
    return {"app.kubernetes.io/name": APP, PART_OF: name}


def fetch_program(
    name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions
) -> k8s.core.v1.ConfigMap | None:
    """The program that copies the adapters, where there are some."""
    return (
        program_files(f"{name}-adapters", args.namespace, [FETCH], labels_of(name), opts)
        if args.adapters
        else None
    )


def pod_spec(
    name: str, args: ModelServerArgs, pool: Pool, fetch: k8s.core.v1.ConfigMap | None
) -> k8s.core.v1.PodSpecArgs:
    """The pod of a Deployment; `name` is the server's, and `fetch` what `fetch_program` made."""
    return k8s.core.v1.PodSpecArgs(
        service_account_name=args.service_account,
        automount_service_account_token=False,
        enable_service_links=False,
        priority_class_name=args.priority_class,
        termination_grace_period_seconds=pool.grace_seconds,
        node_selector=dict(pool.node_selector),
        tolerations=tolerations(pool),
        topology_spread_constraints=[
            _spread(labels_of_server(name, args), ZONE_LABEL),
            _spread(labels_of_server(name, args), HOSTNAME_LABEL),
        ],
        security_context=pods.pod_security(),
        init_containers=_before(args, pool, fetch) or None,
        containers=[_container(args, pool)],
        volumes=_volumes(args, pool, fetch),
    )


def _before(args: ModelServerArgs, pool: Pool, fetch: k8s.core.v1.ConfigMap | None) -> list[Any]:
    """What starts before the engine: the fabric's sidecars, and the adapters."""
    return [*fabric_pod(pool, args.gpus).sidecars, *([_fetch_adapters(args)] if fetch else [])]


def _volumes(args: ModelServerArgs, pool: Pool, fetch: k8s.core.v1.ConfigMap | None) -> list[Any]:
    return [
        *pods.scratch_volumes(pods.SHARED_MEMORY_GIB_PER_GPU * args.gpus),
        *fabric_pod(pool, args.gpus).volumes,
        *([program_volume(fetch)] if fetch else []),
    ]


def _spread(labels: Mapping[str, str], topology: str) -> k8s.core.v1.TopologySpreadConstraintArgs:
    # A preference: when spot is to be had in one zone only, two replicas there beat one.
    return k8s.core.v1.TopologySpreadConstraintArgs(
        max_skew=1,
        topology_key=topology,
        when_unsatisfiable="ScheduleAnyway",
        label_selector=LabelSelectorArgs(match_labels=labels),
    )


def _fetch_adapters(args: ModelServerArgs) -> k8s.core.v1.ContainerArgs:
    """Copies the adapters from the lake before the engine starts, which reads them from a folder; one of another base
    ends it, and the pod does not start."""
    return k8s.core.v1.ContainerArgs(
        name="adapters",
        image=args.image or args.engine.image,
        command=["python3", f"{FETCH_FOLDER}/{FETCH.name}"],
        args=[
            f"--model={args.model}",
            f"--into={ADAPTERS}",
            *(pulumi.Output.concat(name, "=", uri) for name, uri in sorted(args.adapters.items())),
        ],
        env=pods.environment({**args.cluster.environment, **pods.scratch_environment(), **_store(args)}),
        env_from=pods.store_keys(args.endpoint),
        security_context=pods.container_security(),
        volume_mounts=[*pods.scratch_mounts(), program_mount(FETCH_FOLDER)],
    )


def _container(args: ModelServerArgs, pool: Pool) -> k8s.core.v1.ContainerArgs:
    # The server goes on answering while the endpoints forget it; then SIGTERM, and the engine's own drain.
    forget, drain = drain_split(pool.grace_seconds)
    sleep = k8s.core.v1.LifecycleHandlerArgs(sleep=k8s.core.v1.SleepActionArgs(seconds=forget))
    engine = args.engine
    return k8s.core.v1.ContainerArgs(
        name=engine.name,
        image=args.image or engine.image,
        command=[*engine.command],
        args=_arguments(args, drain),
        env=pods.environment(_environment(args, pool)),
        env_from=pods.store_keys(args.endpoint if args.weights is not None else None),
        ports=_ports(engine),
        resources=resources(pool, args.gpus, memory_gib=args.kv_offload_gib or 0),
        security_context=pods.container_security(),
        startup_probe=_probe(engine.health, period=10, failures=LOAD_SECONDS // 10),
        readiness_probe=_probe(engine.health, period=5, failures=3),
        liveness_probe=_probe(engine.alive or engine.health, period=30, failures=5),
        lifecycle=k8s.core.v1.LifecycleArgs(pre_stop=sleep),
        volume_mounts=[*pods.scratch_mounts(), *fabric_pod(pool, args.gpus).mounts],
    )


def _ports(engine: Engine) -> list[k8s.core.v1.ContainerPortArgs]:
    """Where it answers, and where its metrics are if that is elsewhere."""
    ports = {PORT_NAME: engine.port}
    if engine.metrics.port != engine.port:
        ports[METRICS_PORT_NAME] = engine.metrics.port
    return [k8s.core.v1.ContainerPortArgs(name=name, container_port=port) for name, port in ports.items()]


def _arguments(args: ModelServerArgs, drain: int) -> list[pulumi.Input[str]]:
    """The command line, in the order of the engine's flags."""
    values = {
        "model": args.model if args.weights is None else args.weights,
        "name": args.model,
        "port": args.engine.port,
        "gpus": args.gpus,
        "memory": args.gpu_memory_utilization,
        "queue": args.max_queued_requests,
        "drain": drain,
        "weights": args.weights,
        "revision": args.revision,
        "maxModelLen": args.max_model_len,
        "quantization": args.quantization,
        "kvOffloadGib": args.kv_offload_gib,
    }
    words = [
        _filled(word, values[setting])
        for setting, flags in args.engine.flags.items()
        if setting != "adapters" and values[setting] is not None
        for word in flags
    ]
    paths = {name: f"{ADAPTERS}/{name}" for name in sorted(args.adapters)}
    return [*words, *(args.engine.adapter_words(paths) if paths else ()), *args.engine_args]


def _filled(word: str, value: object) -> pulumi.Input[str]:
    return pulumi.Output.format(word, value) if isinstance(value, pulumi.Output) else word.format(value)


def _environment(args: ModelServerArgs, pool: Pool) -> dict[str, pulumi.Input[str]]:
    environment: dict[str, pulumi.Input[str]] = {
        # Nothing about what runs here leaves the country.
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **args.engine.environment,
        **args.cluster.environment,
        **pods.scratch_environment(),
        **nccl_environment(pool, args.gpus),
    }
    if args.weights is not None:
        environment |= _store(args)
        environment["HF_HUB_OFFLINE"] = "1"
        environment["RUNAI_STREAMER_CONCURRENCY"] = (
            "16"  # 16 to 32 is the best of the project's own benchmark
        )
        # The streamer's buffer counts for every rank: without a limit it fills the pod's memory (streamer#76).
        environment["RUNAI_STREAMER_MEMORY_LIMIT"] = str(2 * 1024**3)
    return environment


def _store(args: ModelServerArgs) -> Mapping[str, str]:
    """What sends the streamer to a store that is not the cloud's own."""
    return {**args.endpoint.environment, **args.endpoint.streaming} if args.endpoint else {}


def _probe(path: str, period: int, failures: int) -> k8s.core.v1.ProbeArgs:
    return k8s.core.v1.ProbeArgs(
        http_get=k8s.core.v1.HTTPGetActionArgs(path=path, port=PORT_NAME),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=5,
    )
