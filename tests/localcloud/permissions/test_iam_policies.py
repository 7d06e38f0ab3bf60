"""The evaluator of AWS policies: its rules one by one, what it refuses to read, and moto's answers beside its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.permissions.iam_policies import (
    Policies,
    Request,
    UnknownElementError,
    judge,
    matches,
    statements,
)

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/training"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def document(*held: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(held)})


def allow(**more: Any) -> dict[str, Any]:
    return {"Sid": "S", "Effect": "Allow", "Action": "s3:*", "Resource": "*", **more}


def deny(**more: Any) -> dict[str, Any]:
    return {**allow(**more), "Effect": "Deny"}


def asked(context: Mapping[str, str] | None = None, action: str = "s3:GetObject") -> Request:
    return Request(action, "arn:aws:s3:::lake/jobs/x", ROLE, context or {})


def fits(condition: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    return matches(allow(Condition=condition), asked(context))


@pytest.mark.parametrize(
    ("condition", "context", "met"),
    [
        ({"StringEquals": {"k": "a"}}, {"k": "a"}, True),
        ({"StringEquals": {"k": "a"}}, {"K": "a"}, True),  # a key's case does not matter, a value's does
        ({"StringEquals": {"k": "a"}}, {"k": "A"}, False),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),
        ({"StringLike": {"k": "a*"}}, {"k": "ab"}, True),
        ({"StringLike": {"k": "a?"}}, {"k": "a"}, False),
        ({"StringLike": {"k": "jobs/*"}}, {}, False),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": "b"}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"Null": {"k": "false"}}, {"k": ""}, True),
        ({"Bool": {"k": "false"}}, {}, False),
        ({"BoolIfExists": {"k": "false"}}, {}, True),
        ({"BoolIfExists": {"k": "false"}}, {"k": "true"}, False),
        ({"NumericLessThan": {"k": "1.2"}}, {"k": "1.1"}, True),
        ({"NumericLessThan": {"k": "1.2"}}, {"k": "1.3"}, False),
        ({"ArnLike": {"k": "arn:aws:s3:::a*"}}, {"k": "arn:aws:s3:::ab"}, True),
        ({"ArnLike": {"k": "arn:aws:*:::ab"}}, {"k": "arn:aws:s3:x::ab"}, False),  # `*` stays in its part
        ({"ArnNotEquals": {"k": "arn:aws:kms:r:1:key/a"}}, {"k": "arn:aws:kms:r:1:key/b"}, True),
    ],
)
def test_a_condition_is_met_as_the_guide_says(condition: Any, context: Any, met: bool) -> None:
    assert fits(condition, context) is met


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={"DateLessThan": {"aws:CurrentTime": "2026-01-01"}}),
        allow(Condition={"ForAllValues:StringEquals": {"k": "a"}}),
        allow(Resource="arn:aws:s3:::${aws:username}"),
        allow(NotPrincipal={"AWS": "*"}),
        allow(Principal={"Federated": "x"}),
    ],
)
def test_what_is_not_known_is_refused_and_never_passed_over(statement: dict[str, Any]) -> None:
    with pytest.raises(UnknownElementError):
        matches(statement, asked({"k": "a"}))


def test_an_unknown_element_or_version_is_refused() -> None:
    with pytest.raises(UnknownElementError, match="unknown Actions"):
        statements(document({**allow(), "Actions": "s3:*"}))
    with pytest.raises(UnknownElementError, match="2008-10-17"):
        statements({"Version": "2008-10-17", "Statement": []})


def test_a_document_may_have_one_statement_that_is_no_list() -> None:
    assert statements({"Version": "2012-10-17", "Statement": allow()}) == [allow()]


def together(role: Any = (), **others: Any) -> bool:
    return judge(asked(), Policies({"role": list(role)}, **others)).allowed


def test_what_allows_and_what_denies() -> None:
    assert together([allow()])
    assert not together([])
    assert not together([allow(), deny()])
    assert not together([allow()], resource=[deny(Principal="*")])
    assert not together([allow()], endpoint=[])
    assert together([allow()], endpoint=[allow(Principal="*")])
    # A bucket's policy is enough if it names the role; if it names the account, the role's policy must allow it too.
    assert together([], resource=[allow(Principal={"AWS": ROLE})])
    assert not together([], resource=[allow(Principal={"AWS": ROOT})])
    assert not together([], resource=[allow(Principal={"Service": "s3.amazonaws.com"})])


def test_a_key_policy_must_delegate_before_the_roles_policy_counts() -> None:
    role = [allow(Action="kms:*")]
    request = asked(action="kms:GenerateDataKey")

    def key(*held: Any) -> bool:
        return judge(request, Policies({"role": role}, key=list(held))).allowed

    assert not key()
    assert not key(allow(Action="kms:Decrypt", Principal={"AWS": ROOT}))
    assert key(allow(Action="kms:GenerateDataKey*", Principal={"AWS": ROOT}))
    assert not judge(
        request, Policies({"role": []}, key=[allow(Action="kms:*", Principal={"AWS": ROOT})])
    ).allowed


WORDS = st.text(alphabet="ab/:.[]", max_size=6)
PATTERNS = st.text(alphabet="ab/:.*?", max_size=6)


@given(PATTERNS, WORDS)
def test_wildcards_are_those_of_a_shell_without_its_brackets(pattern: str, text: str) -> None:
    request = Request("s3:GetObject", text, ROLE)
    assert matches(allow(Resource=pattern), request) is fnmatchcase(text, pattern)


ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:Get*", "s3:*", "*"])
RESOURCES = st.sampled_from(
    ["*", "arn:aws:s3:::lake", "arn:aws:s3:::lake/*", "arn:aws:s3:::lake/jobs/*", "arn:aws:s3:::other/*"]
)
STATEMENTS = st.builds(
    lambda effect, action, resource: {"Effect": effect, "Action": action, "Resource": resource},
    st.sampled_from(["Allow", "Deny"]),
    st.one_of(ACTIONS, st.lists(ACTIONS, min_size=1, max_size=2)),
    st.one_of(RESOURCES, st.lists(RESOURCES, min_size=1, max_size=2)),
)


@pytest.mark.slow
@given(
    st.lists(STATEMENTS, max_size=4),
    st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetObjectTagging"]),
    st.sampled_from(["arn:aws:s3:::lake", "arn:aws:s3:::lake/jobs/x", "arn:aws:s3:::other/x"]),
)
def test_of_policies_without_conditions_moto_says_the_same(
    held: list[dict[str, Any]], action: str, resource: str
) -> None:
    """moto enforces identity policies, and knows neither conditions nor other policies: what both know, both answer."""
    from moto.iam.access_control import IAMPolicy, PermissionResult  # takes seconds

    ours = judge(Request(action, resource, ROLE), Policies({"role": held})).allowed
    policy = {"Version": "2012-10-17", "Statement": held}
    theirs = IAMPolicy({"policy_document": json.dumps(policy)}).is_action_permitted(action, resource)
    assert ours is (theirs is PermissionResult.PERMITTED)
