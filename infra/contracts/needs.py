"""What a workload needs of a platform: the platform, both clouds' access and the sites read this, and know no
workload's name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from infra.contracts.grants import Grant, ServiceAccount
from infra.contracts.images import Image

Place = Literal["aws", "gcp", "onPremises"]
EVERYWHERE: frozenset[Place] = frozenset({"aws", "gcp", "onPremises"})
IN_CLOUDS: frozenset[Place] = EVERYWHERE - {"onPremises"}
Severity = Literal["critical", "warning"]
PodSecurity = Literal["restricted", "baseline", "privileged"]

# Verbs of Kubernetes' RBAC.
READ = ("get", "list", "watch")
WRITE = (*READ, "create", "update", "patch", "delete")


@dataclass(frozen=True)
class Namespace:
    """A namespace for the workload's pods, with a quota, default requests, a queue and network policies. The service
    account that its pods run as has the same name."""

    name: str
    pod_security: PodSecurity = "restricted"


@dataclass(frozen=True)
class Priority:
    """A PriorityClass, called after the workload."""

    value: int
    """Pods of a higher value are scheduled first."""
    description: str
    preempts: bool = False
    """Whether its pods evict those of a lower value (`preemptionPolicy`)."""


@dataclass(frozen=True)
class Alert:
    """An alerting rule of Prometheus, which Cloud Monitoring evaluates on Google."""

    name: str
    expression: str
    """PromQL; the metrics that it names are kept on Google, no others."""
    lasting: str
    """For how long the expression holds before anybody is told (`10m`)."""
    severity: Severity
    summary: str
    """What people read; may have Prometheus' templates (`{{ $labels.model_name }}`)."""
    runbook: str = ""
    """Where it is written what to do: a page of this repository (`docs/training.md#…`)."""


@dataclass(frozen=True)
class PodMonitor:
    """Pods of the workload's namespace whose `/metrics` are scraped, and the alerts on them."""

    name: str
    """Of the PodMonitor, and of the group of rules."""
    app: str
    """The pods' label `app.kubernetes.io/name`."""
    port: str
    """The name of the container's port."""
    labels: tuple[str, ...] = ()
    """Labels of the pods that their metrics get too (`app.kubernetes.io/instance`, as `app_kubernetes_io_instance`)."""
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True)
class Dashboard:
    """A dashboard of Grafana: `model` is its JSON, as Grafana exports it."""

    name: str
    model: Mapping[str, Any]


@dataclass(frozen=True)
class PolicyRule:
    """A rule of a ClusterRole: what may be done (`verbs`) with which resources of an API group."""

    api_group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...] = READ


@dataclass(frozen=True)
class Role:
    """A ClusterRole. Workloads that name the same one give it the same rules."""

    name: str
    rules: tuple[PolicyRule, ...]


@dataclass(frozen=True)
class RoleBinding:
    """What a group of people may do in the workload's namespace: `view` is the platform's own role, which sees all but
    Secrets."""

    group: str
    """A Kubernetes group of `grants.KUBERNETES_GROUPS`."""
    role: Role | Literal["view"]


@dataclass(frozen=True)
class Chart:
    """A Helm chart at a pinned version: `chart` is an OCI reference, or a name in `repository`."""

    name: str
    chart: str
    version: str
    namespace: str
    source: str
    """Where the version and the values were read."""
    repository: str | None = None
    cloud: str | None = None
    """The only cloud that it is for; None for every one."""
    values: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[Image, ...] = ()
    """What it runs, and by which of its values each can be pulled from a mirror instead."""


@dataclass(frozen=True)
class WorkloadNeeds:
    """All that a platform makes for one workload before its first pod."""

    name: str
    """Its field in the settings `workloads`. Of it are made: the names of its cloud role and its PriorityClass."""
    namespace: Namespace | None = None
    """None for a workload that has no pod in the cluster."""
    grants: tuple[Grant, ...] = ()
    """What its service account may do in the lake, on either cloud."""
    priority: Priority | None = None
    clients: tuple[Mapping[str, str], ...] = ()
    """Namespaces with all the labels of any of these may call its pods; beside them only its own namespace may."""
    internet: bool = False
    """Whether pods with the label `labels.INTERNET_EGRESS` may fetch over HTTPS from anywhere."""
    monitors: tuple[PodMonitor, ...] = ()
    dashboards: tuple[Dashboard, ...] = ()
    roles: tuple[RoleBinding, ...] = ()
    charts: tuple[Chart, ...] = ()
    """Operators that it needs beside those of every cluster; in a namespace of the platform's or its own."""
    runs_on: frozenset[Place] = EVERYWHERE
    """Where its pods may run. On premises they get the keys of the site's object store."""
    database: bool = False
    """Whether it has a PostgreSQL database of its own, which its pods find by the Secret `database.SECRET`."""
    default_image: str | None = None
    """What it runs where its settings name no image."""
    always: bool = False
    """Whether all this is there on stacks whose settings don't ask for the workload, for Jobs that people write
    themselves; else it comes with the settings."""

    @property
    def service_account(self) -> ServiceAccount | None:
        """As which its pods run, None without pods."""
        return ServiceAccount(self.namespace.name, self.namespace.name) if self.namespace else None

    @property
    def priority_class(self) -> str | None:
        """The name of its PriorityClass."""
        return f"india-ai-infra-{self.name}" if self.priority else None


def on(places: Iterable[str], needs: Iterable[WorkloadNeeds]) -> list[WorkloadNeeds]:
    """Those that may run on one of `places`."""
    return [each for each in needs if each.runs_on & frozenset(places)]
