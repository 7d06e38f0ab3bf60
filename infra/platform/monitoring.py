"""What is scraped beyond the charts' own monitors, and the alerts on GPUs, queues and the workloads' pods.

One table of rules: Prometheus evaluates it in the cluster, and on Google Cloud Monitoring too, which alone tells people
there (infra/gcp/metric_alerts.py).

Metric names: gpu_counters.csv (dcgm-exporter 4.8.2), Kueue v0.19.2. Critical XIDs: NVIDIA's health
validation page (46 and 48) and 79, a GPU that has fallen off the bus.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.needs import PodMonitor, WorkloadNeeds
from infra.contracts.platform_profile import PlatformProfile
from infra.contracts.prometheus import SCRAPE_SECONDS

API_VERSION = "monitoring.coreos.com/v1"
NAMESPACE = "monitoring"
# Grafana's sidecar loads every ConfigMap of its namespace with this label (charts/grafana, sidecar.dashboards.label).
DASHBOARD_LABEL = {"grafana_dashboard": "1"}

CRITICAL_XIDS = (46, 48, 79)

# What is no metric in PromQL: texts, matchers and ranges, lists of labels; then functions, operators between vectors.
_ASIDE = re.compile(
    r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(?:by|without|on|ignoring|group_left|group_right) *\([^)]*\)'
)
_NAME = re.compile(r"(?<![\w:.])[A-Za-z_:][\w:]*(?![\w:]| *\()")
_OPERATORS = frozenset({"or", "and", "unless", "bool", "offset"})


def create_monitoring(
    needs: Sequence[WorkloadNeeds], profile: PlatformProfile, opts: pulumi.ResourceOptions
) -> list[CustomResource]:
    """PodMonitors of the workloads and the node controller, and the rules; `opts` must depend on
    kube-prometheus-stack."""
    controllers = [profile.node_controller] if profile.node_controller else []
    return [
        *(
            _resource(
                "PodMonitor",
                monitor.name,
                _pod_monitor(namespace, monitor.app, monitor.port, monitor.labels),
                opts,
            )
            for namespace, monitor in monitors(needs)
        ),
        *(
            _resource("PodMonitor", name, _pod_monitor("kube-system", name, "http-metrics"), opts)
            for name in controllers
        ),
        _resource("PrometheusRule", "gpu-platform", {"groups": rule_groups(needs)}, opts),
    ]


def create_dashboards(needs: Iterable[WorkloadNeeds], opts: pulumi.ResourceOptions) -> list[ConfigMap]:
    """The workloads' dashboards, where Grafana of the platform finds them."""
    return [
        ConfigMap(
            f"dashboard-{dashboard.name}",
            metadata=ObjectMetaArgs(
                name=f"dashboard-{dashboard.name}", namespace=NAMESPACE, labels=DASHBOARD_LABEL
            ),
            data={f"{dashboard.name}.json": json.dumps(dashboard.model, indent=1, sort_keys=True)},
            opts=opts,
        )
        for each in needs
        for dashboard in each.dashboards
    ]


def monitors(needs: Iterable[WorkloadNeeds]) -> list[tuple[str, PodMonitor]]:
    """What workloads want watched, each with its namespace."""
    return [(each.namespace.name, monitor) for each in needs if each.namespace for monitor in each.monitors]


def rule_groups(needs: Iterable[WorkloadNeeds]) -> list[dict[str, Any]]:
    """Every alerting rule, in groups, as in the spec of a PrometheusRule."""
    of_workloads = [_of_workload(monitor) for _, monitor in monitors(needs) if monitor.alerts]
    return [_gpus(), *of_workloads, _queues()]


def metric_names(*expressions: str) -> list[str]:
    """The metrics that PromQL expressions ask for, each once, as they come."""
    names = [name for text in expressions for name in _NAME.findall(_ASIDE.sub(" ", text))]
    return [name for name in dict.fromkeys(names) if name not in _OPERATORS]


def _pod_monitor(namespace: str, app: str, port: str, labels: Sequence[str] = ()) -> dict[str, Any]:
    return {
        **({"podTargetLabels": list(labels)} if labels else {}),
        "namespaceSelector": {"matchNames": [namespace]},
        "selector": {"matchLabels": {"app.kubernetes.io/name": app}},
        "podMetricsEndpoints": [{"port": port, "path": "/metrics", "interval": f"{SCRAPE_SECONDS}s"}],
    }


def _gpus() -> dict[str, Any]:
    xids = " or ".join(f"DCGM_FI_DEV_XID_ERRORS == {xid}" for xid in CRITICAL_XIDS)
    return {
        "name": "gpus",
        "rules": [
            _alert(
                "GpuXidCritical",
                xids,
                "1m",
                "critical",
                "XID {{ $value }} on GPU {{ $labels.gpu }}: drain the node",
            ),
            _alert(
                "GpuRowRemapFailed",
                "DCGM_FI_DEV_ROW_REMAP_FAILURE > 0",
                "1m",
                "critical",
                "GPU {{ $labels.gpu }} can remap no more rows of its memory: replace the node",
            ),
            _alert(
                "GpuMemoryErrors",
                "increase(DCGM_FI_DEV_ECC_DBE_VOL_TOTAL[10m]) > 0",
                "0s",
                "critical",
                "GPU {{ $labels.gpu }} has memory errors that ECC can't mend: drain the node and reset it",
            ),
            _alert(
                "GpuThrottledByHeat",
                "increase(DCGM_FI_DEV_THERMAL_VIOLATION[10m]) > 0",
                "10m",
                "warning",
                "GPU {{ $labels.gpu }} has been slowed by heat for over ten minutes",
            ),
        ],
    }


def _of_workload(monitor: PodMonitor) -> dict[str, Any]:
    rules = [
        _alert(alert.name, alert.expression, alert.lasting, alert.severity, alert.summary, alert.runbook)
        for alert in monitor.alerts
    ]
    return {"name": monitor.name, "rules": rules}


def _queues() -> dict[str, Any]:
    evicted = (
        'sum by (cluster_queue) (increase(kueue_evicted_workloads_total{reason="PodsReadyTimeout"}[1h]))'
    )
    return {
        "name": "queues",
        "rules": [
            _alert(
                "QueueCannotStartPods",
                f"{evicted} > 2",
                "5m",
                "warning",
                "Workloads of {{ $labels.cluster_queue }} were admitted and found no nodes: spot may be dry",
            ),
        ],
    }


def _alert(
    name: str, expression: str, lasting: str, severity: str, summary: str, runbook: str = ""
) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": severity},
        "annotations": {"summary": summary} | ({"runbook": runbook} if runbook else {}),
    }


def _resource(kind: str, name: str, spec: dict[str, Any], opts: pulumi.ResourceOptions) -> CustomResource:
    return CustomResource(
        f"{kind.lower()}-{name}",
        api_version=API_VERSION,
        kind=kind,
        metadata=ObjectMetaArgs(name=name, namespace=NAMESPACE),
        spec=spec,
        opts=opts,
    )
