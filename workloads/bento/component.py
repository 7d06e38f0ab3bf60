"""BentoService: replicas of a BentoML service on CPUs, behind a Service.

Paths and port: `bentoml serve` of BentoML 1.4.40.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.contracts.cluster import GpuCluster
from infra.contracts.labels import ZONE_LABEL
from infra.contracts.lake import Endpoint
from workloads.bento.needs import APP, NEEDS, PORT_NAME
from workloads.kubernetes import pods

PORT = 3000
# The server goes on answering while endpoints forget it; then it ends what it has begun.
FORGET_SECONDS, GRACE_SECONDS = 10, 60


@dataclass
class BentoServiceArgs:
    """`replicas` pods with `cpus` and `memory_gib` each. model: the folder of model.onnx, `s3://…` or `gs://…`.

    endpoint: where that is, if not in the cloud's own store.
    """

    cluster: GpuCluster
    image: pulumi.Input[str]
    model: pulumi.Input[str]
    replicas: int = 2
    cpus: int = 2
    memory_gib: int = 4
    endpoint: Endpoint | None = None
    namespace: str = "bento"


class BentoService(pulumi.ComponentResource):
    """The Deployment, its Service and its PodDisruptionBudget.

    url: of the service inside the cluster; `POST /predict` with `{"rows": [[…]]}`.
    """

    url: pulumi.Output[str]

    def __init__(self, name: str, args: BentoServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:workloads:BentoService", name, None, opts)
        child = pulumi.ResourceOptions(
            parent=self,
            provider=args.cluster.provider,
            depends_on=[*args.cluster.platform],
            deleted_with=args.cluster.resource,
        )
        labels = {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": name}
        metadata = ObjectMetaArgs(name=name, namespace=args.namespace, labels=labels)
        selector = LabelSelectorArgs(match_labels=labels)
        deployment = k8s.apps.v1.Deployment(
            name,
            metadata=metadata,
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=args.replicas,
                selector=selector,
                revision_history_limit=3,
                template=k8s.core.v1.PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=labels), spec=_pod(args, selector)
                ),
            ),
            opts=child,
        )
        k8s.policy.v1.PodDisruptionBudget(
            f"{name}-disruption-budget",
            metadata=metadata,
            spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(max_unavailable=1, selector=selector),
            opts=child,
        )
        service = k8s.core.v1.Service(
            f"{name}-service",
            metadata=metadata,
            spec=k8s.core.v1.ServiceSpecArgs(
                selector=labels,
                ports=[k8s.core.v1.ServicePortArgs(name=PORT_NAME, port=PORT, target_port=PORT_NAME)],
            ),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[deployment])),
        )
        self.url = service.metadata.apply(lambda made: f"http://{made.name}.{made.namespace}.svc:{PORT}")
        self.register_outputs({"url": self.url})


def _pod(args: BentoServiceArgs, selector: LabelSelectorArgs) -> k8s.core.v1.PodSpecArgs:
    spread = k8s.core.v1.TopologySpreadConstraintArgs(
        max_skew=1, topology_key=ZONE_LABEL, when_unsatisfiable="ScheduleAnyway", label_selector=selector
    )
    return k8s.core.v1.PodSpecArgs(
        service_account_name=args.namespace,
        automount_service_account_token=False,
        enable_service_links=False,
        priority_class_name=NEEDS.priority_class,
        termination_grace_period_seconds=GRACE_SECONDS,
        topology_spread_constraints=[spread],
        security_context=pods.pod_security(),
        containers=[_container(args)],
        volumes=[*pods.scratch_volumes(1)],
    )


def _container(args: BentoServiceArgs) -> k8s.core.v1.ContainerArgs:
    memory = f"{args.memory_gib}Gi"
    values = {
        "MODEL": args.model,
        # One process for each replica: Kubernetes has the others.
        "OMP_NUM_THREADS": str(args.cpus),
        "BENTOML_HOME": f"{pods.SCRATCH}/bentoml",
        "BENTOML_DO_NOT_TRACK": "True",
        **pods.scratch_environment(),
        **args.cluster.environment,
        **(args.endpoint.environment if args.endpoint else {}),
    }
    sleep = k8s.core.v1.LifecycleHandlerArgs(sleep=k8s.core.v1.SleepActionArgs(seconds=FORGET_SECONDS))
    return k8s.core.v1.ContainerArgs(
        name="bento",
        image=args.image,
        command=["bentoml", "serve", "service:Classifier", f"--port={PORT}"],
        env=pods.environment(values),
        env_from=pods.store_keys(args.endpoint),
        ports=[k8s.core.v1.ContainerPortArgs(name=PORT_NAME, container_port=PORT)],
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={"cpu": str(args.cpus), "memory": memory}, limits={"memory": memory}
        ),
        security_context=pods.container_security(),
        startup_probe=_probe("/readyz", period=2, failures=150),
        readiness_probe=_probe("/readyz", period=5, failures=3),
        liveness_probe=_probe("/livez", period=10, failures=6),
        lifecycle=k8s.core.v1.LifecycleArgs(pre_stop=sleep),
        volume_mounts=[*pods.scratch_mounts()],
    )


def _probe(path: str, period: int, failures: int) -> k8s.core.v1.ProbeArgs:
    return k8s.core.v1.ProbeArgs(
        http_get=k8s.core.v1.HTTPGetActionArgs(path=path, port=PORT_NAME),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=5,
    )
