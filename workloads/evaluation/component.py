"""RolloutGate: a Job with the candidate and what judges it in one pod, which must succeed before the server changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.labels import INTERNET_EGRESS, SIMULATED_RUNTIME
from infra.contracts.lake import Endpoint
from workloads.evaluation.needs import NEEDS
from workloads.evaluation.package import PROGRAMS, files
from workloads.kubernetes import pods
from workloads.kubernetes.program_files import filled, program_mount, program_texts, program_volume
from workloads.kubernetes.program_job import DOCUMENT
from workloads.kubernetes.ways import Callers, open_ways
from workloads.serving.component import HEALTHY_SECONDS
from workloads.serving.pod import ModelServerArgs, sidecar_pod

APP = "rollout-gate"
DIRECTORY = "/opt/evaluation"
KEY_FOLDER = "/etc/evaluation"
# The volume of the program, beside that of the server's own.
PROGRAM = "evaluation"
# programs/__main__.py: something given is wrong, and the candidate is worse; both would be so again.
FINAL_CODES = (64, 65)
DEADLINE_SECONDS = HEALTHY_SECONDS + 3600


@dataclass
class RolloutGateArgs:
    """`server`: the candidate as it would be rolled out. `document`: the gate as JSON (programs/job.py), with `words`
    for folders that are known later. `urls`: the Services that it asks. `signing_secret`: has key.pem."""

    server: ModelServerArgs
    image: pulumi.Input[str]
    document: str
    words: dict[str, pulumi.Input[str]] = field(default_factory=dict)
    urls: Sequence[str] = ()
    signing_secret: str | None = None
    endpoint: Endpoint | None = None


class RolloutGate(pulumi.ComponentResource):
    """The Job; an update waits for it, and fails with it. A Job that has passed stays, and runs again for another
    candidate, golden set or rule. Raises ValueError, before anything is registered, if the pool can't hold it."""

    job: k8s.batch.v1.Job

    def __init__(self, name: str, args: RolloutGateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:workloads:RolloutGate", name, None, opts)
        cluster = args.server.cluster
        child = pulumi.ResourceOptions(
            parent=self,
            provider=cluster.provider,
            depends_on=cluster.needed_on(args.server.pool),
            deleted_with=cluster.resource,
        )
        open_ways(name, Callers(NEEDS.name, APP), args.urls, child)
        self.job = _job(name, args, child)
        self.register_outputs({"job": self.job.id})


def _job(name: str, args: RolloutGateArgs, opts: pulumi.ResourceOptions) -> k8s.batch.v1.Job:
    labels = {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": name}
    egress = {} if args.server.weights is not None else dict(INTERNET_EGRESS)
    metadata = ObjectMetaArgs(labels=labels | egress, annotations={SIMULATED_RUNTIME: "1s"})
    timeouts = pulumi.CustomTimeouts(create=f"{DEADLINE_SECONDS}s", update=f"{DEADLINE_SECONDS}s")
    final = k8s.batch.v1.PodFailurePolicyOnExitCodesRequirementArgs(
        container_name=APP, operator="In", values=[*FINAL_CODES]
    )
    evicted = k8s.batch.v1.PodFailurePolicyOnPodConditionsPatternArgs(type="DisruptionTarget", status="True")
    return k8s.batch.v1.Job(
        name,
        metadata=ObjectMetaArgs(name=name, namespace=NEEDS.name, labels=labels),
        spec=k8s.batch.v1.JobSpecArgs(
            # An endpoint that gave too many errors may give none the next time.
            backoff_limit=2,
            active_deadline_seconds=DEADLINE_SECONDS,
            pod_failure_policy=k8s.batch.v1.PodFailurePolicyArgs(
                rules=[
                    k8s.batch.v1.PodFailurePolicyRuleArgs(action="FailJob", on_exit_codes=final),
                    k8s.batch.v1.PodFailurePolicyRuleArgs(action="Ignore", on_pod_conditions=[evicted]),
                ]
            ),
            template=k8s.core.v1.PodTemplateSpecArgs(metadata=metadata, spec=_pod(name, args, labels, opts)),
        ),
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(custom_timeouts=timeouts, delete_before_replace=True)
        ),
    )


def _pod(
    name: str, args: RolloutGateArgs, labels: dict[str, str], opts: pulumi.ResourceOptions
) -> k8s.core.v1.PodSpecArgs:
    """The candidate beside what judges it, as the gate's identity."""
    server = replace(
        args.server, namespace=NEEDS.name, service_account=NEEDS.name, priority_class=NEEDS.priority_class
    )
    texts = {**files(), DOCUMENT: args.document}
    known_later = {DOCUMENT: filled(args.document, args.words)}
    program = program_texts(name, NEEDS.name, texts, labels, opts, known_later)
    volumes = [program_volume(program, list(texts), PROGRAM), *_key_volumes(args)]
    return sidecar_pod(name, server, _judge(args), volumes, opts)


def _judge(args: RolloutGateArgs) -> k8s.core.v1.ContainerArgs:
    store = args.endpoint.environment if args.endpoint else {}
    own = {"PYTHONPATH": DIRECTORY, "PYTHONUNBUFFERED": "1"}
    key = k8s.core.v1.VolumeMountArgs(name="key", mount_path=KEY_FOLDER, read_only=True)
    return k8s.core.v1.ContainerArgs(
        name=APP,
        image=args.image,
        command=["python", "-m", PROGRAMS.replace("/", "."), "gate"],
        args=["--job", f"{DIRECTORY}/{DOCUMENT}"],
        working_dir=pods.SCRATCH,
        env=pods.environment(
            {**own, **pods.scratch_environment(), **args.server.cluster.environment, **store}
        ),
        env_from=pods.store_keys(args.endpoint),
        resources=k8s.core.v1.ResourceRequirementsArgs(requests={"cpu": "500m", "memory": "1Gi"}),
        security_context=pods.container_security(),
        volume_mounts=[
            program_mount(DIRECTORY, PROGRAM),
            *pods.scratch_mounts(),
            *([key] if args.signing_secret else []),
        ],
    )


def _key_volumes(args: RolloutGateArgs) -> list[k8s.core.v1.VolumeArgs]:
    if args.signing_secret is None:
        return []
    secret = k8s.core.v1.SecretVolumeSourceArgs(secret_name=args.signing_secret, default_mode=0o440)
    return [k8s.core.v1.VolumeArgs(name="key", secret=secret)]
