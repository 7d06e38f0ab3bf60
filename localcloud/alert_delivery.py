"""Whether an alert passes from its source to a topic of Amazon SNS, and who is subscribed: what SNS, KMS and IAM ask.

moto keeps policies and holds nobody to them, and its EventBridge knows no topics; so these rules are the local cloud's
own. Sources: EventBridge user guide, "Using resource-based policies" (a topic's policy may have no Condition for
EventBridge: such a statement never allows, and the event is counted in FailedInvocations); Amazon SNS developer guide,
"Managing Amazon SNS encryption keys"; IAM user guide, "Policy evaluation logic".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

EVENTBRIDGE = "events.amazonaws.com"
PUBLISH = "sns:Publish"
# What a publisher to an encrypted topic has its key used for.
KEY_USES = ("kms:Decrypt", "kms:GenerateDataKey")
TOPIC_CONTEXT = "kms:EncryptionContext:aws:sns:topicArn"

Client = Callable[[str], Any]
Statement = Mapping[str, Any]


class UnknownConditionError(ValueError):
    """A policy has a condition that these rules don't know: they would only guess."""


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
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
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


def statements(document: str) -> list[Statement]:
    """The statements of a policy document in JSON."""
    found = json.loads(document)["Statement"]
    return found if isinstance(found, list) else [found]


def lacks_for_eventbridge(to: Topic) -> str:
    """What keeps an event of EventBridge from the topic; empty where nothing does."""
    caller, context = {"Service": EVENTBRIDGE}, {"aws:SecureTransport": "true"}
    ours = [
        one for one in to.statements if one["Effect"] == "Allow" and _speaks_of(one, caller, PUBLISH, to.arn)
    ]
    if not ours:
        return f"no statement of the topic's policy allows {EVENTBRIDGE} {PUBLISH}"
    if all(one.get("Condition") for one in ours):
        names = ", ".join(one.get("Sid", "without a Sid") for one in ours)
        return f"dropped (FailedInvocations): {names} has a Condition, which no topic's policy may for EventBridge"
    if _refused(to.statements, caller, PUBLISH, to.arn, context):
        return "a statement of the topic's policy denies it"
    return _key_lacks(to, caller, {TOPIC_CONTEXT: to.arn})


def lacks_for_role(to: Topic, role: Sequence[Statement]) -> str:
    """What keeps a role of the topic's account, with these statements of its own, from publishing to the topic."""
    caller = {"AWS": f"arn:aws:iam::{to.account}:root"}
    through = {"kms:ViaService": f"sns.{to.region}.amazonaws.com", "kms:CallerAccount": to.account}
    context = {**through, TOPIC_CONTEXT: to.arn, "aws:SecureTransport": "true"}
    if not _allowed(role, None, PUBLISH, to.arn, context):
        return f"its role may not {PUBLISH}"
    if _refused(to.statements, caller, PUBLISH, to.arn, context):
        return "a statement of the topic's policy denies it"
    if to.key_statements is not None:
        for use in KEY_USES:
            if not _allowed(role, None, use, to.key_arn, context):
                return f"its role may not {use} with the topic's key"
    return _key_lacks(to, caller, context)


def _key_lacks(to: Topic, caller: Mapping[str, str], context: Mapping[str, str]) -> str:
    if to.key_statements is None:
        return ""
    for use in KEY_USES:
        if not _allowed(to.key_statements, caller, use, to.key_arn, context):
            return f"the policy of the topic's key lets nobody of {next(iter(caller.values()))} {use}"
    return ""


def _allowed(
    held: Sequence[Statement],
    caller: Mapping[str, str] | None,
    action: str,
    resource: str,
    context: Mapping[str, str],
) -> bool:
    allows = any(
        one["Effect"] == "Allow"
        and _speaks_of(one, caller, action, resource)
        and _met(one.get("Condition") or {}, context)
        for one in held
    )
    return allows and not _refused(held, caller, action, resource, context)


def _refused(
    held: Sequence[Statement],
    caller: Mapping[str, str] | None,
    action: str,
    resource: str,
    context: Mapping[str, str],
) -> bool:
    return any(
        one["Effect"] == "Deny"
        and _speaks_of(one, caller, action, resource)
        and _met(one.get("Condition") or {}, context)
        for one in held
    )


def _speaks_of(one: Statement, caller: Mapping[str, str] | None, action: str, resource: str) -> bool:
    """Whether a statement is about this caller (None: of a role's own policy, which names none), action and resource.

    In a key's policy the resource is `*`: the key itself."""
    return (
        (caller is None or _names(one.get("Principal"), caller))
        and any(fnmatchcase(action.lower(), named.lower()) for named in _each(one["Action"]))
        and any(fnmatchcase(resource, named) for named in _each(one["Resource"]))
    )


def _names(principal: Any, caller: Mapping[str, str]) -> bool:
    if principal == "*":
        return True
    ((kind, who),) = caller.items()
    return any(named in (who, "*") for named in _each((principal or {}).get(kind, ())))


def _met(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Whether every test of a Condition holds. A key that the request does not have fails its test."""
    return all(_test(test, context.get(key), wanted) for test, key, wanted in _tests(condition))


def _tests(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    for test, keys in condition.items():
        for key, wanted in keys.items():
            yield test, key, wanted


def _test(test: str, value: str | None, wanted: Any) -> bool:
    if test in ("StringEquals", "Bool"):
        return value is not None and value in map(str, _each(wanted))
    if test in ("StringLike", "ArnLike", "ArnEquals"):
        return value is not None and any(fnmatchcase(value, pattern) for pattern in _each(wanted))
    raise UnknownConditionError(
        f"the drill knows no condition {test}: add it to localcloud/alert_delivery.py"
    )


def _each(value: Any) -> Sequence[Any]:
    return [value] if isinstance(value, str) else list(value)
