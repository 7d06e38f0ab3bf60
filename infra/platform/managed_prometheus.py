"""What Google's collectors send to Managed Service for Prometheus: the metrics that the rules use, and no other.

Cloud Monitoring evaluates the rules there (infra/gcp/metric_alerts.py), whether Prometheus in the cluster is up or not.
Fields: GoogleCloudPlatform/prometheus-engine, doc/api.md at 2ffde4e. Pods' labels and ports: the charts in charts.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret, ServiceAccount
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.rbac.v1 import (
    ClusterRoleBinding,
    PolicyRuleArgs,
    Role,
    RoleBinding,
    RoleRefArgs,
    SubjectArgs,
)

from infra.contracts.needs import WorkloadNeeds
from infra.platform.monitoring import metric_names, monitors, rule_groups

API_VERSION = "monitoring.googleapis.com/v1"
INTERVAL = "30s"  # as often as Cloud Monitoring evaluates a rule
# GKE runs one on every node, GPU nodes included, which scrapes the pods of its node.
COLLECTOR_NAMESPACE, COLLECTOR = "gmp-system", "collector"
# The name of a service account and of its Secret.
TOKEN = "metrics-reader"


@dataclass(frozen=True)
class Target:
    """Pods by their label app.kubernetes.io/name, and their port; `secured` is HTTPS that asks for a token;
    `labels` are those of the pods that their metrics get too."""

    namespace: str
    app: str
    port: str
    secured: bool = False
    labels: tuple[str, ...] = ()


# Where the metrics of the platform's own groups of rules come from.
TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "gpus": Target("monitoring", "dcgm-exporter", "metrics"),
        "queues": Target("kueue-system", "kueue", "metrics", secured=True),
    }
)


def targets(needs: Sequence[WorkloadNeeds]) -> Mapping[str, Target]:
    """Where the metrics of each group of rules come from, the workloads' with them."""
    of_workloads = {
        monitor.name: Target(namespace, monitor.app, monitor.port, labels=monitor.labels)
        for namespace, monitor in monitors(needs)
    }
    return {**TARGETS, **of_workloads}


