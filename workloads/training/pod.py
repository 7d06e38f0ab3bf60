"""The pod of a training job, which is the same whoever runs it: a Job, a TrainJob or a RayJob."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.contracts.cluster import GpuCluster, Pool
from infra.contracts.labels import DO_NOT_DISRUPT, ZONE_LABEL
from infra.contracts.lake import Endpoint
from infra.contracts.site import Service
from infra.settings.workloads.training import Recovery, Runner
from workloads.kubernetes import pods, rendezvous
from workloads.kubernetes.placement import fabric_pod, nccl_environment, resources, tolerations
from workloads.kubernetes.program_files import filled, program_mount, program_texts, program_volume
from workloads.training.needs import APP, METRICS_PORT, METRICS_PORT_NAME, NEEDS

PACKAGE = Path(__file__).with_name("trainer")
DIRECTORY = "/opt/training"
RECIPE = "recipe.json"
READY_FILE = f"{pods.SCRATCH}/ready"
LIGHTHOUSE_PORT = 29510  # torchft's own default

# No autoscaler, Karpenter or GKE's, may stop a job to save on its node.
NOT_FOR_SAVINGS: Mapping[str, str] = {
    DO_NOT_DISRUPT: "true",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}


@dataclass
class TrainingJobArgs:
    """A job of `nodes` pods with `gpus_per_node` GPUs each, on the nodes of `pool`.

    image: has Python with requirements.txt (see the Dockerfile beside it). recipe: what is trained, as JSON
    (trainer/recipe.py); `words` are what stands in it for folders that are known later (`{models}`).
    checkpoint_uri: a folder, `s3://…` or a path, for this job alone.
    endpoint: where those checkpoints are, if not in the cloud's own store.
    data_uri: the folder of the data, in place of the recipe's.
    queue: Kueue's LocalQueue; None starts at once. runner: what makes the pods. recovery: whether all of them start
    anew when one goes, or the others go on as replicas of the model. tracking: the server of the site that the recipe
    names, to which the network is opened. code_commit: of this repository, for the record of the run.
    """

    cluster: GpuCluster
    pool: str
    nodes: int
    gpus_per_node: int
    image: pulumi.Input[str]
    recipe: str
    checkpoint_uri: pulumi.Input[str]
    words: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    endpoint: Endpoint | None = None
    namespace: str = "training"
    service_account: str = "training"
    queue: str | None = "gpus"
    priority_class: str | None = NEEDS.priority_class
    runner: Runner = "job"
    recovery: Recovery = "checkpoints"
    tracking: Service | None = None
    code_commit: str | None = None
    data_uri: pulumi.Input[str] | None = None


def labels(name: str) -> dict[str, str]:
    """Of the pods of the job `name`, and of all that is made for them."""
    return {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": name}


def lighthouse_address(name: str, namespace: str) -> str:
    """Where the replicas of the job `name` ask who of them is there."""
    return f"http://{name}-lighthouse.{namespace}.svc:{LIGHTHOUSE_PORT}"


def save_seconds(grace_seconds: int) -> int:
    """What the ranks get of a pod's grace to end their step and save: 90 of 110 s. torchrun's default is 30."""
    return grace_seconds * 9 // 11


def files() -> dict[str, str]:
    """The trainer's package, as it lies in the pod beside the recipe."""
    sources = sorted(PACKAGE.rglob("*.py"))
    return {source.relative_to(PACKAGE.parent).as_posix(): source.read_text() for source in sources}


