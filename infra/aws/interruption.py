"""Interruption: the queue on which Karpenter hears that EC2 is about to take a node away.

Rules as in Karpenter 1.14's reference CloudFormation (2026-08-21), the fifth new in that version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_aws as aws

from infra.aws import iam
from infra.aws.iam import Account
from infra.contracts.governance import DataGovernance

MESSAGE_SECONDS = 300  # a notice is two minutes; an older one speaks of a node that has gone

# By the end of the rule's name: the event's source and its detail-type.
RULES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "health": ("aws.health", "AWS Health Event"),
        "spot": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
        "rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
        "state": ("aws.ec2", "EC2 Instance State-change Notification"),
        "reservation": ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
    }
)


@dataclass(frozen=True)
class InterruptionArgs:
    """The queue has the name of the cluster, `cluster_name`."""

    account: Account
    governance: DataGovernance
    cluster_name: str


class Interruption(pulumi.ComponentResource):
    """A queue with five EventBridge rules in front of it."""

    queue_name: pulumi.Output[str]
    queue_arn: pulumi.Output[str]

    def __init__(self, name: str, args: InterruptionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Interruption", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        queue = aws.sqs.Queue(
            name,
            name=args.cluster_name,
            message_retention_seconds=MESSAGE_SECONDS,
            # The messages name instances, no persons. SQS's own key spares EventBridge a right to a customer key.
            sqs_managed_sse_enabled=True,
            tags=args.governance.tags(f"{args.cluster_name}-interruption"),
            opts=child,
        )
        self.queue_name, self.queue_arn = queue.name, queue.arn
        aws.sqs.QueuePolicy(name, queue_url=queue.url, policy=_policy(queue.arn, args), opts=child)
        for event, (source, detail_type) in RULES.items():
            rule = aws.cloudwatch.EventRule(
                f"{name}-{event}",
                name=f"{args.cluster_name}-{event}",
                description=f"{detail_type}, for Karpenter",
                event_pattern=json.dumps({"source": [source], "detail-type": [detail_type]}),
                opts=child,
            )
            aws.cloudwatch.EventTarget(
                f"{name}-{event}", rule=rule.name, arn=queue.arn, target_id="karpenter", opts=child
            )
        self.register_outputs({"queueName": self.queue_name, "queueArn": self.queue_arn})


def _policy(queue_arn: pulumi.Output[str], args: InterruptionArgs) -> pulumi.Output[str]:
    rules = args.account.arn("events", f"rule/{args.cluster_name}-*")
    return iam.document(
        iam.statement(
            "RulesOfThisCluster",
            ("sqs:SendMessage",),
            queue_arn,
            principal=iam.service("events.amazonaws.com"),
            conditions={"ArnLike": {"aws:SourceArn": rules}},
        ),
        iam.deny("DenyHTTP", ("sqs:*",), queue_arn, {"Bool": {"aws:SecureTransport": "false"}}),
    )
