"""Breach: BRE-01 a detector is on, BRE-02 its alerts reach a person.

SDF-01 is a switch: more is asked where the Government specifies data to a significant data fiduciary.
"""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, is_named, is_true
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.stack_wide import AWS_ACCOUNT, GOOGLE_PROJECT, elsewhere
from policies.framework.unknowns import Unknown, dig, each
from policies.law import BREACH, SPECIFIED_DATA
from policies.readers.data_stores import AWS_STORES, CLASS, GCP_SQL, GCP_STORES, STORES, personal_stores, tag
from policies.readers.network_logs import unlogged_subnets, unlogged_vpcs

DETECTOR = "aws:guardduty/detector:Detector"
DETECTORS: dict[str, Expectation] = {
    DETECTOR: Expectation("enable", is_true, "the detector is switched off", "true", absent=True),
    "aws:macie2/account:Account": Expectation(
        "status", lambda value: value == "ENABLED", "Macie is paused", "ENABLED", absent=True
    ),
}
RULE_TARGET, ALARM = "aws:cloudwatch/eventTarget:EventTarget", "aws:cloudwatch/metricAlarm:MetricAlarm"
TOPIC, SUBSCRIPTION = "aws:sns/topic:Topic", "aws:sns/topicSubscription:TopicSubscription"
ALERT_POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
PULL = "gcp:pubsub/subscription:Subscription"

# Where data and what tells of its flow leave by design: caches and entry points all over the world.
EDGES = (
    "aws:cloudfront/distribution:Distribution",
    "aws:cloudfront/multitenantDistribution:MultitenantDistribution",
    "aws:globalaccelerator/accelerator:Accelerator",
    "aws:s3/bucketAccelerateConfiguration:BucketAccelerateConfiguration",
    "aws:s3/bucketAccelerateConfigurationV2:BucketAccelerateConfigurationV2",
)
_ELSEWHERE = {
    "elsewhere": {
        "type": "string",
        "default": "",
        "description": "where the account has this, if not in this stack",
    }
}


