"""The Logging query language, as far as sinks and alerts use it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.log_filters import SEVERITIES, FilterError, matches

ENTRY: dict[str, Any] = {
    "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
    "severity": "NOTICE",
    "timestamp": "2026-11-26T10:00:00Z",
    "labels": {"k8s-pod/app.kubernetes.io": "train", "team": "ml"},
    "httpRequest": {"status": 404},
    "protoPayload": {
        "methodName": "google.iam.v1.IAMPolicy.SetIamPolicy",
        "deltas": [{"action": "ADD", "member": "user:a"}, {"action": "REMOVE", "member": "allUsers"}],
    },
}


@pytest.mark.parametrize(
    ("filter", "wanted"),
    [
        ("", True),
        ('logName:"cloudaudit"', True),
        ('logName="cloudaudit"', False),
        ('LOG_ID("cloudaudit.googleapis.com/activity")', True),
        ('LOG_ID("cloudaudit.googleapis.com/data_access")', False),
        ("severity>=NOTICE", True),
        ("severity>=DEFAULT", True),
        ("severity>NOTICE", False),
        ("severity=notice", True),
        ("httpRequest.status>=400 httpRequest.status<500", True),
        ("httpRequest.status>=500", False),
        ('timestamp>="2026-11-26T09:00:00Z"', True),
        # Strings are compared without regard to case, expressions with it; they match any part.
        ('protoPayload.methodName="GOOGLE.IAM.V1.IAMPOLICY.SETIAMPOLICY"', True),
        ('protoPayload.methodName=~"setiampolicy"', False),
        ('protoPayload.methodName=~"SetIamPolicy$"', True),
        ('protoPayload.methodName!~"SetIamPolicy$"', False),
        # Any member of a list will do, each comparison on its own.
        ('protoPayload.deltas.action="ADD" AND protoPayload.deltas.member="allUsers"', True),
        ('protoPayload.deltas.member=("nobody" OR "allUsers")', True),
        ('protoPayload.deltas.member=("nobody" AND "allUsers")', False),
        # A field that is not there: every comparison is false, and its negation true.
        ('jsonPayload.message="x"', False),
        ('jsonPayload.message!="x"', False),
        ('NOT jsonPayload.message="x"', True),
        ("protoPayload.methodName:*", True),
        ("jsonPayload.message:*", False),
        ('labels."k8s-pod/app.kubernetes.io"="train"', True),
        ('labels."k8s-pod/app.kubernetes.io"="serve"', False),
        # OR binds closer than AND.
        ('severity=NOTICE OR severity=ERROR AND labels.team="x"', False),
        ('severity=NOTICE OR (severity=ERROR AND labels.team="x")', True),
        ('labels.team="x" AND severity=ERROR OR severity=NOTICE', False),
        ('-- a comment\nlabels.team="ml"', True),
    ],
)
def test_a_filter_matches_as_googles_guide_says(filter, wanted):
    assert matches(filter, ENTRY) is wanted


@pytest.mark.parametrize(
    "filter",
    [
        "allUsers", '"allUsers"', "method=x", "protoPayload.methodName=", "(severity=ERROR", "severity=ERROR)",
        "severity>=LOUD", 'severity=~"E"', 'labels.team=("a" "b")', 'labels.team=("a" OR "b" AND "c")', "NOT",
        'labels.team=~"("', r'labels.team=~"(a)\1"', 'SEARCH("x")', 'labels.team="a" and severity=ERROR', '"unclosed',
        'labels="x"',
    ],
)  # fmt: skip
def test_what_is_no_filter_is_an_error_and_never_a_mismatch(filter):
    with pytest.raises(FilterError):
        matches(filter, ENTRY)


_words = st.text(st.characters(categories=["L", "N"]), min_size=1)


@given(st.lists(_words, min_size=1, max_size=4), _words)
def test_values_in_parentheses_are_each_compared(values, has):
    filter = "textPayload=(" + " OR ".join(f'"{value}"' for value in values) + ")"
    assert matches(filter, {"textPayload": has}) is (has.casefold() in {v.casefold() for v in values})


@given(st.sampled_from(SEVERITIES), st.sampled_from(SEVERITIES))
def test_severities_have_an_order(asked, has):
    assert matches(f"severity>={asked}", {"severity": has}) is (
        SEVERITIES.index(has) >= SEVERITIES.index(asked)
    )


@given(st.text())
def test_no_text_breaks_the_reader(filter):
    try:
        assert matches(filter, ENTRY) in (True, False)
    except FilterError as refused:
        assert str(refused)
