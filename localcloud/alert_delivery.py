"""Whether an alert passes from its source to a topic of Amazon SNS, and who is subscribed: what SNS, KMS and IAM ask.

moto keeps policies and holds nobody to them, and its EventBridge knows no topics; so these rules are the local cloud's
own, over its evaluator of policies (permissions/iam_policies.py). Sources: EventBridge user guide, "Using
resource-based policies" (a topic's policy may have no Condition for EventBridge: such a statement never allows, and the
event is counted in FailedInvocations); Amazon SNS developer guide, "Managing Amazon SNS encryption keys".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.permissions.iam_policies import Policies, Request, Statement, allowing, judge, statements

EVENTBRIDGE = "events.amazonaws.com"
PUBLISH = "sns:Publish"
# What a publisher to an encrypted topic has its key used for.
KEY_USES = ("kms:Decrypt", "kms:GenerateDataKey")
TOPIC_CONTEXT = "kms:EncryptionContext:aws:sns:topicArn"
SECURE = {"aws:SecureTransport": "true"}

Client = Callable[[str], Any]


@dataclass(frozen=True)
class Topic:
    """A topic: its policy's statements, those of its key (none if it is not encrypted), the key's ARN, and who is
    subscribed, as `protocol:endpoint`."""

    arn: str
    statements: Sequence[Statement]
    key_statements: Sequence[Statement] | None
    key_arn: str
    subscribers: Sequence[str]

    @property
    def region(self) -> str:
        """The region in its ARN."""
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        """The account in its ARN."""
        return self.arn.split(":")[4]


def topic(arn: str, aws: Client) -> Topic:
    """A topic as the running local AWS has it; `aws` makes a client of a service."""
    attributes = aws("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    subscribed = aws("sns").list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    key = attributes.get("KmsMasterKeyId")
    return Topic(
        arn,
        statements(attributes["Policy"]),
        statements(aws("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"]) if key else None,
        key or "",
        [f"{one['Protocol']}:{one['Endpoint']}" for one in subscribed],
    )


def lacks_for_eventbridge(to: Topic) -> str:
    """What keeps an event of EventBridge from the topic; empty where nothing does."""
    conditional = [one for one in to.statements if one["Effect"] == "Allow" and one.get("Condition")]
    held = [one for one in to.statements if one not in conditional]
    request = Request(PUBLISH, to.arn, EVENTBRIDGE, SECURE)
    bare = [{**one, "Condition": {}} for one in conditional]
    if not allowing(request, held) and (dropped := allowing(request, bare)):
        names = ", ".join(one.get("Sid", "a statement without Sid") for one in dropped)
        return f"dropped (FailedInvocations): {names} has a Condition, which no topic's policy may for EventBridge"
    return _lacks(to, request, Policies({}, resource=held), {TOPIC_CONTEXT: to.arn})


def lacks_for_role(to: Topic, role: Sequence[Statement]) -> str:
    """What keeps a role of the topic's account, with these statements of its own, from publishing to the topic."""
    through = {"kms:ViaService": f"sns.{to.region}.amazonaws.com", "kms:CallerAccount": to.account}
    publisher = f"arn:aws:iam::{to.account}:role/publisher"
    request = Request(PUBLISH, to.arn, publisher, SECURE)
    policies = Policies({"policy of its role": role}, resource=to.statements)
    return _lacks(to, request, policies, {**SECURE, **through, TOPIC_CONTEXT: to.arn})


def _lacks(to: Topic, publish: Request, policies: Policies, with_key: Mapping[str, str]) -> str:
    """What lacks to publish, or to use the topic's key in the context `with_key`; empty where nothing does."""
    verdicts = [judge(publish, policies)]
    if to.key_statements is not None:
        of_key = Policies(policies.identity, key=to.key_statements)
        uses = [Request(use, to.key_arn, publish.principal, with_key) for use in KEY_USES]
        verdicts += [judge(use, of_key) for use in uses]
    return next((verdict.why for verdict in verdicts if not verdict.allowed), "")
