"""A Job of one pod that runs one program on one document of settings, to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.cluster import GpuCluster
from infra.contracts.labels import QUEUE_LABEL
from infra.contracts.lake import Endpoint
from workloads.kubernetes import pods
from workloads.kubernetes.placement import (
    WHEN_MADE,
    may_be_absent,
    pool_for,
    resources,
    tell_waits,
    tolerations,
)
from workloads.kubernetes.program_files import program_mount, program_texts, program_volume

DOCUMENT = "job.json"


@dataclass(frozen=True)
class ProgramJobArgs:
    """One pod with `gpus` GPUs on a node of `pool`, in the namespace and as the service account `namespace`."""

    cluster: GpuCluster
    pool: str
    namespace: str
    app: str
    """The label `app.kubernetes.io/name` of its pod."""
    image: pulumi.Input[str]
    directory: str
    """Where its files lie, and the folder that Python looks in."""
    files: Mapping[str, str]
    """The program, by path below `directory`."""
    module: str
    """What `python -m` runs, with `--job` and the document."""
    document: str
    """What the program is told, as JSON."""
    words: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """What stands in the document for folders that are known later (`{models}`)."""
    final_codes: Sequence[int] = ()
    """Exit codes that another try would end with too."""
    endpoint: Endpoint | None = None
    """Where the lake is, if not in the cloud's own store."""
    queue: str | None = "gpus"
    priority_class: str | None = None
    gpus: int = 1
    secret: tuple[str, str] | None = None
    """A Secret of the namespace whose keys are files, and the folder that they appear in."""


def program_job(
    name: str, args: ProgramJobArgs, parent: pulumi.Resource, opts: pulumi.ResourceOptions
) -> k8s.batch.v1.Job:
    """The Job and its ConfigMap. The update is done with it when it is made. ValueError if the pool can't hold it."""
    pool = pool_for(args.cluster, args.pool, gpus=args.gpus, pods=1)
    labels = {"app.kubernetes.io/name": args.app, "app.kubernetes.io/instance": name}
    texts = {**args.files, DOCUMENT: args.document}
    later = {DOCUMENT: filled(args.document, args.words)}
    program = program_texts(name, args.namespace, texts, labels, opts, later)
    container = k8s.core.v1.ContainerArgs(
        name=args.app,
        image=args.image,
        command=["python", "-m", args.module],
        args=["--job", f"{args.directory}/{DOCUMENT}"],
        working_dir=pods.SCRATCH,
        env=pods.environment(_environment(args)),
        env_from=pods.store_keys(args.endpoint),
        resources=resources(pool, args.gpus),
        security_context=pods.container_security(),
        volume_mounts=[program_mount(args.directory), *pods.scratch_mounts(), *_secret_mounts(args)],
    )
    pod = k8s.core.v1.PodSpecArgs(
        restart_policy="Never",
        service_account_name=args.namespace,
        automount_service_account_token=False,
        enable_service_links=False,
        priority_class_name=args.priority_class,
        node_selector=dict(pool.node_selector),
        tolerations=tolerations(pool),
        security_context=pods.pod_security(),
        containers=[container],
        volumes=[
            program_volume(program, list(texts)),
            *pods.scratch_volumes(pods.SHARED_MEMORY_GIB_PER_GPU * args.gpus),
            *_secret_volumes(args),
        ],
    )
    if may_be_absent(pool):
        tell_waits("job", name, args.namespace, pool, parent)
    return k8s.batch.v1.Job(
        name,
        metadata=ObjectMetaArgs(
            name=name,
            namespace=args.namespace,
            labels=labels | ({QUEUE_LABEL: args.queue} if args.queue else {}),
            annotations=WHEN_MADE,
        ),
        spec=k8s.batch.v1.JobSpecArgs(
            backoff_limit=3,
            pod_failure_policy=_failures(args),
            template=k8s.core.v1.PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=pod),
        ),
        # Its pods can't change: a new program or document is a new Job of the same name.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(delete_before_replace=True)),
    )


def _environment(args: ProgramJobArgs) -> dict[str, pulumi.Input[Any]]:
    endpoint = args.endpoint.environment if args.endpoint else {}
    own = {"PYTHONPATH": args.directory, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"}
    return {**own, **pods.scratch_environment(), **args.cluster.environment, **endpoint}


def _failures(args: ProgramJobArgs) -> k8s.batch.v1.PodFailurePolicyArgs:
    evicted = k8s.batch.v1.PodFailurePolicyOnPodConditionsPatternArgs(type="DisruptionTarget", status="True")
    final = k8s.batch.v1.PodFailurePolicyOnExitCodesRequirementArgs(
        container_name=args.app, operator="In", values=sorted(args.final_codes)
    )
    return k8s.batch.v1.PodFailurePolicyArgs(
        rules=[
            k8s.batch.v1.PodFailurePolicyRuleArgs(action="FailJob", on_exit_codes=final),
            k8s.batch.v1.PodFailurePolicyRuleArgs(action="Ignore", on_pod_conditions=[evicted]),
        ]
    )


def _secret_volumes(args: ProgramJobArgs) -> list[k8s.core.v1.VolumeArgs]:
    if args.secret is None:
        return []
    secret = k8s.core.v1.SecretVolumeSourceArgs(secret_name=args.secret[0], default_mode=0o440)
    return [k8s.core.v1.VolumeArgs(name="secret", secret=secret)]


def _secret_mounts(args: ProgramJobArgs) -> list[k8s.core.v1.VolumeMountArgs]:
    if args.secret is None:
        return []
    return [k8s.core.v1.VolumeMountArgs(name="secret", mount_path=args.secret[1], read_only=True)]


def filled(document: str, words: Mapping[str, pulumi.Input[str]]) -> pulumi.Input[str]:
    """The document with what `words` stand for."""

    def fill(known: Mapping[str, Any]) -> str:
        text = document
        for word, folder in known.items():
            text = text.replace(word, folder)
        return text

    there = {word: folder for word, folder in words.items() if word in document}
    return pulumi.Output.from_input(there).apply(fill) if there else document