def create_collection(needs: Sequence[WorkloadNeeds], opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """A PodMonitoring for each group of rules; `opts` must depend on the namespaces, GKE brings the definition.

    Raises:
        KeyError: a group of rules has no target, so its alerts would never fire on Google.
    """
    created: list[pulumi.Resource] = []
    known = targets(needs)
    for group in rule_groups(needs):
        target = known[group["name"]]
        if target.secured:
            created += _token(target.namespace, opts)
        spec: dict[str, Any] = {
            "selector": {"matchLabels": {"app.kubernetes.io/name": target.app}},
            "endpoints": [_endpoint(target, metric_names(*(rule["expr"] for rule in group["rules"])))],
        }
        if target.labels:
            spec["targetLabels"] = {
                "fromPod": [{"from": name, "to": metric_label(name)} for name in target.labels]
            }
        created.append(
            CustomResource(
                f"podmonitoring-{group['name']}",
                api_version=API_VERSION,
                kind="PodMonitoring",
                metadata=ObjectMetaArgs(name=group["name"], namespace=target.namespace),
                spec=spec,
                opts=opts,
            )
        )
    return created


def metric_label(label: str) -> str:
    """A label of a pod as Prometheus writes it of a metric."""
    return re.sub(r"[^A-Za-z0-9_]", "_", label)


def rules_of_cluster(needs: Sequence[WorkloadNeeds], cluster: str, location: str) -> list[dict[str, Any]]:
    """Every alerting rule, in groups, over one cluster: Managed Service for Prometheus holds those of a project."""
    return [
        {
            **group,
            "rules": [
                {**rule, "expr": of_cluster(rule["expr"], cluster, location)} for rule in group["rules"]
            ],
        }
        for group in rule_groups(needs)
    ]


def of_cluster(expression: str, cluster: str, location: str) -> str:
    """A PromQL expression over one cluster: every metric that it names has the matchers `cluster` and `location`.

    Labels: GoogleCloudPlatform/prometheus-engine, pkg/export/export.go (KeyCluster, KeyLocation).
    """
    names = "|".join(sorted(map(re.escape, metric_names(expression)), key=len, reverse=True))
    matchers = f'cluster="{cluster}",location="{location}"'

    def narrowed(found: re.Match[str]) -> str:
        if found["metric"] is None:
            return found[0]
        given = (found["given"] or "").strip().rstrip(",")
        return f"{found['metric']}{{{matchers}{',' if given else ''}{given}}}"

    # Texts and lists of labels, in which a name is no metric; then the metrics, with their matchers.
    aside = r'"[^"]*"|\b(?:by|without|on|ignoring|group_left|group_right) *\([^)]*\)'
    part = rf'{aside}|(?<![\w:.])(?P<metric>{names})(?![\w:])(?:\{{(?P<given>(?:"[^"]*"|[^}}"])*)\}})?'
    return re.sub(part, narrowed, expression) if names else expression


def _endpoint(target: Target, metrics: Sequence[str]) -> dict[str, Any]:
    sent = {"sourceLabels": ["__name__"], "action": "keep", "regex": "|".join(map(_series, metrics))}
    endpoint = {"port": target.port, "path": "/metrics", "interval": INTERVAL, "metricRelabeling": [sent]}
    if not target.secured:
        return endpoint
    return {
        **endpoint,
        "scheme": "https",
        "tls": {"insecureSkipVerify": True},  # Kueue signs for itself, as for its own ServiceMonitor
        "authorization": {"credentials": {"secret": {"name": TOKEN, "key": "token"}}},
    }


def _series(metric: str) -> str:
    """A histogram is stored only if it comes with its sum and count."""
    base = metric.removesuffix("_bucket")
    return metric if base == metric else f"{base}_(bucket|sum|count)"


def _token(namespace: str, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """A token that reads Kueue's metrics and nothing else, for the collectors alone: they have none that they show.

    The PodMonitoring's Secret must be in its own namespace, and Google's collectors be allowed to read it.
    """
    account = ServiceAccount(
        "kueue-metrics-reader-account",
        metadata=ObjectMetaArgs(name=TOKEN, namespace=namespace),
        automount_service_account_token=False,
        opts=opts,
    )
    annotations = {"kubernetes.io/service-account.name": TOKEN}
    secret = Secret(
        "kueue-metrics-reader-token",
        metadata=ObjectMetaArgs(name=TOKEN, namespace=namespace, annotations=annotations),
        type="kubernetes.io/service-account-token",
        # Kubernetes deletes the token of an account that is not there.
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[account])),
    )
    reads = ClusterRoleBinding(
        "kueue-metrics-reader",
        metadata=ObjectMetaArgs(name="kueue-metrics-of-collectors"),
        role_ref=_role("ClusterRole", "kueue-metrics-reader"),  # the chart's: GET /metrics
        subjects=[SubjectArgs(kind="ServiceAccount", name=TOKEN, namespace=namespace)],
        opts=opts,
    )
    role = Role(
        "kueue-metrics-token",
        metadata=ObjectMetaArgs(name="metrics-token", namespace=namespace),
        rules=[PolicyRuleArgs(api_groups=[""], resources=["secrets"], resource_names=[TOKEN], verbs=["get"])],
        opts=opts,
    )
    collectors = RoleBinding(
        "kueue-metrics-token-of-collectors",
        metadata=ObjectMetaArgs(name="metrics-token-of-collectors", namespace=namespace),
        role_ref=_role("Role", "metrics-token"),
        subjects=[SubjectArgs(kind="ServiceAccount", name=COLLECTOR, namespace=COLLECTOR_NAMESPACE)],
        opts=opts,
    )
    return [account, secret, reads, role, collectors]


def _role(kind: str, name: str) -> RoleRefArgs:
    return RoleRefArgs(api_group="rbac.authorization.k8s.io", kind=kind, name=name)