class TrainingPod:
    """The parts of a pod of one job, with the ConfigMap that holds its program and its recipe."""

    def __init__(
        self,
        name: str,
        args: TrainingJobArgs,
        pool: Pool,
        opts: pulumi.ResourceOptions,
        programs: Mapping[str, str] | None = None,
    ) -> None:
        texts = {**files(), **(programs or {}), RECIPE: args.recipe}
        self._name, self._args, self._pool = name, args, pool
        self._fabric = fabric_pod(pool, args.gpus_per_node)
        self._paths = list(texts)
        known = {RECIPE: filled(args.recipe, args.words)}
        self._program = program_texts(name, args.namespace, texts, labels(name), opts, known)

    def template(self, container: k8s.core.v1.ContainerArgs, **spec: Any) -> k8s.core.v1.PodTemplateSpecArgs:
        """The pod on a node of the pool, with one container; `spec` is what its controller has it say besides."""
        args, pool = self._args, self._pool
        return k8s.core.v1.PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(
                labels=labels(self._name), annotations={**NOT_FOR_SAVINGS, **self._fabric.annotations}
            ),
            spec=k8s.core.v1.PodSpecArgs(
                restart_policy="Never",
                service_account_name=args.service_account,
                automount_service_account_token=False,
                enable_service_links=False,
                priority_class_name=args.priority_class,
                termination_grace_period_seconds=pool.grace_seconds,
                node_selector=dict(pool.node_selector),
                tolerations=tolerations(pool),
                affinity=_same_zone(self._name) if args.nodes > 1 else None,
                security_context=pods.pod_security(),
                init_containers=[*self._fabric.sidecars] or None,
                containers=[container],
                volumes=[*self.volumes(args.gpus_per_node), *self._fabric.volumes],
                **spec,
            ),
        )

    def torchrun(self, name: str, first_pod: str) -> k8s.core.v1.ContainerArgs:
        """The container called `name` that runs the trainer under torchrun, whose ranks meet at `first_pod`."""
        flags = self._meeting(first_pod)
        grace = f"--shutdown-timeout={save_seconds(self._pool.grace_seconds)}"
        # Ready is when the rank has met all others, which is also what Kueue waits for.
        met = k8s.core.v1.ProbeArgs(
            exec_=k8s.core.v1.ExecActionArgs(command=["test", "-f", READY_FILE]), period_seconds=5
        )
        return self.container(
            name,
            command=["python", "-m", "trainer.launch", *flags, grace, "--"],
            args=[*self.trainer_flags(), "--ready-file", READY_FILE],
            readiness_probe=met,
            ports=[rendezvous.container_port(), metrics_port()],
        )

    def _meeting(self, first_pod: str) -> list[str]:
        """The flags of torchrun that say whom its ranks meet: those of all pods, or of a replica those of its own."""
        name, args = self._name, self._args
        if args.recovery == "replicas":
            return ["--standalone", f"--nproc-per-node={args.gpus_per_node}", "--max-restarts=0"]
        return rendezvous.torchrun(
            name, args.namespace, first_pod, nodes=args.nodes, gpus_per_node=args.gpus_per_node
        )

    def trainer_flags(self) -> list[pulumi.Input[str]]:
        """The flags of the trainer, whoever starts it."""
        data = ["--data-uri", self._args.data_uri] if self._args.data_uri else []
        return ["--recipe", f"{DIRECTORY}/{RECIPE}", "--checkpoint-uri", self._args.checkpoint_uri, *data]

    def container(self, name: str, **of_runner: Any) -> k8s.core.v1.ContainerArgs:
        """A container with the trainer, its GPUs and their fabric, and a place to write; `of_runner` starts it."""
        args, pool = self._args, self._pool
        return k8s.core.v1.ContainerArgs(
            name=name,
            image=args.image,
            working_dir=DIRECTORY,
            env=self.environment(nccl_environment(pool, args.gpus_per_node, pods=args.nodes)),
            env_from=pods.store_keys(args.endpoint),
            resources=resources(pool, args.gpus_per_node),
            security_context=pods.container_security(),
            volume_mounts=[*self.mounts(), *self._fabric.mounts],
            **of_runner,
        )

    def environment(self, more: Mapping[str, str]) -> list[k8s.core.v1.EnvVarArgs]:
        """What the trainer knows of its pod."""
        values: dict[str, pulumi.Input[str]] = {
            "PYTHONPATH": DIRECTORY,
            "PYTHONUNBUFFERED": "1",
            # For the record of the run (trainer/record.py).
            "IMAGE": self._args.image,
            **({"CODE_COMMIT": self._args.code_commit} if self._args.code_commit else {}),
            # The flight recorder: which collective hung, written when one does.
            "TORCH_FR_BUFFER_SIZE": "2000",
            "TORCH_NCCL_DUMP_ON_TIMEOUT": "1",
            "TORCH_NCCL_DEBUG_INFO_TEMP_FILE": f"{pods.SCRATCH}/flight-record-",
            **({"RAY_USAGE_STATS_ENABLED": "0"} if self._args.runner == "rayjob" else {}),
            **(self._of_replica() if self._args.recovery == "replicas" else {}),
            **pods.scratch_environment(),
            **self._args.cluster.environment,
            **more,
            **(self._args.endpoint.environment if self._args.endpoint else {}),
        }
        return [*pods.environment(values), _pod_ip()]

    def _of_replica(self) -> dict[str, str]:
        lighthouse = lighthouse_address(self._name, self._args.namespace)
        # Of each step torchft would write two lines.
        return {"TORCHFT_LIGHTHOUSE": lighthouse, "RUST_LOG": "warn"}

    def volumes(self, gpus: int) -> Sequence[k8s.core.v1.VolumeArgs]:
        """The program and the recipe, and room to write."""
        room = pods.scratch_volumes(pods.SHARED_MEMORY_GIB_PER_GPU * max(1, gpus))
        return [program_volume(self._program, self._paths), *room]

    def mounts(self) -> Sequence[k8s.core.v1.VolumeMountArgs]:
        """Where those appear."""
        return [program_mount(DIRECTORY), *pods.scratch_mounts()]


def metrics_port() -> k8s.core.v1.ContainerPortArgs:
    """Where Prometheus reads."""
    return k8s.core.v1.ContainerPortArgs(name=METRICS_PORT_NAME, container_port=METRICS_PORT)


def _pod_ip() -> k8s.core.v1.EnvVarArgs:
    field_ref = k8s.core.v1.ObjectFieldSelectorArgs(field_path="status.podIP")
    return k8s.core.v1.EnvVarArgs(name="POD_IP", value_from=k8s.core.v1.EnvVarSourceArgs(field_ref=field_ref))


def _same_zone(name: str) -> k8s.core.v1.AffinityArgs:
    # Gradients between zones are slow and are charged for. A preference: half a job's nodes elsewhere beat none.
    together = k8s.core.v1.WeightedPodAffinityTermArgs(
        weight=100,
        pod_affinity_term=k8s.core.v1.PodAffinityTermArgs(
            topology_key=ZONE_LABEL,
            label_selector=LabelSelectorArgs(match_labels=labels(name)),
        ),
    )
    return k8s.core.v1.AffinityArgs(
        pod_affinity=k8s.core.v1.PodAffinityArgs(
            preferred_during_scheduling_ignored_during_execution=[together]
        )
    )
