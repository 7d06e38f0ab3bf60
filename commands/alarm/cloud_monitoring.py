"""Alerts of Google: log entries and expressions against the stack's alert policies, and the policies' channels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.alarm.alert import Alert, of_type
from infra.platform.managed_prometheus import API_VERSION as MANAGED
from infra.platform.managed_prometheus import of_cluster
from infra.platform.monitoring import metric_names
from localcloud import log_filters

LOGGING = "Cloud Logging"
ENTRIES = Path(__file__).parent / "data" / "google_log_entries.json"
ON_LOGS, ON_METRICS = "conditionMatchedLog", "conditionPrometheusQueryLanguage"
NO_CHANNEL = "no channel has an address: gcp.audit.alertEmails is empty"
# Parts of one metric to Cloud Monitoring: a histogram that lacks one of them is not stored.
HISTOGRAM = ("_bucket", "_sum", "_count")


def logging(resources: Sequence[Mapping[str, Any]]) -> Iterator[Alert]:
    """Each log-based alert policy of the stack, with a recorded log entry that it is for."""
    entries = recorded_entries(*_gke(resources))
    for found, conditions in _policies(resources, ON_LOGS):
        filters = [one["filter"] for one in conditions]
        people = _people(found, resources)
        rule, through = found["displayName"], f"{len(people)} notification channels"
        if not any(log_filters.matches(filter, entry) for filter in filters for entry in entries):
            yield Alert(LOGGING, rule, through, why="no recorded log entry matches its filter")
            continue
        why = "" if people else NO_CHANNEL
        yield Alert(LOGGING, rule, through, people, why, found["documentation"]["content"])


def recorded_entries(cluster: str, location: str) -> list[Any]:
    """Log entries as Google documents or records them; those of a cluster are of this one."""
    told = ENTRIES.read_text().replace('"CLUSTER"', json.dumps(cluster))
    return [one["entry"] for one in json.loads(told.replace('"LOCATION"', json.dumps(location))).values()]


def _gke(resources: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The name and the place of the stack's cluster on Google; empty where it has none."""
    of = [one["outputs"] for one in of_type(resources, "gcp:container/cluster:Cluster")]
    return (of[0]["name"], of[0]["location"]) if of else ("", "")


def through_cloud_monitoring(
    kind: str, alert: Mapping[str, Any], resources: Sequence[Mapping[str, Any]], cluster: str
) -> Alert:
    """An alert of a Google cluster, by the policy that evaluates the same expression."""
    rule = alert["alert"]
    of_rule = [
        (policy, one)
        for policy, conditions in _policies(resources, ON_METRICS)
        for one in conditions
        if one.get("alertRule") == rule
    ]
    if not of_rule:
        return Alert(kind, rule, "–", why="no alert policy has this rule")
    found, condition = of_rule[0]
    people = _people(found, resources)
    through = f"policy {found['displayName']}, {len(people)} notification channels"
    lacks = _policy_lacks(alert, condition, resources, cluster) or ("" if people else NO_CHANNEL)
    return Alert(kind, rule, through, () if lacks else people, lacks, found["documentation"]["content"])


def _policy_lacks(
    alert: Mapping[str, Any],
    condition: Mapping[str, Any],
    resources: Sequence[Mapping[str, Any]],
    cluster: str,
) -> str:
    """What keeps a policy from firing when the rule does; empty where nothing does."""
    if condition["query"] != of_cluster(alert["expr"], *_gke(resources)):
        return f"its policy evaluates another expression: {condition['query']}"
    kept = [
        rule["regex"]
        for one in of_type(resources, f"kubernetes:{MANAGED}:PodMonitoring")
        if one["provider"] == cluster
        for endpoint in one["outputs"]["spec"]["endpoints"]
        for rule in endpoint.get("metricRelabeling") or ({"action": "keep", "regex": ".*"},)
        if rule["action"] == "keep"
    ]
    for metric in metric_names(alert["expr"]):
        base = metric.removesuffix("_bucket")
        parts = [metric] if base == metric else [f"{base}{part}" for part in HISTOGRAM]
        if not any(all(re.fullmatch(regex, part) for part in parts) for regex in kept):
            return f"no PodMonitoring sends {metric} to Managed Service for Prometheus"
    return ""


def _policies(
    resources: Sequence[Mapping[str, Any]], kind: str
) -> Iterator[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]:
    """The alert policies that have conditions of a kind, with these."""
    for policy in of_type(resources, "gcp:monitoring/alertPolicy:AlertPolicy"):
        conditions = [one[kind] for one in policy["outputs"]["conditions"] if one.get(kind)]
        if conditions:
            yield policy["outputs"], conditions


def _people(policy: Mapping[str, Any], resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who reads the notification channels of an alert policy."""
    channels = {
        one["id"]: one["outputs"]
        for one in of_type(resources, "gcp:monitoring/notificationChannel:NotificationChannel")
    }
    return [
        f"{channels[id]['type']}:{', '.join(channels[id]['labels'].values())}"
        for id in policy.get("notificationChannels") or ()
    ]
