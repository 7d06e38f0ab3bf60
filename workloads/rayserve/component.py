"""RayService: an application of Ray Serve on a Ray cluster of its own, made by KubeRay 1.7.

Read: ray-project/kuberay at v1.7.0, apis/ray/v1/rayservice_types.go (fields), controllers/ray/common/pod.go (probes);
Ray 2.60's "Serve Config Files".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.cluster import GpuCluster
from infra.contracts.lake import Endpoint
from workloads.kubernetes import pods
from workloads.rayserve.needs import APP, METRICS_PORT_NAME, NEEDS

API_VERSION = "ray.io/v1"
RAY_VERSION = "2.60.0"  # requirements.txt
PORT, METRICS_PORT = 8000, 8080
DIRECTORY = "/opt/rayserve"
# The head holds the cluster's control and runs no replica.
HEAD_CPUS, HEAD_GIB = 1, 4
GRACE_SECONDS, DRAIN_SECONDS = 60, 40


@dataclass
class RayServiceArgs:
    """`workers` pods with `cpus` and `memory_gib` each, in which `min_replicas` replicas or more run, one to a CPU.

    model: the folder of model.onnx, `s3://…` or `gs://…`. endpoint: where that is, if not in the cloud's own store.
    """

    cluster: GpuCluster
    image: pulumi.Input[str]
    model: pulumi.Input[str]
    workers: int = 2
    cpus: int = 2
    memory_gib: int = 4
    min_replicas: int = 2
    endpoint: Endpoint | None = None
    namespace: str = "rayserve"


class RayService(pulumi.ComponentResource):
    """The RayService. No update waits for its replicas: KubeRay starts a second cluster and moves callers to it.

    url: of the application inside the cluster; `POST /` with `{"rows": [[…]]}`.
    """

    url: str

    def __init__(self, name: str, args: RayServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:workloads:RayService", name, None, opts)
        labels = {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": name}
        workers = {
            "groupName": "cpus",
            "replicas": args.workers,
            "minReplicas": args.workers,
            "maxReplicas": args.workers,
            "rayStartParams": {"num-cpus": str(args.cpus), "metrics-export-port": str(METRICS_PORT)},
            "template": _template(args, labels, "ray-worker", args.cpus, args.memory_gib),
        }
        head = {
            "rayStartParams": {
                "num-cpus": "0",
                "dashboard-host": "0.0.0.0",
                "metrics-export-port": str(METRICS_PORT),
            },
            "template": _template(args, labels, "ray-head", HEAD_CPUS, HEAD_GIB),
        }
        config = pulumi.Output.from_input(args.model).apply(lambda model: serve_config(name, model, args))
        CustomResource(
            f"{name}-rayservice",
            api_version=API_VERSION,
            kind="RayService",
            metadata=ObjectMetaArgs(name=name, namespace=args.namespace, labels=labels),
            spec={
                "serveConfigV2": config,
                "excludeHeadPodFromServeSvc": True,
                "rayClusterConfig": {
                    "rayVersion": RAY_VERSION,
                    "headGroupSpec": head,
                    "workerGroupSpecs": [workers],
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=args.cluster.provider,
                depends_on=[*args.cluster.platform],
                deleted_with=args.cluster.resource,
            ),
        )
        # KubeRay's own Service of the healthy proxies.
        self.url = f"http://{name}-serve-svc.{args.namespace}.svc:{PORT}"
        self.register_outputs({"url": self.url})


def serve_config(name: str, model: str, args: RayServiceArgs) -> str:
    """What Ray Serve is to run, as YAML."""
    replicas = {
        "name": "Classifier",
        "autoscaling_config": {"min_replicas": args.min_replicas, "max_replicas": args.workers * args.cpus},
        "ray_actor_options": {"num_cpus": 1},
        "graceful_shutdown_timeout_s": DRAIN_SECONDS,
    }
    application = {
        "name": name,
        "route_prefix": "/",
        "import_path": "app:build",
        "args": {"model": model},
        "deployments": [replicas],
    }
    # A proxy on each worker, and none on the head.
    proxies = {"proxy_location": "EveryNode", "http_options": {"host": "0.0.0.0", "port": PORT}}
    return yaml.safe_dump({**proxies, "applications": [application]}, sort_keys=False)


def _template(
    args: RayServiceArgs, labels: Mapping[str, str], name: str, cpus: int, memory_gib: int
) -> k8s.core.v1.PodTemplateSpecArgs:
    memory = f"{memory_gib}Gi"
    container = k8s.core.v1.ContainerArgs(
        name=name,
        image=args.image,
        env=pods.environment(_environment(args)),
        env_from=pods.store_keys(args.endpoint),
        ports=[k8s.core.v1.ContainerPortArgs(name=METRICS_PORT_NAME, container_port=METRICS_PORT)],
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={"cpu": str(cpus), "memory": memory}, limits={"memory": memory}
        ),
        security_context=pods.container_security(),
        volume_mounts=[*pods.scratch_mounts()],
    )
    return k8s.core.v1.PodTemplateSpecArgs(
        metadata=ObjectMetaArgs(labels=dict(labels)),
        spec=k8s.core.v1.PodSpecArgs(
            service_account_name=args.namespace,
            automount_service_account_token=False,
            enable_service_links=False,
            priority_class_name=NEEDS.priority_class,
            termination_grace_period_seconds=GRACE_SECONDS,
            security_context=pods.pod_security(),
            containers=[container],
            volumes=[*pods.scratch_volumes(1)],
        ),
    )


def _environment(args: RayServiceArgs) -> dict[str, Any]:
    return {
        "PYTHONPATH": DIRECTORY,
        "RAY_USAGE_STATS_ENABLED": "0",
        **pods.scratch_environment(),
        **args.cluster.environment,
        **(args.endpoint.environment if args.endpoint else {}),
    }
