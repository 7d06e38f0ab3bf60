"""FeatureStore: the server, its Redis, and the CronJob that fills it from the lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.cluster import GpuCluster
from infra.settings.workloads.features import Features, Hopsworks
from workloads.features.needs import JOB_APP, METRICS_PORT_NAME, NAMESPACE, NEEDS, REDIS_APP, SERVER_APP
from workloads.features.package import DEFINITIONS, files
from workloads.kubernetes import pods, redis
from workloads.kubernetes.database import database_environment, database_mount, database_volume
from workloads.kubernetes.program_files import program_mount, program_texts, program_volume
from workloads.kubernetes.server import (
    FORGET_SECONDS,
    Server,
    deploy,
    forgotten_first,
    from_secret,
    needs_of,
    probe,
)

# The port of Feast's own server.
PORT, METRICS_PORT = 6566, 9464
DIRECTORY = "/opt/features"
DRAIN_SECONDS = 20  # programs/__main__.py
# programs/__main__.py: what is wrong now would be so again.
FINAL_CODE = 64
# Of the CronJob: a run that could not begin in this time is left out, and the next one does its work too.
DEADLINE_SECONDS = 3600


@dataclass(frozen=True)
class FeatureStoreArgs:
    """The feature store of `settings`; `lake` is the folder of its project."""

    cluster: GpuCluster
    settings: Features
    image: pulumi.Input[str]
    redis_image: pulumi.Input[str]
    lake: pulumi.Input[str]


class FeatureStore(pulumi.ComponentResource):
    """`url`: of the server inside the cluster, as Feast's client has it (`online_store: {type: remote, path: …}`)."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: FeatureStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:workloads:FeatureStore", name, None, opts)
        cluster = args.cluster
        child = pulumi.ResourceOptions(
            parent=self,
            provider=cluster.provider,
            depends_on=[*cluster.platform],
            deleted_with=cluster.resource,
        )
        redis.create(_redis(name, args), child)
        texts = files(args.settings.definitions)
        labels = {"app.kubernetes.io/name": SERVER_APP, "app.kubernetes.io/instance": name}
        program = program_volume(program_texts(name, NAMESPACE, texts, labels, child), list(texts))
        service = deploy(_server(name, args, program), child)
        _materialisation(name, args, program, child)
        if args.settings.hopsworks:
            _hopsworks(name, args.settings.hopsworks, child)
        self.url = service.metadata.apply(lambda made: f"http://{made.name}.{made.namespace}.svc:{PORT}")
        self.register_outputs({"url": self.url})


def _redis(name: str, args: FeatureStoreArgs) -> redis.RedisArgs:
    """What it loses the next materialisation writes again. It drops no value: a null would be a lie."""
    return redis.RedisArgs(
        name=f"{name}-redis",
        namespace=NAMESPACE,
        app=REDIS_APP,
        image=args.redis_image,
        memory_mib=args.settings.redis_memory_mib,
        full="noeviction",
        priority_class=NEEDS.priority_class,
    )


def _server(name: str, args: FeatureStoreArgs, program: k8s.core.v1.VolumeArgs) -> Server:
    container = _container(
        name,
        args,
        "server",
        ["serve", "--port", str(PORT), "--metrics-port", str(METRICS_PORT)],
        ports=[
            k8s.core.v1.ContainerPortArgs(name="http", container_port=PORT),
            k8s.core.v1.ContainerPortArgs(name=METRICS_PORT_NAME, container_port=METRICS_PORT),
        ],
        resources=needs_of("500m", 768),
        # Not /ready, which fails until the first materialisation: an update would wait for it.
        readiness_probe=probe("/health"),
        liveness_probe=probe("/health", period=30, failures=5),
        # Feast and what it imports: seconds, on a busy node many.
        startup_probe=probe("/health", period=2, failures=150),
        lifecycle=forgotten_first(),
    )
    return Server(
        name=name,
        namespace=NAMESPACE,
        app=SERVER_APP,
        replicas=args.settings.replicas,
        container=container,
        ports={"http": PORT},
        grace_seconds=FORGET_SECONDS + DRAIN_SECONDS + 5,
        priority_class=NEEDS.priority_class,
        volumes=[program, database_volume()],
    )


