"""An alert that reaches a person, and data that the government specifies: BRE-02, SDF-01."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policies.controls.personal_data import (
    BUCKET,
    GCS,
    NETWORK,
    PUBLIC,
    VPC,
    subnet,
    told,
)
from tests.policies.harness import UNKNOWN, Shown

TOPIC = Shown("aws:sns/topic:Topic", {}, "topic")


def to_topic(type_: str, prop: str, topic: Shown = TOPIC) -> Shown:
    return Shown(type_, {prop: UNKNOWN}, type_.split(":")[-1], sources={prop: [topic.urn]})


def test_an_alert_reaches_a_person() -> None:
    rule = to_topic("aws:cloudwatch/eventTarget:EventTarget", "arn")
    alarm = to_topic("aws:cloudwatch/metricAlarm:MetricAlarm", "alarmActions")
    person = to_topic("aws:sns/topicSubscription:TopicSubscription", "topic")
    elsewhere = to_topic(person.type, "topic", Shown(TOPIC.type, {}, "another"))
    assert not told("DPDP-BRE-02", BUCKET, TOPIC, rule, person)
    assert not told("DPDP-BRE-02", BUCKET, TOPIC, alarm, person)
    for less in ([], [rule], [person], [rule, elsewhere]):
        assert told("DPDP-BRE-02", BUCKET, TOPIC, *less)


@pytest.mark.parametrize(
    ("channel", "heard"),
    [("email", True), ("pagerduty", True), ("pubsub", False), (UNKNOWN, False), (None, False)],
)
def test_an_alert_of_google_reaches_a_person(channel: Any, heard: bool) -> None:
    by = Shown("gcp:monitoring/notificationChannel:NotificationChannel", {"type": channel}, "channel")
    policy = Shown(
        "gcp:monitoring/alertPolicy:AlertPolicy",
        {"notificationChannels": [UNKNOWN]},
        "alert",
        sources={"notificationChannels": [by.urn]},
    )
    assert bool(told("DPDP-BRE-02", GCS, by, policy)) != heard
    assert told("DPDP-BRE-02", GCS, by)


def test_a_topic_of_google_reaches_a_person_where_something_takes_from_it() -> None:
    topic = Shown("gcp:pubsub/topic:Topic", {"labels": {"dpdp-data-class": "internal"}}, "topic")
    channel = Shown(
        "gcp:monitoring/notificationChannel:NotificationChannel",
        {"type": "pubsub", "labels": UNKNOWN},
        "channel",
        sources={"labels": [topic.urn]},
    )
    policy = Shown(
        "gcp:monitoring/alertPolicy:AlertPolicy",
        {"notificationChannels": UNKNOWN},
        "alert",
        sources={"notificationChannels": [channel.urn]},
    )
    pull = Shown("gcp:pubsub/subscription:Subscription", {"topic": UNKNOWN}, sources={"topic": [topic.urn]})
    assert told("DPDP-BRE-02", GCS, topic, channel, policy)
    assert not told("DPDP-BRE-02", GCS, topic, channel, policy, pull)


SDF = {"dpdp-sdf-01-specified-data-and-its-traffic-stay": {"specifiedClasses": ["personal"]}}


def test_specified_data_is_a_switch() -> None:
    edge = Shown("aws:cloudfront/distribution:Distribution", {}, "edge")
    assert not told("DPDP-SDF-01", BUCKET, VPC, edge)
    messages = told("DPDP-SDF-01", BUCKET, VPC, edge, config=SDF)
    assert [any(what in one for one in messages) for what in ("traffic", "DNS queries", "edges")] == [
        True
    ] * 3
    assert all("; basis: conditional: " in one for one in messages)
    assert not told("DPDP-SDF-01", PUBLIC, VPC, edge, config=SDF)
    assert told("DPDP-SDF-01", GCS, NETWORK, subnet(), config=SDF)
