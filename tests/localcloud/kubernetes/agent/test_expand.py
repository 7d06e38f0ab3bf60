"""`$(VAR)` against Kubernetes' own reading, letter by letter."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.kubernetes.agent.expand import expand

VARIABLES = {"A": "one", "B": "$(A)", "": "empty"}


def as_in_kubernetes(text: str, variables: Mapping[str, str]) -> str:
    """third_party/forked/golang/expansion/expand.go, translated."""
    out, at = "", 0
    while at < len(text):
        if text[at] != "$" or at + 1 == len(text):
            out, at = out + text[at], at + 1
        elif text[at + 1] == "$":
            out, at = out + "$", at + 2
        elif text[at + 1] == "(" and (end := text.find(")", at)) >= 0:
            out, at = out + variables.get(text[at + 2 : end], text[at : end + 1]), end + 1
        else:
            out, at = out + text[at : at + 2], at + 2
    return out


@given(st.text(alphabet="$()AB x\n", max_size=20))
def test_it_reads_what_kubernetes_reads(text: str) -> None:
    assert expand(text, VARIABLES) == as_in_kubernetes(text, VARIABLES)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("--at=$(A):80", "--at=one:80"),
        ("$(B)", "$(A)"),  # values are not expanded again
        ("$$(A)", "$(A)"),
        ("$(NOBODY)", "$(NOBODY)"),
        ("$A ${A} $(A", "$A ${A} $(A"),
    ],
)
def test_an_example_of_each_form(text: str, expanded: str) -> None:
    assert expand(text, VARIABLES) == expanded
