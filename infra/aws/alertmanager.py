"""Alertmanager's way to the stack's topic: the role of its pods, and the receiver that its configuration names.

Sources: Prometheus' "Alertmanager configuration", `<sns_config>`; Amazon SNS developer guide, "Managing Amazon SNS
encryption keys" (a publisher needs kms:GenerateDataKey* and kms:Decrypt on the topic's key).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws import iam, pod_identity
from infra.aws.iam import Account


@dataclass(frozen=True)
class AlertmanagerArgs:
    """`topic_arn` is encrypted under `key_arn`. Alertmanager runs as `service_account` of `namespace`."""

    account: Account
    cluster: aws.eks.Cluster
    cluster_name: str
    topic_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    namespace: str = "monitoring"
    service_account: str = "alertmanager"


class Alertmanager(pulumi.ComponentResource):
    """A role that may publish to one topic, by Pod Identity.

    `receivers` is what the platform's Alertmanager sends through. Its chart waits for `ready`: a pod gets its identity
    when it is admitted, and never later.
    """

    receivers: Mapping[str, Sequence[Mapping[str, Any]]]
    ready: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Alertmanager", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = pod_identity.role(
            name, f"Alertmanager of {args.cluster_name}", args.account, args.cluster_name, child
        )
        policy = aws.iam.RolePolicy(name, role=role.id, policy=_may_publish(args), opts=child)
        association = aws.eks.PodIdentityAssociation(
            name,
            cluster_name=args.cluster.name,
            namespace=args.namespace,
            service_account=args.service_account,
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, deleted_with=args.cluster),
        )
        # Without a region Alertmanager refuses to send; it does not ask the node's metadata.
        topic = {"topic_arn": args.topic_arn, "sigv4": {"region": args.account.region}}
        self.receivers = {"sns_configs": [topic]}
        self.ready = [policy, association]
        self.register_outputs({"roleArn": role.arn})


def _may_publish(args: AlertmanagerArgs) -> pulumi.Output[str]:
    return iam.document(
        iam.statement("SendAlerts", ("sns:Publish",), pulumi.Output.from_input(args.topic_arn)),
        iam.statement(
            "UnderTheTopicsKey",
            ("kms:Decrypt", "kms:GenerateDataKey*"),
            pulumi.Output.from_input(args.key_arn),
            conditions={
                "StringEquals": {"kms:ViaService": f"sns.{args.account.region}.amazonaws.com"},
            },
        ),
    )
