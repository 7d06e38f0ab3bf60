"""DriftWatch: a CronJob that judges each window of a model's samples, and a Deployment that has the last result for
Prometheus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.contracts.cluster import GpuCluster
from infra.contracts.lake import Endpoint
from workloads.drift.access import access
from workloads.drift.needs import APP, METRICS_PORT, METRICS_PORT_NAME, NEEDS
from workloads.drift.package import PROGRAMS, files
from workloads.drift.programs.flight import DEADLINE
from workloads.drift.programs.job import Job
from workloads.kubernetes import pods
from workloads.kubernetes.program_files import filled, program_mount, program_texts, program_volume

DIRECTORY = "/opt/drift"
DOCUMENT = "job.json"
# Minutes after the end of a window, in which what samples it puts its last part.
SCHEDULES = {"day": "20 0 * * *", "hour": "20 * * * *"}
# programs/__main__.py: what is asked can't be done, and would not be again.
REFUSED = 64
GIB = 2


@dataclass
class DriftWatchArgs:
    """`document`: the job as JSON (programs/job.py); `words` stand in it for folders that are known later."""

    cluster: GpuCluster
    image: pulumi.Input[str]
    job: Job
    document: str
    words: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    endpoint: Endpoint | None = None


class DriftWatch(pulumi.ComponentResource):
    """The CronJob, the Deployment, and what the CronJob may do where a training is to follow."""

    cron_job: k8s.batch.v1.CronJob

    def __init__(self, name: str, args: DriftWatchArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:workloads:DriftWatch", name, None, opts)
        child = pulumi.ResourceOptions(
            parent=self,
            provider=args.cluster.provider,
            depends_on=[*args.cluster.platform],
            deleted_with=args.cluster.resource,
        )
        labels = {"app.kubernetes.io/name": "drift", "app.kubernetes.io/instance": name}
        texts = {**files(), DOCUMENT: args.document}
        known = {DOCUMENT: filled(args.document, args.words)}
        program = program_texts(name, NEEDS.name, texts, labels, child, known)
        volumes = [program_volume(program, list(texts)), *pods.scratch_volumes(1)]
        allowed = access(name, args.job.retraining, child) if args.job.retraining else []
        self.cron_job = k8s.batch.v1.CronJob(
            name,
            metadata=ObjectMetaArgs(name=name, namespace=NEEDS.name, labels=labels),
            spec=k8s.batch.v1.CronJobSpecArgs(
                schedule=SCHEDULES[args.job.window],
                time_zone="Etc/UTC",
                concurrency_policy="Forbid",
                starting_deadline_seconds=3600,
                job_template=k8s.batch.v1.JobTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=labels), spec=_job(args, labels, volumes)
                ),
            ),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=allowed)),
        )
        served = {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": name}
        k8s.apps.v1.Deployment(
            f"{name}-metrics",
            metadata=ObjectMetaArgs(name=f"{name}-metrics", namespace=NEEDS.name, labels=served),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=1,
                selector=LabelSelectorArgs(match_labels=served),
                revision_history_limit=3,
                template=k8s.core.v1.PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=served),
                    spec=_pod(args, _serving(args), volumes),
                ),
            ),
            opts=child,
        )
        self.register_outputs({"cronJob": self.cron_job.id})


def _job(
    args: DriftWatchArgs, labels: Mapping[str, str], volumes: Sequence[k8s.core.v1.VolumeArgs]
) -> k8s.batch.v1.JobSpecArgs:
    refused = k8s.batch.v1.PodFailurePolicyOnExitCodesRequirementArgs(
        container_name="drift", operator="In", values=[REFUSED]
    )
    rules = [k8s.batch.v1.PodFailurePolicyRuleArgs(action="FailJob", on_exit_codes=refused)]
    return k8s.batch.v1.JobSpecArgs(
        backoff_limit=2,
        # No start of a training is later than what was paid for it by more than this (programs/flight.py).
        active_deadline_seconds=int(DEADLINE.total_seconds()),
        pod_failure_policy=k8s.batch.v1.PodFailurePolicyArgs(rules=rules),
        template=k8s.core.v1.PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(labels=dict(labels)),
            spec=_pod(
                args,
                _container(args, "drift", ["score"]),
                volumes,
                restart_policy="Never",
                # Only who may ask the API server for something has a token for it.
                automount_service_account_token=args.job.retraining is not None,
            ),
        ),
    )


def _pod(
    args: DriftWatchArgs,
    container: k8s.core.v1.ContainerArgs,
    volumes: Sequence[k8s.core.v1.VolumeArgs],
    *,
    automount_service_account_token: bool = False,
    **spec: Any,
) -> k8s.core.v1.PodSpecArgs:
    return k8s.core.v1.PodSpecArgs(
        service_account_name=NEEDS.name,
        automount_service_account_token=automount_service_account_token,
        enable_service_links=False,
        priority_class_name=NEEDS.priority_class,
        security_context=pods.pod_security(),
        containers=[container],
        volumes=[*volumes],
        **spec,
    )


def _serving(args: DriftWatchArgs) -> k8s.core.v1.ContainerArgs:
    port = k8s.core.v1.ContainerPortArgs(name=METRICS_PORT_NAME, container_port=METRICS_PORT)
    return _container(args, "metrics", ["serve", f"--port={METRICS_PORT}"], ports=[port])


def _container(
    args: DriftWatchArgs, name: str, command: Sequence[str], **more: Any
) -> k8s.core.v1.ContainerArgs:
    values = {
        "PYTHONPATH": DIRECTORY,
        "PYTHONUNBUFFERED": "1",
        "NAMESPACE": NEEDS.name,
        # Evidently would report each run to its makers (evidently/legacy/telemetry).
        "DO_NOT_TRACK": "1",
        **pods.scratch_environment(),
        **args.cluster.environment,
        **(args.endpoint.environment if args.endpoint else {}),
    }
    return k8s.core.v1.ContainerArgs(
        name=name,
        image=args.image,
        command=["python", "-m", PROGRAMS.replace("/", ".")],
        args=["--job", f"{DIRECTORY}/{DOCUMENT}", *command],
        working_dir=pods.SCRATCH,
        env=pods.environment(values),
        env_from=pods.store_keys(args.endpoint),
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={"cpu": "100m" if name == "metrics" else "1", "memory": f"{GIB}Gi"},
            limits={"memory": f"{GIB}Gi"},
        ),
        security_context=pods.container_security(),
        volume_mounts=[program_mount(DIRECTORY), *pods.scratch_mounts()],
        **more,
    )
