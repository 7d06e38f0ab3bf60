"""Proof jobs: that a pool's fabric carries traffic at its speed, that its GPUs are sound, and that the lake lets a
workload do what it may and no more.

They are Jobs that `pulumi up` waits for: an update fails with them. A Job that has passed stays, and is run again when
its image, program, pool or floor is another. Of a pool that grows from zero nobody knows when it has nodes, and an
update must not wait for what the cloud may be out of: its proof is a suspended CronJob, from which people make the Job.
On the local cloud pods run in name only, so there they show that they can be placed, and prove nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.catalog.fabric_floors import floors
from infra.contracts.cluster import GpuCluster, Pool
from infra.contracts.labels import QUEUE_LABEL, SIMULATED_RUNTIME
from infra.contracts.resource_options import after
from workloads.kubernetes import pods, rendezvous
from workloads.kubernetes.placement import fabric_pod, nccl_environment, pool_for, resources, tolerations
from workloads.kubernetes.program_files import program_files, program_mount, program_volume

PROGRAMS = [Path(__file__).with_name(file) for file in ("evidence.py", "nccl.py", "lake.py")]
PROGRAM_DIRECTORY = "/opt/proof"
DEADLINE_SECONDS = 3600
# A CronJob must have a time; suspended, it never comes.
NEVER = "0 0 1 1 *"
JOB_NAME = "JOB_NAME"
DCGM_LEVEL = 2  # about two minutes: memory, PCIe and NVLink, without the stress of level 3
NCCL_LOG = f"{pods.SCRATCH}/nccl.%h.%p"


def fabric_pools(cluster: GpuCluster) -> list[Pool]:
    """The pools that have something to prove: a pool of which no node stands is proved when some do."""
    return [pool for pool in cluster.pools.values() if pool.fabric != "none" and pool.static_nodes != 0]


@dataclass
class FabricProofArgs:
    """Proof of `pool`, on `nodes` of its nodes, whole ones.

    image: see the Dockerfile beside it; dcgm_image: NVIDIA's DCGM with `nv-hostengine` and `dcgmi`. evidence_uri: where
    results are kept; None keeps them in the log only. floor_gbs: instead of the table's. queue: Kueue's LocalQueue.
    """

    cluster: GpuCluster
    pool: str
    image: pulumi.Input[str]
    dcgm_image: pulumi.Input[str]
    evidence_uri: pulumi.Input[str] | None = None
    nodes: int = 2
    floor_gbs: float | None = None
    namespace: str = "proof"
    service_account: str = "proof"
    queue: str | None = "gpus"


class FabricProof(pulumi.ComponentResource):
    """`diagnosis` runs `dcgmi diag` on each node, then `nccl` measures all_reduce over all of them.

    Raises ValueError, before anything is registered, if the pool has no fabric, no floor, or too few nodes.
    """

    diagnosis: k8s.batch.v1.Job
    nccl: k8s.batch.v1.Job

    def __init__(self, name: str, args: FabricProofArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        pool = pool_for(args.cluster, args.pool, gpus=_whole(args), pods=args.nodes)
        floor = _floor(pool, args)
        super().__init__("india-ai-infra:workloads:FabricProof", name, None, opts)
        child = _child(self, args.cluster, args.cluster.needed_on(args.pool))
        program = program_files(name, args.namespace, PROGRAMS, _labels(name), child)
        meeting = rendezvous.rendezvous_service(name, args.namespace, _labels(name), child)
        diagnosis = _pod(args, pool, _dcgm(args, pool))
        self.diagnosis = _job(f"{name}-diag", args, diagnosis, child)
        spec = _nccl_pod(name, args, pool, _nccl(name, f"{name}-0", args, pool, floor), program)
        fabric = fabric_pod(pool, pool.gpus_per_node)
        # After the diagnosis, for each wants every GPU of its nodes; and a broken GPU explains a slow fabric.
        self.nccl = _job(name, args, spec, after(child, self.diagnosis, meeting), fabric.annotations)
        self.register_outputs({"nccl": self.nccl.id, "diagnosis": self.diagnosis.id})


class FabricProofTemplate(pulumi.ComponentResource):
    """The proof of a pool that grows from zero: `template`, a CronJob that never runs by itself.

    A Job that is made from it (`kubectl create job --from`) runs the diagnosis and then the measurement in the same
    pods, so that the machines that come are kept from one to the other. Raises as FabricProof does.
    """

    template: k8s.batch.v1.CronJob

    def __init__(self, name: str, args: FabricProofArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        pool = pool_for(args.cluster, args.pool, gpus=_whole(args), pods=args.nodes)
        floor = _floor(pool, args)
        super().__init__("india-ai-infra:workloads:FabricProofTemplate", name, None, opts)
        child = _child(self, args.cluster, args.cluster.needed_on(args.pool))
        program = program_files(name, args.namespace, PROGRAMS, _labels(name), child)
        meeting = rendezvous.rendezvous_service(name, args.namespace, _labels(name), child)
        # Whatever the Job is called, its first pod is where the ranks meet.
        nccl = _nccl(name, f"$({JOB_NAME})-0", args, pool, floor)
        nccl.env = [_own_job(), *pods.environment(_nccl_environment(args, pool))]
        spec = _nccl_pod(name, args, pool, nccl, program, first=[_dcgm(args, pool)])
        self.template = k8s.batch.v1.CronJob(
            name,
            metadata=ObjectMetaArgs(name=name, namespace=args.namespace, labels=_labels(name)),
            spec=k8s.batch.v1.CronJobSpecArgs(
                schedule=NEVER,
                suspend=True,
                concurrency_policy="Forbid",
                job_template=k8s.batch.v1.JobTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=_labels(name) | _queue(args)),
                    spec=_job_spec(name, args, spec, fabric_pod(pool, pool.gpus_per_node).annotations),
                ),
            ),
            opts=after(child, meeting),
        )
        self.register_outputs({"template": self.template.id})


@dataclass
class LakeProofArgs:
    """Proof of the lake as the proof's own identity meets it.

    uri: where it may write; key: the customer key that must encrypt there; refused_uris: where it must be refused.
    """

    cluster: GpuCluster
    image: pulumi.Input[str]
    uri: pulumi.Input[str]
    key: pulumi.Input[str]
    refused_uris: Sequence[pulumi.Input[str]] = ()
    evidence_uri: pulumi.Input[str] | None = None
    namespace: str = "proof"
    service_account: str = "proof"


class LakeProof(pulumi.ComponentResource):
    """One Job, on a node without GPUs."""

    job: k8s.batch.v1.Job

    def __init__(self, name: str, args: LakeProofArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:workloads:LakeProof", name, None, opts)
        child = _child(self, args.cluster, args.cluster.platform)
        program = program_files(name, args.namespace, PROGRAMS, _labels(name), child)
        refused = [part for uri in args.refused_uris for part in ("--refused-uri", uri)]
        container = k8s.core.v1.ContainerArgs(
            name="lake",
            image=args.image,
            command=["python", f"{PROGRAM_DIRECTORY}/lake.py"],
            args=["--uri", args.uri, "--key", args.key, *refused, *_evidence(args.evidence_uri)],
            env=pods.environment({**args.cluster.environment, **pods.scratch_environment()}),
            resources=k8s.core.v1.ResourceRequirementsArgs(requests={"cpu": "100m", "memory": "256Mi"}),
            security_context=pods.container_security(),
            volume_mounts=[program_mount(PROGRAM_DIRECTORY), *pods.scratch_mounts()],
        )
        self.job = _job(name, args, _bare_pod(args, container, [program_volume(program)], 1), child)
        self.register_outputs({"job": self.job.id})


def _floor(pool: Pool, args: FabricProofArgs) -> float:
    if pool.fabric == "none":
        raise ValueError(f"pool {pool.name!r} has no fabric to prove; pools with one: {_names(args.cluster)}")
    if args.nodes < 2:
        raise ValueError(
            f"pool {pool.name!r}: nodes is {args.nodes}; a fabric is between nodes, so at least 2"
        )
    floor = args.floor_gbs or floors().get((pool.gpu, pool.fabric))
    if floor is None:
        known = ", ".join(f"{gpu} on {fabric}" for gpu, fabric in floors())
        raise ValueError(
            f"pool {pool.name!r}: no floor is known for {pool.gpu} on {pool.fabric} (known: {known}); give floor_gbs"
        )
    return floor


def _names(cluster: GpuCluster) -> str:
    return ", ".join(pool.name for pool in fabric_pools(cluster)) or "none"


def _whole(args: FabricProofArgs) -> int:
    """GPUs of a node; 1 for a pool that is not there, which is refused by name."""
    return args.cluster.pools[args.pool].gpus_per_node if args.pool in args.cluster.pools else 1


def _child(
    parent: pulumi.Resource, cluster: GpuCluster, after: Sequence[pulumi.Resource]
) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(
        parent=parent,
        provider=cluster.provider,
        depends_on=list(after),
        deleted_with=cluster.resource,
    )


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "proof", "app.kubernetes.io/instance": name}


def _job(
    name: str,
    args: FabricProofArgs | LakeProofArgs,
    pod: k8s.core.v1.PodSpecArgs,
    opts: pulumi.ResourceOptions,
    annotations: Mapping[str, str] = MappingProxyType({}),
) -> k8s.batch.v1.Job:
    timeouts = pulumi.CustomTimeouts(create=f"{DEADLINE_SECONDS}s", update=f"{DEADLINE_SECONDS}s")
    return k8s.batch.v1.Job(
        name,
        metadata=ObjectMetaArgs(name=name, namespace=args.namespace, labels=_labels(name) | _queue(args)),
        spec=_job_spec(name, args, pod, annotations),
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(custom_timeouts=timeouts, delete_before_replace=True)
        ),
    )


def _queue(args: FabricProofArgs | LakeProofArgs) -> dict[str, str]:
    queue = args.queue if isinstance(args, FabricProofArgs) else None
    return {QUEUE_LABEL: queue} if queue else {}


def _job_spec(
    name: str,
    args: FabricProofArgs | LakeProofArgs,
    pod: k8s.core.v1.PodSpecArgs,
    annotations: Mapping[str, str],
) -> k8s.batch.v1.JobSpecArgs:
    """Of a Job that is done when every pod has succeeded, and fails at the first that fails."""
    count = args.nodes if isinstance(args, FabricProofArgs) else 1
    evicted = k8s.batch.v1.PodFailurePolicyOnPodConditionsPatternArgs(type="DisruptionTarget", status="True")
    again = k8s.batch.v1.PodFailurePolicyRuleArgs(action="Ignore", on_pod_conditions=[evicted])
    return k8s.batch.v1.JobSpecArgs(
        completion_mode="Indexed",
        completions=count,
        parallelism=count,
        backoff_limit=0,
        active_deadline_seconds=DEADLINE_SECONDS,
        pod_failure_policy=k8s.batch.v1.PodFailurePolicyArgs(rules=[again]),
        template=k8s.core.v1.PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(
                labels=_labels(name), annotations={SIMULATED_RUNTIME: "1s", **annotations}
            ),
            spec=pod,
        ),
    )


def _nccl_pod(
    name: str,
    args: FabricProofArgs,
    pool: Pool,
    nccl: k8s.core.v1.ContainerArgs,
    program: k8s.core.v1.ConfigMap,
    first: Sequence[k8s.core.v1.ContainerArgs] = (),
) -> k8s.core.v1.PodSpecArgs:
    """The pod of the measurement, with the fabric's own parts; `first` runs before anything else in it."""
    fabric = fabric_pod(pool, pool.gpus_per_node)
    spec = _pod(args, pool, nccl, [program_volume(program), *fabric.volumes])
    spec.subdomain, spec.init_containers = name, [*first, *fabric.sidecars] or None
    return spec


