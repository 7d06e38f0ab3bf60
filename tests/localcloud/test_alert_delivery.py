"""Who may publish to a topic: what SNS, KMS and IAM ask, on policies that are right but for one thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.alert_delivery import Topic, lacks_for_eventbridge, lacks_for_role
from localcloud.permissions.iam_policies import UnknownElementError

TOPIC = "arn:aws:sns:ap-south-1:111122223333:alerts"
KEY = "arn:aws:kms:ap-south-1:111122223333:key/logs"
EVENTS = {"Service": "events.amazonaws.com"}
ROOT = {"AWS": "arn:aws:iam::111122223333:root"}


def allow(principal: Any, actions: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    named = {"Principal": principal} if principal else {}
    return {"Sid": "One", "Effect": "Allow", **named, "Action": actions, "Resource": resource, **more}


PLAIN = {
    **allow("*", "sns:Publish", TOPIC, Condition={"Bool": {"aws:SecureTransport": "false"}}),
    "Effect": "Deny",
}
CONTEXT = {"ArnLike": {"kms:EncryptionContext:aws:sns:topicArn": "arn:aws:sns:ap-south-1:111122223333:*"}}
THROUGH = {"StringEquals": {"kms:ViaService": "sns.ap-south-1.amazonaws.com"}}
USE = ["kms:Decrypt", "kms:GenerateDataKey*"]
KEY_STATEMENTS = [allow(EVENTS, USE, Condition=CONTEXT), allow(ROOT, USE, Condition=THROUGH)]
GOOD = Topic(
    TOPIC,
    [allow(EVENTS, ["sns:Publish"], TOPIC), PLAIN],
    KEY_STATEMENTS,
    KEY,
    ["email:oncall@example.in"],
)
ROLE = [allow(None, "sns:Publish", TOPIC), allow(None, USE, KEY, Condition=THROUGH)]


def test_a_topic_that_is_right() -> None:
    assert lacks_for_eventbridge(GOOD) == ""
    assert lacks_for_role(GOOD, ROLE) == ""
    assert lacks_for_eventbridge(replace(GOOD, key_statements=None)) == ""


@given(
    st.sampled_from(
        [
            {"ArnEquals": {"aws:SourceArn": "arn:aws:events:ap-south-1:111122223333:rule/audit-findings"}},
            {"StringEquals": {"aws:SourceAccount": "111122223333"}},
            {"Bool": {"aws:SecureTransport": "true"}},
            {"StringLike": {"aws:PrincipalOrgID": "*"}},
        ]
    )
)
def test_eventbridge_is_dropped_under_any_condition_true_or_not(condition: Any) -> None:
    held = replace(GOOD, statements=[allow(EVENTS, "sns:Publish", TOPIC, Condition=condition), PLAIN])
    assert "One has a Condition" in lacks_for_eventbridge(held)
    beside = replace(GOOD, statements=[*held.statements, allow(EVENTS, "sns:Publish", TOPIC)])
    assert lacks_for_eventbridge(beside) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"statements": [PLAIN]}, "no statement of the resource policy allows"),
        ({"statements": [allow(EVENTS, "sns:Publish", TOPIC.replace("alerts", "other"))]}, "no statement"),
        ({"statements": [allow({"Service": "s3.amazonaws.com"}, "sns:Publish", TOPIC)]}, "no statement"),
        (
            {"statements": [*GOOD.statements, {**PLAIN, "Condition": {}}]},
            "denied by One of the resource policy",
        ),
        ({"key_statements": [allow(ROOT, USE)]}, "kms:Decrypt"),
        ({"key_statements": [allow(EVENTS, "kms:Decrypt", Condition=CONTEXT)]}, "kms:GenerateDataKey"),
        # EventBridge names no source when it uses a key.
        (
            {
                "key_statements": [
                    allow(EVENTS, USE, Condition={"StringEquals": {"aws:SourceAccount": "111122223333"}})
                ]
            },
            "kms:Decrypt",
        ),
    ],
)
def test_what_keeps_an_event_away(changes: dict[str, Any], why: str) -> None:
    assert why in lacks_for_eventbridge(replace(GOOD, **changes))


@pytest.mark.parametrize(
    ("role", "key", "why"),
    [
        ([], GOOD.key_statements, "no statement of the policy of its role or resource policy allows it"),
        (
            ROLE[:1],
            GOOD.key_statements,
            f"kms:Decrypt on {KEY}: no statement of the policy of its role allows it",
        ),
        (ROLE, KEY_STATEMENTS[:1], f"kms:Decrypt on {KEY}: no statement of the key policy allows it"),
    ],
)
def test_what_keeps_a_role_away(role: Any, key: Any, why: str) -> None:
    assert why in lacks_for_role(replace(GOOD, key_statements=key), role)


def test_a_condition_that_is_not_known_is_no_guess() -> None:
    odd = allow(EVENTS, USE, Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}})
    with pytest.raises(UnknownElementError, match="DateLessThan"):
        lacks_for_eventbridge(replace(GOOD, key_statements=[odd]))


def test_a_topic_that_denies_keeps_a_role_away() -> None:
    held = replace(GOOD, statements=[*GOOD.statements, {**PLAIN, "Condition": {}}])
    assert "denied by One of the resource policy" in lacks_for_role(held, ROLE)
