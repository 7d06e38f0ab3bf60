"""Prometheus' alerts on the local Google: what Google takes of an alert policy, and what the drill says of a rule."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from commands.alarm.alert import Alert
from commands.alarm.cloud_monitoring import NO_CHANNEL, logging
from commands.alarm.prometheus import prometheus
from infra.gcp.audit import ALERTS
from infra.gcp.iam import Project
from infra.gcp.metric_alerts import MetricAlerts, MetricAlertsArgs
from infra.platform.managed_prometheus import create_collection, rules_of_cluster
from infra.platform.monitoring import rule_groups
from localcloud.providers.gcp.refusals import refusals
from localcloud.providers.protocol import UNKNOWN
from tests.localcloud.providers.gcp.test_provider import Stack, refused
from tests.workloads.registered import NEEDS

POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
CLUSTER = "urn:pulumi:unit::p::india-ai-infra:gcp:Cluster$pulumi:providers:kubernetes::cluster::id"
OTHER = CLUSTER.replace("::cluster::", "::other::")
LIMIT = {"notificationRateLimit": {"period": "300s"}}
ON_LOGS = {"displayName": "logs", "conditionMatchedLog": {"filter": "severity>=ERROR"}}


def on_metrics(**changes: Any) -> dict[str, Any]:
    query = {"query": "up == 0", "duration": "60s", "disableMetricValidation": True, **changes}
    return {"displayName": "metrics", "conditionPrometheusQueryLanguage": query}


@pytest.fixture(scope="module")
def rendered(deploy: Callable[..., Any]) -> Any:
    def program() -> dict[str, Any]:
        project = Project("unit-project", "123456789012", "asia-south1")
        MetricAlerts(
            "alerts",
            MetricAlertsArgs(project, "unit", rules_of_cluster(NEEDS, "unit", "asia-south1"), ["channel-1"]),
        )
        create_collection(NEEDS, pulumi.ResourceOptions())
        return {}

    return deploy(program)


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
    return Stack()


# ── What Google takes ────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_local_google_takes_every_policy_of_ours(rendered: Any, stack: Stack) -> None:
    policies = rendered.of("alertPolicy:AlertPolicy")
    assert policies
    for name, policy in policies.items():
        made = stack.make(POLICY, name, **policy.inputs)
        assert made.outputs["conditions"] == policy.inputs["conditions"]


@pytest.mark.parametrize(
    ("path", "reason", "inputs"),
    [
        (
            "alertStrategy.notificationRateLimit",
            "must not specify a notification rate limit",
            {"conditions": [on_metrics()], "alertStrategy": LIMIT},
        ),
        (
            "alertStrategy.notificationRateLimit",
            "needs a notification rate limit",
            {"conditions": [ON_LOGS]},
        ),
        (
            "conditions[0].conditionPrometheusQueryLanguage.duration",
            "must end with 's'",
            {"conditions": [on_metrics(duration="10m")]},
        ),
        (
            "conditions[0].conditionPrometheusQueryLanguage.evaluationInterval",
            "multiple of 30 seconds",
            {"conditions": [on_metrics(evaluationInterval="45s")]},
        ),
        (
            "conditions[0].conditionPrometheusQueryLanguage.disableMetricValidation",
            "nothing has written",
            {"conditions": [on_metrics(disableMetricValidation=False)]},
        ),
        (
            "conditions[1].conditionPrometheusQueryLanguage",
            "no other condition",
            {"conditions": [on_metrics(), on_metrics()]},
        ),
    ],
)
def test_google_refuses(stack: Stack, path: str, reason: str, inputs: dict[str, Any]) -> None:
    assert reason in refused(stack, POLICY, displayName="one", combiner="OR", **inputs)[path]


@pytest.mark.parametrize("field", ["conditions", "alertStrategy"])
def test_what_is_not_known_yet_is_not_refused(field: str) -> None:
    inputs = {"conditions": [on_metrics()], "alertStrategy": LIMIT, field: UNKNOWN}
    assert refusals(POLICY, inputs, {"id": "p"}, lambda token: {}) == []


# ── What the drill says ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def state(rendered: Any) -> list[dict[str, Any]]:
    """The state of a stack with these rules, policies and PodMonitorings, and one channel."""
    rules = {"type": "kubernetes:monitoring.coreos.com/v1:PrometheusRule", "provider": CLUSTER}
    channel = {"type": "email", "labels": {"email_address": "soc@example.in"}}
    return copy.deepcopy(
        [
            {**rules, "outputs": {"spec": {"groups": rule_groups(NEEDS)}}},
            {"type": CHANNEL, "id": "channel-1", "outputs": channel},
            {"type": "gcp:container/cluster:Cluster", "outputs": {"name": "unit", "location": "asia-south1"}},
            *(
                {"type": POLICY, "outputs": one.inputs}
                for one in rendered.of("alertPolicy:AlertPolicy").values()
            ),
            *(
                {"type": one.type, "provider": CLUSTER, "outputs": one.inputs}
                for one in rendered.of("PodMonitoring").values()
            ),
        ]
    )


def fired(state: list[dict[str, Any]]) -> dict[str, Alert]:
    """Neither AWS nor amtool is asked on Google."""
    return {one.rule: one for one in prometheus(state, _nobody, Path("/none"))}


def _nobody(service: str) -> Any:
    raise AssertionError(f"{service} of AWS was asked about an alert on Google")


def policy_of(state: list[dict[str, Any]], rule: str) -> dict[str, Any]:
    return next(
        one["outputs"] for one in state if one["type"] == POLICY and rule in one["outputs"]["displayName"]
    )


def test_each_rule_reaches_the_mail_address(state: list[dict[str, Any]]) -> None:
    found = fired(state)
    assert set(found) == {rule["alert"] for group in rule_groups(NEEDS) for rule in group["rules"]}
    for alert in found.values():
        assert (alert.kind, alert.why) == ("Prometheus (Google)", "")
        assert alert.people == ["email:soc@example.in"]
        assert alert.rule in alert.through
    assert not list(logging(state)), "they are not on logs"


def test_a_rule_without_a_policy_reaches_nobody(state: list[dict[str, Any]]) -> None:
    left = [one for one in state if "GpuXidCritical" not in one["outputs"].get("displayName", "")]
    alert = fired(left)["GpuXidCritical"]
    assert (alert.people, alert.why) == ((), "no alert policy has this rule")


def test_another_expression_is_another_alert(state: list[dict[str, Any]]) -> None:
    policy = policy_of(state, "GpuRowRemapFailed")
    policy["conditions"][0]["conditionPrometheusQueryLanguage"]["query"] = "vector(0) > 1"
    alert = fired(state)["GpuRowRemapFailed"]
    assert not alert.people
    assert "another expression: vector(0) > 1" in alert.why


def test_a_policy_without_a_channel_reaches_nobody(state: list[dict[str, Any]]) -> None:
    policy_of(state, "QueueCannotStartPods")["notificationChannels"] = []
    alert = fired(state)["QueueCannotStartPods"]
    assert (alert.people, alert.why) == ((), NO_CHANNEL)


def test_a_policy_of_another_cluster_is_another_alert(state: list[dict[str, Any]]) -> None:
    cluster = next(one for one in state if one["type"].endswith("cluster:Cluster"))
    cluster["outputs"] = {**cluster["outputs"], "name": "beside"}
    assert all(not alert.people and 'cluster="unit"' in alert.why for alert in fired(state).values())


@pytest.mark.parametrize("how", ["gone", "of another cluster", "without its count"])
def test_a_metric_that_nothing_sends_can_not_fire(state: list[dict[str, Any]], how: str) -> None:
    servers = next(one for one in state if one["outputs"].get("metadata", {}).get("name") == "model-servers")
    (endpoint,) = servers["outputs"]["spec"]["endpoints"]
    if how == "gone":
        state.remove(servers)
    elif how == "of another cluster":
        servers["provider"] = OTHER
    else:
        keep = endpoint["metricRelabeling"][0]
        keep["regex"] = keep["regex"].replace("bucket|sum|count", "bucket|sum")
    found = fired(state)
    why = "no PodMonitoring sends vllm:time_to_first_token_seconds_bucket to Managed Service for Prometheus"
    assert (found["TimeToFirstTokenHigh"].people, found["TimeToFirstTokenHigh"].why) == ((), why)
    assert found["GpuXidCritical"].people


@pytest.mark.parametrize(
    ("cluster", "why"), [("unit", ""), ("beside", "no recorded log entry matches its filter")]
)
def test_a_finding_is_drilled_in_the_stacks_own_cluster(
    state: list[dict[str, Any]], cluster: str, why: str
) -> None:
    own = f'resource.labels.cluster_name="{cluster}" AND resource.labels.location="asia-south1"'
    policy = {
        "displayName": "findings",
        "conditions": [{"conditionMatchedLog": {"filter": f"{ALERTS['findings'].filter} AND {own}"}}],
        "notificationChannels": ["channel-1"],
        "documentation": {"content": "a finding"},
    }
    (alert,) = logging([*state, {"type": POLICY, "outputs": policy}])
    assert alert.why == why
    assert bool(alert.people) is not bool(why)