def _own_job() -> k8s.core.v1.EnvVarArgs:
    """The name of the pod's Job, which people choose; Kubernetes puts it on each pod."""
    field = k8s.core.v1.ObjectFieldSelectorArgs(field_path="metadata.labels['batch.kubernetes.io/job-name']")
    return k8s.core.v1.EnvVarArgs(name=JOB_NAME, value_from=k8s.core.v1.EnvVarSourceArgs(field_ref=field))


def _pod(
    args: FabricProofArgs,
    pool: Pool,
    container: k8s.core.v1.ContainerArgs,
    volumes: Sequence[Any] = (),
) -> k8s.core.v1.PodSpecArgs:
    """A pod that takes a whole node of the pool."""
    spec = _bare_pod(args, container, volumes, pods.SHARED_MEMORY_GIB_PER_GPU * pool.gpus_per_node)
    spec.node_selector = dict(pool.node_selector)
    spec.tolerations = tolerations(pool)
    return spec


def _bare_pod(
    args: FabricProofArgs | LakeProofArgs,
    container: k8s.core.v1.ContainerArgs,
    volumes: Sequence[Any],
    shared_memory_gib: int,
) -> k8s.core.v1.PodSpecArgs:
    return k8s.core.v1.PodSpecArgs(
        restart_policy="Never",
        service_account_name=args.service_account,
        automount_service_account_token=False,
        enable_service_links=False,
        security_context=pods.pod_security(),
        containers=[container],
        volumes=[*volumes, *pods.scratch_volumes(shared_memory_gib)],
    )


