"""The same pods by a RayJob of KubeRay 1.7: the trainer under Ray Train, one worker of it on each GPU.

Read: ray-project/kuberay at v1.7.0, apis/ray/v1 (fields), controllers/ray/common/pod.go (what it adds to pods),
controllers/ray/utils/validation.go; Kueue's page "Run a RayJob" (what it can suspend).
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.labels import QUEUE_LABEL
from workloads.kubernetes import pods
from workloads.training.pod import NOT_FOR_SAVINGS, TrainingJobArgs, TrainingPod, labels, metrics_port

API_VERSION = "ray.io/v1"
RAY_VERSION = "2.60.0"  # requirements-ray.txt
ENTRY = Path(__file__).with_name("ray_entry.py")
# After it has ended the cluster of the job stays this long, for its pages.
KEPT_SECONDS = 600


def ray_job(
    name: str, args: TrainingJobArgs, pod: TrainingPod, opts: pulumi.ResourceOptions
) -> CustomResource:
    """The RayJob, with a Ray cluster of its own. No update waits for its workers."""
    queue = {QUEUE_LABEL: args.queue} if args.queue else {}
    workers = {
        "groupName": "gpus",
        "replicas": args.nodes,
        "minReplicas": args.nodes,
        "maxReplicas": args.nodes,
        "rayStartParams": {"num-gpus": str(args.gpus_per_node)},
        "template": pod.template(pod.container("ray-worker", ports=[metrics_port()])),
    }
    head = {
        # No actor of the training on the head, which has no GPU.
        "rayStartParams": {"dashboard-host": "0.0.0.0", "num-cpus": "0"},
        "template": _head(name, args, pod),
    }
    spec = {
        "entrypoint": pulumi.Output.all(*_entry(args, pod)).apply(shlex.join),
        # The operator submits by itself: no pod of a third kind, which Pod Security would refuse.
        "submissionMode": "HTTPMode",
        "backoffLimit": 0,  # Ray Train starts workers anew
        # Kueue suspends no other.
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "rayClusterSpec": {"rayVersion": RAY_VERSION, "headGroupSpec": head, "workerGroupSpecs": [workers]},
    }
    return CustomResource(
        f"{name}-rayjob",
        api_version=API_VERSION,
        kind="RayJob",
        metadata=ObjectMetaArgs(name=name, namespace=args.namespace, labels=labels(name) | queue),
        spec=spec,
        # A RayJob that runs takes no change.
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(delete_before_replace=True, replace_on_changes=["spec"])
        ),
    )


def _entry(args: TrainingJobArgs, pod: TrainingPod) -> list[pulumi.Input[str]]:
    workers = str(args.nodes * args.gpus_per_node)
    return ["python", "-m", "ray_entry", "--workers", workers, "--gpu", *pod.trainer_flags()]


def _head(name: str, args: TrainingJobArgs, pod: TrainingPod) -> k8s.core.v1.PodTemplateSpecArgs:
    """The head, on a node without GPUs. It holds the job's control: what runs there may not be moved either."""
    requests = {"cpu": "1", "memory": "4Gi"}
    container = k8s.core.v1.ContainerArgs(
        name="ray-head",
        image=args.image,
        working_dir=None,
        env=pod.environment({}),
        env_from=pods.store_keys(args.endpoint),
        resources=k8s.core.v1.ResourceRequirementsArgs(requests=requests, limits={"memory": "4Gi"}),
        security_context=pods.container_security(),
        volume_mounts=[*pod.mounts()],
    )
    return k8s.core.v1.PodTemplateSpecArgs(
        metadata=ObjectMetaArgs(
            labels=labels(name) | {"app.kubernetes.io/name": "training-head"},
            annotations=dict(NOT_FOR_SAVINGS),
        ),
        spec=k8s.core.v1.PodSpecArgs(
            restart_policy="Never",
            service_account_name=args.service_account,
            automount_service_account_token=False,
            enable_service_links=False,
            priority_class_name=args.priority_class,
            security_context=pods.pod_security(),
            containers=[container],
            volumes=[*pod.volumes(1)],
        ),
    )
