"""A server of one container on the nodes of the system: its Deployment, its Service, and what its pods have alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from infra.contracts.labels import HOSTNAME_LABEL, ZONE_LABEL
from workloads.kubernetes import pods

# Until the endpoints have forgotten a pod that is about to go.
FORGET_SECONDS = 10
SHARED_MEMORY_GIB = 1


@dataclass(frozen=True)
class Server:
    """A Deployment of one container, and its Service."""

    name: str
    namespace: str
    """Its service account has the same name."""
    app: str
    replicas: int
    container: k8s.core.v1.ContainerArgs
    ports: Mapping[str, int]
    """Of the Service, by the name of the container's port."""
    grace_seconds: int
    priority_class: str | None
    volumes: Sequence[k8s.core.v1.VolumeArgs] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of the pods: another one is another pod."""
    recreate: bool = False
    """The old pod goes before the new one comes."""

    @property
    def labels(self) -> dict[str, str]:
        """Of its pods, and of all that is made for them."""
        return {"app.kubernetes.io/name": self.app, "app.kubernetes.io/instance": self.name}


def deploy(server: Server, opts: pulumi.ResourceOptions) -> k8s.core.v1.Service:
    """The Deployment, its disruption budget and its Service."""
    deployment = k8s.apps.v1.Deployment(
        server.name,
        metadata=ObjectMetaArgs(name=server.name, namespace=server.namespace, labels=server.labels),
        spec=k8s.apps.v1.DeploymentSpecArgs(
            replicas=server.replicas,
            selector=LabelSelectorArgs(match_labels=server.labels),
            strategy=_strategy(server),
            revision_history_limit=3,
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=ObjectMetaArgs(labels=server.labels, annotations=dict(server.annotations) or None),
                spec=_pod(server),
            ),
        ),
        opts=opts,
    )
    disruption_budget(server.name, server.namespace, server.labels, opts)
    ports = [
        k8s.core.v1.ServicePortArgs(name=name, port=port, target_port=name)
        for name, port in server.ports.items()
    ]
    return k8s.core.v1.Service(
        f"{server.name}-service",
        metadata=ObjectMetaArgs(name=server.name, namespace=server.namespace, labels=server.labels),
        spec=k8s.core.v1.ServiceSpecArgs(type="ClusterIP", selector=server.labels, ports=ports),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[deployment])),
    )


def probe(path: str, *, scheme: str = "HTTP", period: int = 5, failures: int = 3) -> k8s.core.v1.ProbeArgs:
    """A probe of the port `http`."""
    return k8s.core.v1.ProbeArgs(
        http_get=k8s.core.v1.HTTPGetActionArgs(path=path, port="http", scheme=scheme),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=5,
    )


def forgotten_first() -> k8s.core.v1.LifecycleArgs:
    """The container goes on answering while the endpoints forget it."""
    sleep = k8s.core.v1.LifecycleHandlerArgs(sleep=k8s.core.v1.SleepActionArgs(seconds=FORGET_SECONDS))
    return k8s.core.v1.LifecycleArgs(pre_stop=sleep)


def from_secret(variable: str, secret: str, key: str) -> k8s.core.v1.EnvVarArgs:
    """An environment variable of a Secret's key."""
    source = k8s.core.v1.SecretKeySelectorArgs(name=secret, key=key)
    return k8s.core.v1.EnvVarArgs(
        name=variable, value_from=k8s.core.v1.EnvVarSourceArgs(secret_key_ref=source)
    )


def secret_volume(volume: str, secret: str) -> k8s.core.v1.VolumeArgs:
    """A Secret as files, that the pod's group alone reads."""
    source = k8s.core.v1.SecretVolumeSourceArgs(secret_name=secret, default_mode=0o440)
    return k8s.core.v1.VolumeArgs(name=volume, secret=source)


def mount(volume: str, path: str) -> k8s.core.v1.VolumeMountArgs:
    """A volume where the container reads it."""
    return k8s.core.v1.VolumeMountArgs(name=volume, mount_path=path, read_only=True)


def needs_of(cpu: str, memory_mib: int) -> k8s.core.v1.ResourceRequirementsArgs:
    """What a container is given; of memory no more than twice that."""
    return k8s.core.v1.ResourceRequirementsArgs(
        requests={"cpu": cpu, "memory": f"{memory_mib}Mi"}, limits={"memory": f"{2 * memory_mib}Mi"}
    )


def spread(labels: Mapping[str, str]) -> list[k8s.core.v1.TopologySpreadConstraintArgs]:
    """Pods with these labels stand in other zones and on other nodes than each other, if there is room."""
    return [
        k8s.core.v1.TopologySpreadConstraintArgs(
            max_skew=1,
            topology_key=topology,
            when_unsatisfiable="ScheduleAnyway",
            label_selector=LabelSelectorArgs(match_labels=dict(labels)),
        )
        for topology in (ZONE_LABEL, HOSTNAME_LABEL)
    ]


def disruption_budget(
    name: str, namespace: str, labels: Mapping[str, str], opts: pulumi.ResourceOptions
) -> k8s.policy.v1.PodDisruptionBudget:
    """Of the pods with these labels one at a time may be sent away."""
    return k8s.policy.v1.PodDisruptionBudget(
        f"{name}-disruption-budget",
        metadata=ObjectMetaArgs(name=name, namespace=namespace, labels=dict(labels)),
        spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            unhealthy_pod_eviction_policy="AlwaysAllow",
            selector=LabelSelectorArgs(match_labels=dict(labels)),
        ),
        opts=opts,
    )


def _strategy(server: Server) -> k8s.apps.v1.DeploymentStrategyArgs:
    if server.recreate:
        return k8s.apps.v1.DeploymentStrategyArgs(type="Recreate")
    rolling = k8s.apps.v1.RollingUpdateDeploymentArgs(max_surge=1, max_unavailable=0)
    return k8s.apps.v1.DeploymentStrategyArgs(type="RollingUpdate", rolling_update=rolling)


def _pod(server: Server) -> k8s.core.v1.PodSpecArgs:
    return k8s.core.v1.PodSpecArgs(
        service_account_name=server.namespace,
        automount_service_account_token=False,
        enable_service_links=False,
        priority_class_name=server.priority_class,
        termination_grace_period_seconds=server.grace_seconds,
        topology_spread_constraints=spread(server.labels),
        security_context=pods.pod_security(),
        containers=[server.container],
        volumes=[*pods.scratch_volumes(SHARED_MEMORY_GIB), *server.volumes],
    )
