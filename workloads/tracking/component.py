"""TrackingServer: replicas of MLflow's server on PostgreSQL and the lake, behind a Service.

Flags, paths and variables: MLflow 3.17.2 (mlflow/cli, mlflow/environment_variables.py, mlflow/telemetry/utils.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.contracts.cluster import GpuCluster
from infra.contracts.lake import Endpoint
from infra.settings.workloads.tracking import Tracking
from workloads.kubernetes import pods
from workloads.kubernetes.database import database_environment, database_mount, database_volume
from workloads.kubernetes.program_files import program_mount, program_texts, program_volume
from workloads.kubernetes.server import disruption_budget, needs_of, spread
from workloads.tracking.needs import APP, NAMESPACE, NEEDS, PORT, PORT_NAME

# libpq's variables say the rest.
ADDRESS = "postgresql+psycopg2://"
FOLDER = Path(__file__).parent
PROGRAMS = "/opt/tracking"
# The server goes on answering while endpoints forget it; then it ends what it has begun.
FORGET_SECONDS, GRACE_SECONDS = 10, 60
# Measured idle: 283 MB a worker, 255 MB the command that started it (docs/tracking.md).
WORKER_MIB, PARENT_MIB = 512, 256


@dataclass(frozen=True)
class TrackingServerArgs:
    """The server of `settings`. artifacts: the folder of the lake, `s3://…` or `gs://…`, that it proxies.

    endpoint: where that is, if not in the cloud's own store.
    """

    cluster: GpuCluster
    settings: Tracking
    image: pulumi.Input[str]
    artifacts: pulumi.Input[str]
    endpoint: Endpoint | None = None


class TrackingServer(pulumi.ComponentResource):
    """The Deployment, its Service and its PodDisruptionBudget. A pod first migrates the database, one after the other.

    url: of the server inside the cluster, for `MLFLOW_TRACKING_URI`.
    """

    url: str

    def __init__(
        self, name: str, args: TrackingServerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("india-ai-infra:workloads:TrackingServer", name, None, opts)
        child = pulumi.ResourceOptions(
            parent=self,
            provider=args.cluster.provider,
            depends_on=[*args.cluster.platform],
            deleted_with=args.cluster.resource,
        )
        labels = {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": name}
        metadata = ObjectMetaArgs(name=name, namespace=NAMESPACE, labels=labels)
        selector = LabelSelectorArgs(match_labels=labels)
        program = program_texts(name, NAMESPACE, programs(), labels, child)
        deployment = k8s.apps.v1.Deployment(
            name,
            metadata=metadata,
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=args.settings.replicas,
                selector=selector,
                revision_history_limit=3,
                # The first pod of a new version migrates: for minutes, where the tables are large.
                progress_deadline_seconds=1800,
                strategy=k8s.apps.v1.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0),
                ),
                template=k8s.core.v1.PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=labels), spec=_pod(name, args, labels, program)
                ),
            ),
            opts=child,
        )
        disruption_budget(name, NAMESPACE, labels, child)
        k8s.core.v1.Service(
            f"{name}-service",
            metadata=metadata,
            spec=k8s.core.v1.ServiceSpecArgs(
                selector=labels,
                ports=[k8s.core.v1.ServicePortArgs(name=PORT_NAME, port=PORT, target_port=PORT_NAME)],
            ),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[deployment])),
        )
        self.url = f"http://{name}.{NAMESPACE}.svc:{PORT}"
        self.register_outputs({"url": self.url})


def programs() -> dict[str, str]:
    """What pods of the image run beside MLflow, by its path: the migration, and the package `registry`."""
    files = [FOLDER / "migrate.py", *sorted((FOLDER / "registry").glob("*.py"))]
    return {file.relative_to(FOLDER).as_posix(): file.read_text() for file in files}


def service_hosts(name: str) -> list[str]:
    """The Service's names, as clients write them in the header `Host`."""
    names = (name, f"{name}.{NAMESPACE}", f"{name}.{NAMESPACE}.svc", f"{name}.{NAMESPACE}.svc.cluster.local")
    return [f"{each}:{PORT}" for each in names]