def detection(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """BRE-01: what looks for breaches is switched on."""
    yield from check_expectations(resource.props, (DETECTORS[resource.type],))


def a_detector(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """BRE-01 over the stack: where personal data is kept on AWS, GuardDuty looks. Google's is the organisation's."""
    kept = any(personal_stores(stack, *AWS_STORES))
    if kept and not is_named(settings.get("elsewhere")) and not any(stack.of(DETECTOR)):
        yield (
            stack.urn,
            _missing(
                "nothing looks for a breach",
                AWS_ACCOUNT,
                "a GuardDuty detector, or `elsewhere` in the settings",
                elsewhere("BRE-01", "make a GuardDuty detector in the account and region"),
            ),
        )


def alerts(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """BRE-02: an alert of each cloud that keeps personal data reaches somebody."""
    if is_named(settings.get("elsewhere")):
        return
    kept = any(personal_stores(stack, *AWS_STORES))
    if kept and not any(_is_heard(stack, topic) for topic in stack.of(TOPIC)):
        yield (
            stack.urn,
            _missing(
                "no alert reaches a person",
                AWS_ACCOUNT,
                "an event rule or alarm, its topic, and a subscription to it",
                elsewhere("BRE-02", "subscribe somebody to the topic that the alarms speak in"),
            ),
        )
    kept = any(personal_stores(stack, *GCP_STORES, GCP_SQL))
    if kept and not any(_arrives(stack, policy) for policy in stack.of(ALERT_POLICY)):
        yield (
            stack.urn,
            _missing(
                "no alert reaches a person",
                GOOGLE_PROJECT,
                "an alert policy with a notification channel that somebody reads",
                elsewhere("BRE-02", "give an alert policy a notification channel of a person"),
            ),
        )


def _is_heard(stack: Stack, topic: StackResource) -> bool:
    """Whether a rule or an alarm publishes to the topic, and the topic has a subscription."""
    heard = _made_from(stack, topic, SUBSCRIPTION, "topic")
    return heard and (
        _made_from(stack, topic, RULE_TARGET, "arn") or _made_from(stack, topic, ALARM, "alarmActions")
    )


def _arrives(stack: Stack, policy: StackResource) -> bool:
    """Whether one of the policy's channels reaches a person, or a topic that a subscription of this stack reads."""
    sources = {source.urn for source in policy.sources("notificationChannels")}
    named = each(policy.props.get("notificationChannels"))
    return any(
        _is_read(stack, channel)
        for channel in stack.of(CHANNEL)
        if channel.urn in sources or (is_named(channel.props.get("name")) and channel.props["name"] in named)
    )


def _is_read(stack: Stack, channel: StackResource) -> bool:
    """Whether a channel is a person's; of a topic, whether anything of this stack takes from it."""
    kind = channel.props.get("type")
    if kind != "pubsub":
        return isinstance(kind, str)
    topics = {source.urn for source in channel.sources("labels")}
    return any(topics & {source.urn for source in pull.sources("topic")} for pull in stack.of(PULL))


def _made_from(stack: Stack, topic: StackResource, type_: str, prop: str) -> bool:
    arn = topic.props.get("arn")
    return any(
        topic.urn in {source.urn for source in one.sources(prop)}
        or (is_named(arn) and arn in each(one.props.get(prop)))
        for one in stack.of(type_)
    )


def _missing(what: str, where: str, expected: str, fix: str) -> Finding:
    return Finding(what, where, None, expected, fix)


def specified_data(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """SDF-01: the classes that the Government specifies, and the traffic that tells of them, stay where they are.

    Off until `specifiedClasses` names some. Then the networks beside them have flow and DNS logs, and nothing of the
    stack hands data to edges all over the world.
    """
    classes = [one for one in settings.get("specifiedClasses", ()) if isinstance(one, str)]
    if not classes:
        return
    held = [store for store in stack.of(*STORES) if _may_be(classes, store)]
    if any(store.type in AWS_STORES for store in held):
        yield from unlogged_vpcs(stack, dns=True)
    if any(store.type not in AWS_STORES for store in held):
        yield from unlogged_subnets(stack, dns=True)
    if held:
        for edge in stack.of(*EDGES):
            if dig(edge.props, "status") != "Suspended":
                yield (
                    edge.urn,
                    Finding(
                        "data and what tells of its flow go to edges abroad",
                        "the resource",
                        edge.type,
                        "none",
                    ),
                )


def _may_be(classes: list[str], store: StackResource) -> bool:
    _, value = tag(store.alone, CLASS)
    return value is None or isinstance(value, Unknown) or value in classes


BRE_01 = Control(
    id="DPDP-BRE-01",
    title="Detection is on",
    law=BREACH,
    severity=Severity.HIGH,
    level=EnforcementLevel.ADVISORY,
    types=tuple(DETECTORS),
    remedy="a GuardDuty detector in the account and region",
    check=detection,
    stack_check=a_detector,
    settings=_ELSEWHERE,
)
BRE_02 = Control(
    id="DPDP-BRE-02",
    title="Alerts reach a person",
    law=BREACH,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(),
    remedy="let an alarm or alert policy reach a person, or say in `elsewhere` where the account has that",
    check=None,
    stack_check=alerts,
    settings=_ELSEWHERE,
)
SDF_01 = Control(
    id="DPDP-SDF-01",
    title="Specified data and its traffic stay",
    law=SPECIFIED_DATA,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=(),
    remedy="flow and DNS logs on the networks beside it, and no content network, accelerator or transfer acceleration",
    check=None,
    stack_check=specified_data,
    settings={
        "specifiedClasses": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "the data classes that the Government has specified to you; none by November 2026",
        }
    },
)
CONTROLS: tuple[Control, ...] = (BRE_01, BRE_02, SDF_01)
