"""`make alarm` against moto and Alertmanager's own amtool: who gets an alert, and what loses one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from commands.alarm.alert import CannotFireError
from commands.alarm.alertmanager import run_amtool
from commands.alarm.eventbridge import eventbridge
from commands.alarm.prometheus import prometheus
from infra.aws.audit import ALERTS
from infra.aws.platform_profile import PROFILE
from infra.platform.values import kube_prometheus_stack
from localcloud.toolchain import install

pytestmark = pytest.mark.e2e

REGION = "ap-south-1"
EVENTS = {"Service": "events.amazonaws.com"}
KEY_USES = ["kms:Decrypt", "kms:GenerateDataKey*"]
CRITICAL = {
    "alert": "GpuXidCritical",
    "labels": {"severity": "critical"},
    "annotations": {"summary": "drain it"},
}
KUBERNETES = "urn:pulumi:unit::p::india-ai-infra:aws:Cluster$pulumi:providers:kubernetes::cluster::id"


@pytest.fixture(scope="module")
def amtool() -> Path:
    return install.folder_of("amtool", lambda done, total, what: None) / "amtool"


@pytest.fixture(scope="module")
def aws(environment: dict[str, str]) -> Callable[[str], Any]:
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    endpoint = environment["INDIA_AI_INFRA_AWS_ENDPOINT"]
    return lambda service: boto3.client(service, region_name=REGION, endpoint_url=endpoint, **keys)


@pytest.fixture
def topic(aws: Callable[[str], Any]) -> Iterator[str]:
    """A topic under a key, as infra/aws makes it, with one subscriber."""
    account = aws("sts").get_caller_identity()["Account"]
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    statements = [
        {"Effect": "Allow", "Principal": who, "Action": KEY_USES, "Resource": "*"} for who in (EVENTS, root)
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    key = aws("kms").create_key(Policy=document)["KeyMetadata"]["Arn"]
    arn = aws("sns").create_topic(Name="alarm-test", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    allow(aws, arn)
    aws("sns").subscribe(TopicArn=arn, Protocol="email", Endpoint="oncall@example.in")
    yield arn
    aws("sns").delete_topic(TopicArn=arn)


def allow(aws: Callable[[str], Any], arn: str, **more: Any) -> None:
    statement = {"Sid": "EventRules", "Effect": "Allow", "Principal": EVENTS, "Action": "sns:Publish"}
    policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn, **more}]}
    aws("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=json.dumps(policy))


@pytest.fixture
def rules(aws: Callable[[str], Any], topic: str) -> Iterator[list[Mapping[str, Any]]]:
    """The targets of the stack's own rules, as its state has them."""
    for name, told in ALERTS.items():
        aws("events").put_rule(Name=f"alarm-{name}", EventPattern=json.dumps(told.pattern))
    yield [
        {
            "type": "aws:cloudwatch/eventTarget:EventTarget",
            "outputs": {
                "rule": f"alarm-{name}",
                "arn": topic,
                "inputTransformer": {"inputPaths": told.facts, "inputTemplate": json.dumps(told.words)},
            },
        }
        for name, told in ALERTS.items()
    ]
    for name in ALERTS:
        aws("events").delete_rule(Name=f"alarm-{name}")


def test_each_event_reaches_who_is_subscribed_with_its_facts(aws, topic, rules):
    fired = list(eventbridge(rules, aws))
    assert {alert.rule for alert in fired} == {"alarm-findings", "alarm-spot"}
    for alert in fired:
        assert alert.people == ["email:oncall@example.in"], alert.why
        assert "<" not in alert.words
    assert "severity 8" in fired[0].words


def test_a_condition_in_the_topics_policy_loses_them(aws, topic, rules):
    allow(aws, topic, Condition={"ArnEquals": {"aws:SourceArn": "arn:aws:events:*:*:rule/alarm-*"}})
    for alert in eventbridge(rules, aws):
        assert not alert.people
        assert "FailedInvocations" in alert.why


def test_a_rule_that_no_event_matches_is_told(aws, topic, rules):
    aws("events").put_rule(Name="alarm-spot", EventPattern=json.dumps({"source": ["aws.ec2.spot"]}))
    (spot,) = [alert for alert in eventbridge(rules, aws) if alert.rule == "alarm-spot"]
    assert (spot.people, spot.why) == ((), "no recorded event matches its pattern")


