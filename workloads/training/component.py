"""TrainingJob: torchrun over the nodes of a GPU pool, as an Indexed Job with a headless Service to meet at."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.contracts.cluster import GpuCluster, Pool
from infra.contracts.labels import DO_NOT_DISRUPT, QUEUE_LABEL, ZONE_LABEL
from infra.contracts.lake import Endpoint
from infra.contracts.resource_options import after
from workloads.kubernetes import pods, rendezvous
from workloads.kubernetes.placement import (
    WHEN_MADE,
    fabric_pod,
    may_be_absent,
    nccl_environment,
    pool_for,
    resources,
    tell_waits,
    tolerations,
)
from workloads.kubernetes.program_files import program_files, program_mount, program_volume
from workloads.training.needs import NEEDS

PROGRAMS = [Path(__file__).with_name(file) for file in ("launch.py", "program.py", "checkpoints.py")]
PROGRAM_DIRECTORY = "/opt/training"
READY_FILE = f"{pods.SCRATCH}/ready"

# `pulumi up` waits this long for all ranks, a little more than they wait for each other.
HEALTHY_SECONDS = rendezvous.SECONDS + 600

STOPPED_EXIT_CODE = 75  # launch.py: asked to stop, progress saved

# No autoscaler, Karpenter or GKE's, may stop a job to save on its node.
NOT_FOR_SAVINGS = {
    DO_NOT_DISRUPT: "true",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}


@dataclass
class TrainingJobArgs:
    """A job of `nodes` pods with `gpus_per_node` GPUs each, on the nodes of `pool`.

    image: has Python with requirements.txt (see the Dockerfile beside it); a stock PyTorch image is enough for a
    `checkpoint_uri` that is a mounted path. checkpoint_uri: a folder, `s3://…` or a path, for this job alone.
    endpoint: where those checkpoints are, if not in the cloud's own store.
    queue: Kueue's LocalQueue; None starts at once. program_args: see `program.py --help`.
    """

    cluster: GpuCluster
    pool: str
    nodes: int
    gpus_per_node: int
    image: pulumi.Input[str]
    checkpoint_uri: pulumi.Input[str]
    endpoint: Endpoint | None = None
    namespace: str = "training"
    service_account: str = "training"
    queue: str | None = "gpus"
    priority_class: str | None = NEEDS.priority_class
    program_args: Sequence[pulumi.Input[str]] = field(default_factory=list)


class TrainingJob(pulumi.ComponentResource):
    """The Job, its Service and its program. Ready when all ranks have met; the training then goes on by itself. On a
    pool that may have no node for days it is ready when it is made, and no update waits for it.

    job: the Kubernetes Job. Raises ValueError, before anything is registered, if the pool can't hold the job.
    """

    job: k8s.batch.v1.Job

    def __init__(self, name: str, args: TrainingJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        pool = pool_for(args.cluster, args.pool, gpus=args.gpus_per_node, pods=args.nodes)
        super().__init__("india-ai-infra:workloads:TrainingJob", name, None, opts)
        child = pulumi.ResourceOptions(
            parent=self, provider=args.cluster.provider, depends_on=args.cluster.needed_on(args.pool)
        )
        in_cluster = pulumi.ResourceOptions(deleted_with=args.cluster.resource)
        goes_with_it = pulumi.ResourceOptions.merge(child, in_cluster)
        service = rendezvous.rendezvous_service(name, args.namespace, _labels(name), goes_with_it)
        program = program_files(name, args.namespace, PROGRAMS, _labels(name), goes_with_it)
        # Not `deleted_with` the cluster: its pods forbid Karpenter to drain their nodes, and so must go first.
        self.job = _job(name, args, pool, program, after(child, service))
        if may_be_absent(pool):
            tell_waits("job", name, args.namespace, pool, self)
        self.register_outputs({"job": self.job.id})


def save_seconds(grace_seconds: int) -> int:
    """What the ranks get of a pod's grace to end their step and save: 90 of 110 s. torchrun's default is 30."""
    return grace_seconds * 9 // 11


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "training-job", "app.kubernetes.io/instance": name}


def _job(
    name: str,
    args: TrainingJobArgs,
    pool: Pool,
    program: k8s.core.v1.ConfigMap,
    opts: pulumi.ResourceOptions,
) -> k8s.batch.v1.Job:
    labels = _labels(name)
    cards = fabric_pod(pool, args.gpus_per_node).annotations
    queue = {QUEUE_LABEL: args.queue} if args.queue else {}
    # Training takes days; `pulumi up` is done when every rank runs.
    # A job that has ended has `succeeded` in its status, and no pod that is ready: the first that is there counts.
    ranks = {"pulumi.com/waitFor": f"jsonpath={{.status['succeeded','ready']}}={args.nodes}"}
    timeouts = pulumi.CustomTimeouts(create=f"{HEALTHY_SECONDS}s", update=f"{HEALTHY_SECONDS}s")
    return k8s.batch.v1.Job(
        name,
        metadata=ObjectMetaArgs(
            name=name,
            namespace=args.namespace,
            labels=labels | queue,
            annotations=WHEN_MADE if may_be_absent(pool) else ranks,
        ),
        spec=k8s.batch.v1.JobSpecArgs(
            completion_mode="Indexed",
            completions=args.nodes,
            parallelism=args.nodes,
            # One crash fails every pod of the job, so this allows three. Interruptions are not counted.
            backoff_limit=3 * args.nodes,
            pod_failure_policy=_interruptions_do_not_count(),
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=ObjectMetaArgs(labels=labels, annotations={**NOT_FOR_SAVINGS, **cards}),
                spec=_pod(name, args, pool, program),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(custom_timeouts=timeouts, delete_before_replace=True)
        ),
    )


def _interruptions_do_not_count() -> k8s.batch.v1.PodFailurePolicyArgs:
    """A pod that was evicted, or one that saved and left because another was, is replaced at no charge."""
    evicted = k8s.batch.v1.PodFailurePolicyOnPodConditionsPatternArgs(type="DisruptionTarget", status="True")
    stopped = k8s.batch.v1.PodFailurePolicyOnExitCodesRequirementArgs(
        container_name="trainer", operator="In", values=[STOPPED_EXIT_CODE]
    )
    return k8s.batch.v1.PodFailurePolicyArgs(
        rules=[
            k8s.batch.v1.PodFailurePolicyRuleArgs(action="Ignore", on_pod_conditions=[evicted]),
            k8s.batch.v1.PodFailurePolicyRuleArgs(action="Ignore", on_exit_codes=stopped),
        ]
    )


def _pod(
    name: str, args: TrainingJobArgs, pool: Pool, program: k8s.core.v1.ConfigMap
) -> k8s.core.v1.PodSpecArgs:
    fabric = fabric_pod(pool, args.gpus_per_node)
    return k8s.core.v1.PodSpecArgs(
        subdomain=name,
        restart_policy="Never",
        service_account_name=args.service_account,
        automount_service_account_token=False,
        enable_service_links=False,
        priority_class_name=args.priority_class,
        termination_grace_period_seconds=pool.grace_seconds,
        node_selector=dict(pool.node_selector),
        tolerations=tolerations(pool),
        affinity=_same_zone(name) if args.nodes > 1 else None,
        security_context=pods.pod_security(),
        init_containers=[*fabric.sidecars] or None,
        containers=[_container(name, args, pool)],
        volumes=[
            program_volume(program),
            *pods.scratch_volumes(pods.SHARED_MEMORY_GIB_PER_GPU * args.gpus_per_node),
            *fabric.volumes,
        ],
    )


def _container(name: str, args: TrainingJobArgs, pool: Pool) -> k8s.core.v1.ContainerArgs:
    environment = {
        "PYTHONUNBUFFERED": "1",
        "TORCH_FR_BUFFER_SIZE": "2000",  # the flight recorder: says which collective hung
        **pods.scratch_environment(),
        **pods.cloud_environment(args.cluster),
        **nccl_environment(pool, args.gpus_per_node, pods=args.nodes),
        **pods.store_environment(args.endpoint),
    }
    return k8s.core.v1.ContainerArgs(
        name="trainer",
        image=args.image,
        command=["python", f"{PROGRAM_DIRECTORY}/launch.py", *_torchrun(name, args, pool)],
        args=["--checkpoint-uri", args.checkpoint_uri, "--ready-file", READY_FILE, *args.program_args],
        env=pods.environment(environment),
        env_from=pods.store_keys(args.endpoint),
        resources=resources(pool, args.gpus_per_node),
        security_context=pods.container_security(),
        # Ready is when the rank has met all others, which is also what Kueue waits for.
        readiness_probe=k8s.core.v1.ProbeArgs(
            exec_=k8s.core.v1.ExecActionArgs(command=["test", "-f", READY_FILE]), period_seconds=5
        ),
        ports=[rendezvous.container_port()],
        volume_mounts=[
            program_mount(PROGRAM_DIRECTORY),
            *pods.scratch_mounts(),
            *fabric_pod(pool, args.gpus_per_node).mounts,
        ],
    )


def _torchrun(name: str, args: TrainingJobArgs, pool: Pool) -> list[str]:
    return [
        *rendezvous.torchrun(
            name, args.namespace, f"{name}-0", nodes=args.nodes, gpus_per_node=args.gpus_per_node
        ),
        f"--shutdown-timeout={save_seconds(pool.grace_seconds)}",
        f"{PROGRAM_DIRECTORY}/program.py",
    ]


def _same_zone(name: str) -> k8s.core.v1.AffinityArgs:
    # Gradients between zones are slow and are charged for. A preference: half a job's nodes elsewhere beat none.
    together = k8s.core.v1.WeightedPodAffinityTermArgs(
        weight=100,
        pod_affinity_term=k8s.core.v1.PodAffinityTermArgs(
            topology_key=ZONE_LABEL,
            label_selector=LabelSelectorArgs(match_labels=_labels(name)),
        ),
    )
    return k8s.core.v1.AffinityArgs(
        pod_affinity=k8s.core.v1.PodAffinityArgs(
            preferred_during_scheduling_ignored_during_execution=[together]
        )
    )