def _dcgm(args: FabricProofArgs, pool: Pool) -> k8s.core.v1.ContainerArgs:
    """NVIDIA's diagnosis, with a host engine of its own: the exporter's has no diagnosis.

    It runs without root, as Pod Security asks, so that what needs root is skipped (nv-hostengine's reference).
    """
    engine = "nv-hostengine --pid /tmp/nv-hostengine.pid --log-filename /tmp/nv-hostengine.log"
    return k8s.core.v1.ContainerArgs(
        name="dcgm",
        image=args.dcgm_image,
        command=["sh", "-c", f"{engine} && dcgmi diag -r {DCGM_LEVEL} -j"],
        working_dir="/tmp",  # where the diagnosis writes its logs
        # The fabric's settings too: on GKE they say where the driver's libraries are.
        env=pods.environment({**pods.scratch_environment(), **nccl_environment(pool, pool.gpus_per_node)}),
        resources=resources(pool, pool.gpus_per_node),
        security_context=pods.container_security(),
        volume_mounts=pods.scratch_mounts(),
    )


def _nccl_environment(args: FabricProofArgs, pool: Pool) -> dict[str, pulumi.Input[str]]:
    return {
        "PYTHONUNBUFFERED": "1",
        "NCCL_DEBUG": "INFO",  # says which network it uses, which the result then holds
        "NCCL_DEBUG_SUBSYS": "INIT,NET",
        "NCCL_DEBUG_FILE": NCCL_LOG,
        **args.cluster.environment,
        **pods.scratch_environment(),
        **nccl_environment(pool, pool.gpus_per_node, pods=args.nodes),
    }


