"""Every alert of our own stacks has a way to somebody, as the program renders it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from test_program import STACKS, _deployed


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
