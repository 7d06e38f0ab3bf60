"""Audit: what was done (CloudTrail), what looks wrong (GuardDuty), and whom it alerts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import contracts
from infra.aws import iam
from infra.aws.iam import Account
from infra.contracts.governance import AUDIT, DATA, DataGovernance

FEATURES = ("S3_DATA_EVENTS", "EKS_AUDIT_LOGS", "EBS_MALWARE_PROTECTION")

# GuardDuty that manages its agent makes an endpoint of its own in the VPC and leaves it behind, so that the VPC can't
# be destroyed. The cluster installs the agent as an add-on (aws-guardduty-agent); the network owns the endpoint.
AGENT_MANAGEMENT = ("EKS_ADDON_MANAGEMENT", "EC2_AGENT_MANAGEMENT", "ECS_FARGATE_AGENT_MANAGEMENT")

MEDIUM_SEVERITY = 4  # GuardDuty: low below 4, medium below 7, high below 9, critical


@dataclass(frozen=True)
class Alert:
    """An event that alerts people: its pattern, where the mail's facts are in it, and the mail's words."""

    pattern: Mapping[str, Any]
    facts: Mapping[str, str]
    words: str


ALERTS: Mapping[str, Alert] = MappingProxyType(
    {
        "findings": Alert(
            {
                "source": ["aws.guardduty"],
                "detail-type": ["GuardDuty Finding"],
                "detail": {"severity": [{"numeric": [">=", MEDIUM_SEVERITY]}]},
            },
            {
                "severity": "$.detail.severity",
                "title": "$.detail.title",
                "type": "$.detail.type",
                "at": "$.time",
                "place": "$.region",
                "id": "$.detail.id",
            },
            "GuardDuty, severity <severity>: <title> (<type>) at <at> in <place>. Finding <id>. "
            "CERT-In must hear of a listed incident within 6 hours of its being noticed.",
        ),
        "spot": Alert(
            {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]},
            {"instance": "$.detail.instance-id", "action": "$.detail.instance-action", "at": "$.time"},
            "EC2 takes the spot instance <instance> back (<action>) two minutes after <at>. "
            "Karpenter drains it and starts another.",
        ),
    }
)


@dataclass(frozen=True)
class AuditArgs:
    """`trail_name` is the one in the policies of the lake and the keys; `key_arn` encrypts the trail and the topic.

    `copy` is the lake in the other region, if there is one: a trail of all regions sees its objects too.
    An account has at most one GuardDuty detector a region: `guardduty` is False where another stack has it.
    """

    account: Account
    governance: DataGovernance
    lake: contracts.Lake
    key_arn: pulumi.Input[str]
    trail_name: str
    guardduty: bool = True
    alert_emails: Sequence[str] = ()
    copy: contracts.Lake | None = None


class Audit(pulumi.ComponentResource):
    """A trail of all regions into the audit bucket, GuardDuty, and a topic for findings and spot notices.

    `trail_arn` and `topic_arn`; `detector_id` is None without GuardDuty. Subscribers by mail confirm the first message.
    """

    detector_id: pulumi.Output[str] | None

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Audit", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.trail_arn = _trail(name, args, child).arn
        self.detector_id = _guardduty(name, child).id if args.guardduty else None
        self.topic_arn = _alerts(name, args, child)
        self.register_outputs(
            {"trailArn": self.trail_arn, "topicArn": self.topic_arn, "detectorId": self.detector_id}
        )


def _trail(name: str, args: AuditArgs, opts: pulumi.ResourceOptions) -> aws.cloudtrail.Trail:
    # Not the log buckets: each delivery would be an event that makes a delivery.
    lakes = [args.lake, *([args.copy] if args.copy else [])]
    objects = [pulumi.Output.concat(lake[role].arn_or_id, "/") for lake in lakes for role in DATA]
    return aws.cloudtrail.Trail(
        name,
        name=args.trail_name,
        s3_bucket_name=args.lake[AUDIT].name,
        kms_key_id=args.key_arn,
        is_multi_region_trail=True,  # sees what is done in other regions; the log itself stays in this one
        include_global_service_events=True,
        enable_logging=True,
        enable_log_file_validation=True,
        advanced_event_selectors=[
            {
                "name": "Management",
                "field_selectors": [{"field": "eventCategory", "equals": ["Management"]}],
            },
            {
                "name": "Objects of the lake",
                "field_selectors": [
                    {"field": "eventCategory", "equals": ["Data"]},
                    {"field": "resources.type", "equals": ["AWS::S3::Object"]},
                    {"field": "resources.ARN", "starts_withs": objects},
                ],
            },
        ],
        tags=args.governance.tags(args.trail_name, args.governance.log_days),
        opts=opts,
    )


def _guardduty(name: str, opts: pulumi.ResourceOptions) -> aws.guardduty.Detector:
    detector = aws.guardduty.Detector(
        name, enable=True, finding_publishing_frequency="FIFTEEN_MINUTES", opts=opts
    )
    for feature in FEATURES:
        aws.guardduty.DetectorFeature(
            f"{name}-{feature.lower().replace('_', '-')}",
            detector_id=detector.id,
            name=feature,
            status="ENABLED",
            opts=opts,
        )
    aws.guardduty.DetectorFeature(
        f"{name}-runtime-monitoring",
        detector_id=detector.id,
        name="RUNTIME_MONITORING",
        status="ENABLED",
        additional_configurations=[{"name": agent, "status": "DISABLED"} for agent in AGENT_MANAGEMENT],
        opts=opts,
    )
    return detector


def _alerts(name: str, args: AuditArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    topic = aws.sns.Topic(
        f"{name}-alerts",
        kms_master_key_id=args.key_arn,
        tags=args.governance.tags(f"{args.trail_name}-alerts", args.governance.log_days),
        opts=opts,
    )
    policy = aws.sns.TopicPolicy(
        f"{name}-alerts",
        arn=topic.arn,
        policy=_topic_policy(topic.arn),
        opts=opts,
    )
    after_policy = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[policy]))
    for alert, told in ALERTS.items():
        tell(f"{name}-{alert}", alert, told, topic.arn, after_policy)
    for email in args.alert_emails:
        aws.sns.TopicSubscription(
            f"{name}-{email}", topic=topic.arn, protocol="email", endpoint=email, opts=opts
        )
    return topic.arn


def tell(
    name: str, alert: str, told: Alert, topic_arn: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> None:
    """Mails an event of EventBridge to the subscribers of a topic."""
    rule = aws.cloudwatch.EventRule(
        name, description=f"Alerts: {alert}", event_pattern=json.dumps(told.pattern), opts=opts
    )
    aws.cloudwatch.EventTarget(
        name,
        rule=rule.name,
        arn=topic_arn,
        input_transformer={"input_paths": told.facts, "input_template": json.dumps(told.words)},
        opts=opts,
    )


def _topic_policy(topic: pulumi.Output[str]) -> pulumi.Output[str]:
    """Lets EventBridge publish, and nobody without TLS.

    Its statement has no Condition: EventBridge drops what a topic's policy allows under one. "You can't use Condition
    blocks in Amazon SNS topic policies for EventBridge" (EventBridge user guide, "Using resource-based policies").
    Only rules of this account can have the topic as a target, for whoever makes one needs its events:PutTargets.
    """
    return iam.document(
        iam.statement("EventRules", ["sns:Publish"], topic, principal=iam.service("events.amazonaws.com")),
        iam.deny("NoPlainHttp", ["sns:Publish"], topic, {"Bool": {"aws:SecureTransport": "false"}}),
    )
