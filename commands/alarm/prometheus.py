"""Alerts of the stack's PrometheusRules, each through what evaluates it in its cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.alarm.alert import Alert, of_type
from commands.alarm.alertmanager import through_alertmanager
from commands.alarm.cloud_monitoring import through_cloud_monitoring

PROMETHEUS = "Prometheus"
CHART = "kube-prometheus-stack"


def prometheus(
    resources: Sequence[Mapping[str, Any]], aws: Callable[[str], Any], amtool: Path
) -> Iterator[Alert]:
    """Each alert of the stack's PrometheusRules, through the Alertmanager of its cluster, or through Cloud Monitoring
    where it is one of Google's and has none."""
    releases = {one["provider"]: one["outputs"] for one in _charts(resources)}
    for rules in of_type(resources, "kubernetes:monitoring.coreos.com/v1:PrometheusRule"):
        values = releases.get(rules["provider"], {}).get("values") or {}
        alertmanager, google = values.get("alertmanager") or {}, "gcp:Cluster" in rules["provider"]
        kind = f"{PROMETHEUS} ({'Google' if google else 'AWS'})"
        for alert in _alerts(rules["outputs"]["spec"]):
            if google and "config" not in alertmanager:
                yield through_cloud_monitoring(kind, alert, resources, rules["provider"])
            else:
                yield through_alertmanager(kind, alert, alertmanager, resources, aws, amtool)


def _alerts(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for group in spec["groups"]:
        yield from (rule for rule in group["rules"] if "alert" in rule)


def _charts(resources: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found = of_type(resources, "kubernetes:helm.sh/v3:Release")
    return [one for one in found if one["urn"].endswith(f"::{CHART}")]