def _materialisation(
    name: str, args: FeatureStoreArgs, program: k8s.core.v1.VolumeArgs, opts: pulumi.ResourceOptions
) -> k8s.batch.v1.CronJob:
    labels = {"app.kubernetes.io/name": JOB_APP, "app.kubernetes.io/instance": name}
    memory = args.settings.job_memory_mib
    pod = k8s.core.v1.PodSpecArgs(
        restart_policy="Never",
        service_account_name=NAMESPACE,
        automount_service_account_token=False,
        enable_service_links=False,
        priority_class_name=NEEDS.priority_class,
        security_context=pods.pod_security(),
        containers=[_container(name, args, "materialise", ["materialise"], resources=needs_of("1", memory))],
        volumes=[*pods.scratch_volumes(1), program, database_volume()],
    )
    final = k8s.batch.v1.PodFailurePolicyOnExitCodesRequirementArgs(
        container_name="materialise", operator="In", values=[FINAL_CODE]
    )
    job = k8s.batch.v1.JobSpecArgs(
        backoff_limit=3,
        pod_failure_policy=k8s.batch.v1.PodFailurePolicyArgs(
            rules=[k8s.batch.v1.PodFailurePolicyRuleArgs(action="FailJob", on_exit_codes=final)]
        ),
        template=k8s.core.v1.PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=pod),
    )
    return k8s.batch.v1.CronJob(
        f"{name}-materialise",
        metadata=ObjectMetaArgs(name=f"{name}-materialise", namespace=NAMESPACE, labels=labels),
        spec=k8s.batch.v1.CronJobSpecArgs(
            schedule=args.settings.schedule,
            time_zone="Asia/Kolkata",
            # And the program takes a lock, against a run by hand.
            concurrency_policy="Forbid",
            starting_deadline_seconds=DEADLINE_SECONDS,
            successful_jobs_history_limit=3,
            failed_jobs_history_limit=5,
            job_template=k8s.batch.v1.JobTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=job),
        ),
        opts=opts,
    )


def _container(
    name: str, args: FeatureStoreArgs, container: str, arguments: list[str], **others: Any
) -> k8s.core.v1.ContainerArgs:
    return k8s.core.v1.ContainerArgs(
        name=container,
        image=args.image,
        working_dir=DIRECTORY,
        command=["python", "-m", "programs"],
        args=arguments,
        env=[*pods.environment(_environment(name, args)), _password(name)],
        env_from=[database_environment()],
        security_context=pods.container_security(),
        volume_mounts=[*pods.scratch_mounts(), program_mount(DIRECTORY), database_mount()],
        **others,
    )


def _environment(name: str, args: FeatureStoreArgs) -> dict[str, pulumi.Input[str]]:
    settings = args.settings
    own: dict[str, pulumi.Input[str]] = {
        "FEATURES_PROJECT": settings.project,
        "FEATURES_DEFINITIONS": f"{DIRECTORY}/{DEFINITIONS}",
        "FEATURES_LAKE": args.lake,
        "FEATURES_REDIS": f"{redis.host(f'{name}-redis', NAMESPACE)}:{redis.PORT}",
        "FEATURES_MAX_TTL_DAYS": str(settings.max_ttl_days),
        "FEATURES_STALE_SECONDS": str(3600 * settings.stale_after_hours),
        "FEAST_USAGE": "False",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {**own, **pods.scratch_environment(), **args.cluster.environment}


def _password(name: str) -> k8s.core.v1.EnvVarArgs:
    return from_secret("REDIS_PASSWORD", f"{name}-redis", "password")


def _hopsworks(name: str, asked: Hopsworks, opts: pulumi.ResourceOptions) -> k8s.core.v1.ConfigMap:
    """What `hopsworks.login()` reads (docs.hopsworks.ai/latest/python-api/hopsworks); the key is in the Secret."""
    return k8s.core.v1.ConfigMap(
        f"{name}-hopsworks",
        metadata=ObjectMetaArgs(
            name=f"{name}-hopsworks",
            namespace=NAMESPACE,
            annotations={"india-ai-infra/api-key-secret": asked.api_key_secret},
        ),
        data={
            "HOPSWORKS_HOST": asked.host,
            "HOPSWORKS_PORT": str(asked.port),
            "HOPSWORKS_PROJECT": asked.project,
            "HOPSWORKS_HOSTNAME_VERIFICATION": "True",
        },
        opts=opts,
    )