def test_a_topic_without_a_subscriber_reaches_nobody(aws, topic, rules):
    for one in aws("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        aws("sns").unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    assert all("nobody is subscribed" in alert.why for alert in eventbridge(rules, aws))


def state(values: Mapping[str, Any], *alerts: Mapping[str, Any], role: str = "") -> list[dict[str, Any]]:
    """A state with one chart of Prometheus, these alerts, and Alertmanager's Pod Identity."""
    association = {"namespace": "monitoring", "serviceAccount": "alertmanager", "roleArn": f"arn:x/{role}"}
    found = [
        {
            "type": "kubernetes:helm.sh/v3:Release",
            "urn": "urn:pulumi:unit::p::kubernetes:helm.sh/v3:Release::kube-prometheus-stack",
            "provider": KUBERNETES,
            "outputs": {"values": values},
        },
        {
            "type": "kubernetes:monitoring.coreos.com/v1:PrometheusRule",
            "provider": KUBERNETES,
            "outputs": {"spec": {"groups": [{"rules": list(alerts)}]}},
        },
    ]
    if role:
        kind = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
        found.append({"type": kind, "outputs": association})
    return found


@pytest.fixture
def role(aws: Callable[[str], Any], topic: str) -> Iterator[str]:
    aws("iam").create_role(RoleName="alarm-test", AssumeRolePolicyDocument="{}")
    key = aws("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"]
    may = [
        {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": topic},
        {"Effect": "Allow", "Action": KEY_USES, "Resource": key},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": may})
    aws("iam").put_role_policy(RoleName="alarm-test", PolicyName="send", PolicyDocument=document)
    yield "alarm-test"
    aws("iam").delete_role_policy(RoleName="alarm-test", PolicyName="send")
    aws("iam").delete_role(RoleName="alarm-test")


def values(topic: str) -> dict[str, Any]:
    return kube_prometheus_stack(
        PROFILE, {"sns_configs": [{"topic_arn": topic, "sigv4": {"region": REGION}}]}
    )


def test_prometheus_alerts_go_through_the_topic(aws, amtool, topic, role):
    (alert,) = prometheus(state(values(topic), CRITICAL, role=role), aws, amtool)
    assert alert.people == ["email:oncall@example.in"], alert.why
    assert alert.through == "receiver people, topic alarm-test"
    assert "alertname = GpuXidCritical" in alert.words and "drain it" in alert.words


def test_what_is_no_news_is_sent_to_nobody(aws, amtool, topic, role):
    watchdog = {"alert": "Watchdog", "labels": {"severity": "none"}, "annotations": {}}
    (alert,) = prometheus(state(values(topic), watchdog, role=role), aws, amtool)
    assert (alert.people, alert.through) == ((), "receiver nobody")


def test_alertmanager_without_an_identity_reaches_nobody(aws, amtool, topic):
    (alert,) = prometheus(state(values(topic), CRITICAL), aws, amtool)
    assert not alert.people
    assert alert.why.startswith(f"sns:Publish on {topic}: no statement of the policy of its role")


def test_the_charts_own_receiver_and_no_alertmanager_reach_nobody(aws, amtool):
    null = {"route": {"receiver": "null"}, "receivers": [{"name": "null"}]}
    for alertmanager in ({"config": null}, {"enabled": False}, {}):
        (alert,) = prometheus(state({"alertmanager": alertmanager}, CRITICAL), aws, amtool)
        assert not alert.people and alert.why


def test_amtool_takes_the_configuration_that_the_stack_renders(amtool, topic, tmp_path):
    """As Alertmanager reads it at its start: unknown fields and receivers are refused."""
    config = tmp_path / "alertmanager.yaml"
    config.write_text(json.dumps(values(topic)["alertmanager"]["config"]))
    assert "SUCCESS" in run_amtool(amtool, "check-config", str(config))
    config.write_text(json.dumps({"route": {"receiver": "people"}, "receivers": []}))
    with pytest.raises(CannotFireError):
        run_amtool(amtool, "check-config", str(config))