def _pod(
    name: str, args: TrackingServerArgs, labels: Mapping[str, str], program: k8s.core.v1.ConfigMap
) -> k8s.core.v1.PodSpecArgs:
    return k8s.core.v1.PodSpecArgs(
        service_account_name=NAMESPACE,
        automount_service_account_token=False,
        enable_service_links=False,
        priority_class_name=NEEDS.priority_class,
        termination_grace_period_seconds=GRACE_SECONDS,
        topology_spread_constraints=spread(labels),
        security_context=pods.pod_security(),
        init_containers=[_migration(args)],
        containers=[_server(name, args)],
        volumes=[*pods.scratch_volumes(1), database_volume(), program_volume(program, list(programs()))],
    )


def _migration(args: TrackingServerArgs) -> k8s.core.v1.ContainerArgs:
    return k8s.core.v1.ContainerArgs(
        name="migrate",
        image=args.image,
        command=["python", f"{PROGRAMS}/migrate.py"],
        env=pods.environment(_common()),
        env_from=[database_environment()],
        resources=needs_of("500m", WORKER_MIB),
        security_context=pods.container_security(),
        volume_mounts=[*pods.scratch_mounts(), database_mount(), program_mount(PROGRAMS)],
    )


def _server(name: str, args: TrackingServerArgs) -> k8s.core.v1.ContainerArgs:
    hosts = args.settings.hosts
    values = {
        **_common(),
        # Prometheus calls a pod by its address, which the kubelet puts here.
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(
            [*service_hosts(name), f"localhost:{PORT}", f"127.0.0.1:{PORT}", f"$(POD_IP):{PORT}", *hosts]
        ),
        **args.cluster.environment,
        **(args.endpoint.environment if args.endpoint else {}),
    }
    if hosts:
        values["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(f"https://{host}" for host in hosts)
    sleep = k8s.core.v1.LifecycleHandlerArgs(sleep=k8s.core.v1.SleepActionArgs(seconds=FORGET_SECONDS))
    return k8s.core.v1.ContainerArgs(
        name="mlflow",
        image=args.image,
        command=["mlflow", "server"],
        args=[
            "--host=0.0.0.0",
            f"--port={PORT}",
            f"--workers={args.settings.workers}",
            f"--backend-store-uri={ADDRESS}",
            "--serve-artifacts",
            pulumi.Output.concat("--artifacts-destination=", args.artifacts),
            f"--expose-prometheus={pods.SCRATCH}/metrics",
        ],
        env=[_pod_ip(), *pods.environment(values)],
        env_from=[database_environment(), *(pods.store_keys(args.endpoint) or [])],
        ports=[k8s.core.v1.ContainerPortArgs(name=PORT_NAME, container_port=PORT)],
        resources=needs_of("500m", PARENT_MIB + WORKER_MIB * args.settings.workers),
        security_context=pods.container_security(),
        startup_probe=_probe(period=3, failures=60),
        readiness_probe=_probe(period=5, failures=3),
        liveness_probe=_probe(period=20, failures=6),
        lifecycle=k8s.core.v1.LifecycleArgs(pre_stop=sleep),
        volume_mounts=[*pods.scratch_mounts(), database_mount(), program_mount(PROGRAMS)],
    )


def _common() -> dict[str, str]:
    """No usage report leaves the pod, no job is run for whoever asks the server, and our programs are found."""
    return {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONPATH": PROGRAMS,
        **pods.scratch_environment(),
    }


def _pod_ip() -> k8s.core.v1.EnvVarArgs:
    field = k8s.core.v1.ObjectFieldSelectorArgs(field_path="status.podIP")
    return k8s.core.v1.EnvVarArgs(name="POD_IP", value_from=k8s.core.v1.EnvVarSourceArgs(field_ref=field))


def _probe(period: int, failures: int) -> k8s.core.v1.ProbeArgs:
    return k8s.core.v1.ProbeArgs(
        http_get=k8s.core.v1.HTTPGetActionArgs(path="/health", port=PORT_NAME),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=5,
    )
