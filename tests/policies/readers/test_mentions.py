"""The words that a text is looked through for before a pattern is: each text that the pattern finds has one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.controls.kubernetes import k8s_03_06_07_environment as environment
from policies.controls.kubernetes import k8s_04_storage as storage
from policies.controls.residency import res_06_09_10_copies as copies
from policies.readers.mentions import may_mention

PAIRS = {
    "makers": (environment._MAKERS, environment._MARKS_OF_MAKERS),
    "schemes": (storage._ABROAD, storage._MARKS_ABROAD),
    "registries": (copies._REGISTRY, copies._MARKS_OF_REGISTRIES),
    "addresses": (storage._ADDRESS_IN_TEXT, storage._MARKS_OF_ADDRESSES),
}


@pytest.mark.parametrize("name", PAIRS)
@given(data=st.data())
def test_no_text_that_the_pattern_finds_is_passed_over(name: str, data: st.DataObject) -> None:
    pattern, marks = PAIRS[name]
    assert may_mention(data.draw(st.from_regex(pattern)), marks)


@pytest.mark.parametrize("name", PAIRS)
def test_another_text_is_not_looked_through(name: str) -> None:
    assert not may_mention("nothing of the kind", PAIRS[name][1])


def test_a_text_beyond_ascii_is_always_looked_through() -> None:
    assert may_mention("ſ3", ("s3",))