def _nccl(name: str, host: str, args: FabricProofArgs, pool: Pool, floor: float) -> k8s.core.v1.ContainerArgs:
    """The measurement; `host` is the pod where the ranks meet."""
    label = f"{args.cluster.name}/{pool.name}: {pool.gpu} on {pool.fabric}"
    return k8s.core.v1.ContainerArgs(
        name="nccl",
        image=args.image,
        command=["torchrun", *_torchrun(name, host, args, pool)],
        args=[
            f"--floor-gbs={floor:g}",
            f"--label={label}",
            *(["--locks-memory"] if pool.locks_memory else []),
            *_evidence(args.evidence_uri),
        ],
        env=pods.environment(_nccl_environment(args, pool)),
        resources=resources(pool, pool.gpus_per_node),
        security_context=pods.container_security(),
        ports=[rendezvous.container_port()],
        volume_mounts=[
            program_mount(PROGRAM_DIRECTORY),
            *pods.scratch_mounts(),
            *fabric_pod(pool, pool.gpus_per_node).mounts,
        ],
    )


def _torchrun(name: str, host: str, args: FabricProofArgs, pool: Pool) -> list[str]:
    meet = rendezvous.torchrun(name, args.namespace, host, nodes=args.nodes, gpus_per_node=pool.gpus_per_node)
    return [*meet, f"{PROGRAM_DIRECTORY}/nccl.py"]


def _evidence(uri: pulumi.Input[str] | None) -> list[pulumi.Input[str]]:
    return ["--evidence-uri", uri] if uri is not None else []
