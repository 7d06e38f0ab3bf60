"""Metric alerts: Prometheus' alerting rules as alert policies of Cloud Monitoring, and whom they alert.

Their metrics come from Managed Service for Prometheus, which holds those of all clusters of the project: the rules must
be narrowed to the stack's own (infra/platform/managed_prometheus.py), or a stack hears of another beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pulumi
import pulumi_gcp as gcp

from infra.gcp.iam import Project

SEVERITIES: Mapping[str, str] = MappingProxyType({"critical": "CRITICAL", "warning": "WARNING"})
EVALUATED = "30s"
UNIT_SECONDS: Mapping[str, int] = MappingProxyType({"s": 1, "m": 60, "h": 3600})
# Google's own translation of Prometheus' templates (`gcloud monitoring policies migrate --help`).
LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
VALUE = "{{ $value }}"


@dataclass(frozen=True)
class MetricAlertsArgs:
    """`groups` are Prometheus' rule groups, as in the spec of a PrometheusRule, each rule with a severity of
    SEVERITIES. `channels` are the ids of the notification channels that they use; `name` is the cluster's."""

    project: Project
    name: str
    groups: Sequence[Mapping[str, Any]]
    channels: Sequence[pulumi.Input[str]]


class MetricAlerts(pulumi.ComponentResource):
    """One alert policy for each rule."""

    def __init__(self, name: str, args: MetricAlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:MetricAlerts", name, None, opts)
        for group, rule in _rules(args.groups):
            self._policy(f"{name}-{rule['alert']}", args, group, rule)
        self.register_outputs({})

    def _policy(self, name: str, args: MetricAlertsArgs, group: str, rule: Mapping[str, Any]) -> None:
        gcp.monitoring.AlertPolicy(
            name,
            project=args.project.id,
            display_name=f"{args.name}: {rule['alert']}",
            combiner="OR",
            severity=SEVERITIES[rule["labels"]["severity"]],
            conditions=[
                {
                    "display_name": rule["alert"],
                    "condition_prometheus_query_language": {
                        "query": rule["expr"],
                        "duration": seconds(rule["for"]),
                        "evaluation_interval": EVALUATED,
                        "labels": rule["labels"],
                        "rule_group": group,
                        "alert_rule": rule["alert"],
                        # Until a first GPU node or model server is up, its metrics are unknown to Google.
                        "disable_metric_validation": True,
                    },
                }
            ],
            documentation={"content": words(rule["annotations"]["summary"]), "mime_type": "text/markdown"},
            notification_channels=list(args.channels),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _rules(groups: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for group in groups:
        for rule in group["rules"]:
            yield group["name"], rule


def seconds(duration: str) -> str:
    """A Prometheus duration of one unit (`10m`) as Google writes it (`600s`)."""
    return f"{int(duration[:-1]) * UNIT_SECONDS[duration[-1]]}s"


def words(summary: str) -> str:
    """A summary with Google's variables in the place of Prometheus' templates."""
    return LABEL.sub(r"${metric_or_resource.label.\1}", summary).replace(VALUE, "${metric.label.value}")
