"""The lighthouse of a job of replicas: a small pod that tells them who of them is there.

It stands on a node without GPUs, which is bought on demand: beside a replica it would go with the first spot node.
"""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.contracts.labels import DO_NOT_DISRUPT
from workloads.kubernetes import pods
from workloads.training.pod import DIRECTORY, LIGHTHOUSE_PORT, TrainingJobArgs, TrainingPod, labels

PORT_NAME = "lighthouse"
# Its image is the trainer's, several gigabytes on a node that has none of it.
READY_SECONDS = 1200


def lighthouse(
    name: str, args: TrainingJobArgs, pod: TrainingPod, opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The lighthouse and its Service."""
    # Of another name than the job's pods, which are what is scraped and what meets.
    own = labels(name) | {"app.kubernetes.io/name": "training-lighthouse"}
    metadata = ObjectMetaArgs(name=f"{name}-lighthouse", namespace=args.namespace, labels=own)
    timeouts = pulumi.CustomTimeouts(create=f"{READY_SECONDS}s", update=f"{READY_SECONDS}s")
    deployment = k8s.apps.v1.Deployment(
        f"{name}-lighthouse",
        metadata=metadata,
        spec=k8s.apps.v1.DeploymentSpecArgs(
            replicas=1,
            selector=LabelSelectorArgs(match_labels=own),
            # Two would each gather replicas of their own.
            strategy=k8s.apps.v1.DeploymentStrategyArgs(type="Recreate"),
            progress_deadline_seconds=READY_SECONDS,
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=ObjectMetaArgs(labels=own, annotations={DO_NOT_DISRUPT: "true"}),
                spec=_pod(args, pod),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(custom_timeouts=timeouts)),
    )
    service = k8s.core.v1.Service(
        f"{name}-lighthouse",
        metadata=metadata,
        spec=k8s.core.v1.ServiceSpecArgs(
            selector=own, ports=[k8s.core.v1.ServicePortArgs(name=PORT_NAME, port=LIGHTHOUSE_PORT)]
        ),
        opts=opts,
    )
    return [deployment, service]


def _pod(args: TrainingJobArgs, pod: TrainingPod) -> k8s.core.v1.PodSpecArgs:
    resources = {"cpu": "100m", "memory": "128Mi"}
    container = k8s.core.v1.ContainerArgs(
        name="lighthouse",
        image=args.image,
        working_dir=DIRECTORY,
        command=["python", "-m", "trainer.lighthouse", "--port", str(LIGHTHOUSE_PORT)],
        env=pods.environment({"PYTHONUNBUFFERED": "1", "RUST_LOG": "warn", **pods.scratch_environment()}),
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests=resources, limits={"memory": resources["memory"]}
        ),
        security_context=pods.container_security(),
        readiness_probe=k8s.core.v1.ProbeArgs(
            tcp_socket=k8s.core.v1.TCPSocketActionArgs(port=PORT_NAME), period_seconds=5
        ),
        ports=[k8s.core.v1.ContainerPortArgs(name=PORT_NAME, container_port=LIGHTHOUSE_PORT)],
        volume_mounts=[*pod.mounts()],
    )
    return k8s.core.v1.PodSpecArgs(
        service_account_name=args.service_account,
        automount_service_account_token=False,
        enable_service_links=False,
        priority_class_name=args.priority_class,
        security_context=pods.pod_security(),
        containers=[container],
        volumes=[*pod.volumes(1)],
    )
