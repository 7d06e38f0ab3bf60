"""Every alert of our own stacks has a way to somebody, as the program renders it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from infra.platform.managed_prometheus import of_cluster
from infra.platform.monitoring import rule_groups
from tests.program.test_google import STACKS as GOOGLE_STACKS
from tests.program.test_google import _run_google
from tests.program.test_program import STACKS, _deployed
from tests.workloads.registered import ALWAYS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=STACKS)
def registered(request: pytest.FixtureRequest, deploy: Callable[..., Any]) -> Any:
    return _deployed(deploy, request.param)


def test_no_topics_policy_has_a_condition_for_eventbridge(registered: Any) -> None:
    policies = registered.of("sns/topicPolicy:TopicPolicy")
    assert policies
    for policy in policies.values():
        for statement in json.loads(policy.inputs["policy"])["Statement"]:
            if "events.amazonaws.com" in json.dumps(statement["Principal"]):
                assert "Condition" not in statement, f"{policy.name}: EventBridge drops what this allows"


def monitoring(registered: Any) -> list[Any]:
    """The chart of Prometheus, once on each cloud."""
    return [r for r in registered.resources if r.name == "kube-prometheus-stack"]


def test_alertmanager_sends_to_the_stacks_topic_or_is_not_there(registered: Any) -> None:
    releases = monitoring(registered)
    assert releases
    topics = {policy.inputs["arn"] for policy in registered.of("sns/topicPolicy:TopicPolicy").values()}
    for release in releases:
        alertmanager = release.inputs["values"]["alertmanager"]
        if "gcp:Cluster" in release.provider:
            assert alertmanager.get("enabled") is False or alertmanager["config"]
            continue
        config = alertmanager["config"]
        receivers = {one["name"]: one for one in config["receivers"]}
        root = receivers[config["route"]["receiver"]]
        assert {one["topic_arn"] for one in root["sns_configs"]} == topics
        assert [route["matchers"] for route in config["route"]["routes"]] == [['severity =~ "info|none"']]


def test_alertmanager_starts_with_its_identity(registered: Any) -> None:
    """A pod is given it when it is admitted, and never later."""
    (release,) = [r for r in monitoring(registered) if "gcp:Cluster" not in r.provider]
    account = release.inputs["values"]["alertmanager"]["serviceAccount"]["name"]
    associations = registered.of("eks/podIdentityAssociation:PodIdentityAssociation").values()
    (own,) = [one for one in associations if one.inputs["namespace"] == "monitoring"]
    assert own.inputs["serviceAccount"] == account
    assert own.urn in release.depends_on


# ── Google ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module", params=GOOGLE_STACKS)
def on_google(request: pytest.FixtureRequest, deploy: Callable[..., Any]) -> Any:
    return _run_google(deploy, GOOGLE_STACKS[request.param])


def test_every_rule_of_prometheus_reaches_a_channel_of_the_stack_on_google(on_google: Any) -> None:
    channels = {channel.urn for channel in on_google.of("notificationChannel:NotificationChannel").values()}
    assert channels
    policies = {
        one["conditionPrometheusQueryLanguage"]["alertRule"]: (
            policy,
            one["conditionPrometheusQueryLanguage"],
        )
        for policy in on_google.of("alertPolicy:AlertPolicy").values()
        for one in policy.inputs["conditions"]
        if "conditionPrometheusQueryLanguage" in one
    }
    rules = [rule for group in rule_groups(ALWAYS) for rule in group["rules"]]
    assert {rule["alert"] for rule in rules} == set(policies)
    cluster = on_google.one("container/cluster:Cluster").inputs
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        policy, condition = policies[rule["alert"]]
        assert condition["query"] == of_cluster(rule["expr"], cluster["name"], cluster["location"])
        assert policy.inputs["notificationChannels"]
        assert channels <= policy.depends_on


def test_every_rule_of_prometheus_is_news_to_alertmanager_on_aws(registered: Any) -> None:
    """Its root route ends with people, and only what has one of two other severities leaves it."""
    releases = registered.of("Release").values()
    for release in releases:
        if release.name != "kube-prometheus-stack" or "gcp:Cluster" in release.provider:
            continue
        route = release.inputs["values"]["alertmanager"]["config"]["route"]
        left = {text for one in route["routes"] for text in re.findall(r'"(.+)"', one["matchers"][0])}
        assert left == {"info|none"}
        for group in rule_groups(ALWAYS):
            assert all(rule["labels"]["severity"] in ("critical", "warning") for rule in group["rules"])
