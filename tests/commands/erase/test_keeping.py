"""What stays when erasure is asked for: the year of r.8(3), an Object Lock, and nothing longer than they say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.erase.keeping import verdict
from policies.law import provisions

NOW = datetime(2027, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("data_class", ["personal", "sensitive", "payment"])
def test_personal_data_stays_a_year_from_its_writing_and_not_a_day_more(data_class: str) -> None:
    written = NOW - timedelta(days=364)
    kept = verdict(written, data_class, None, NOW.date())
    assert not kept.now and kept.until == date(2027, 6, 2)
    assert "DPDP Rules 2025 r.8(3) (in force from 2027-05-13)" in kept.why
    gone = verdict(written - timedelta(days=1), data_class, None, NOW.date())
    assert gone.now and gone.until is None
    assert gone.why == "DPDP Act s.8(7) and DPDP Act s.12 ask for it"


def test_the_law_that_is_cited_says_so() -> None:
    assert "at least one year" in provisions()["rules-8-3"].requires
    assert "erases personal data" in provisions()["act-8-7"].requires
    assert "erases personal data when a Data Principal asks" in provisions()["act-12"].requires


days = st.integers(-2000, 2000)


@given(days, st.none() | days, st.sampled_from(["personal", "internal"]))
def test_what_is_kept_may_go_on_the_day_that_is_named(age: int, lock: int | None, data_class: str) -> None:
    written = NOW - timedelta(days=abs(age))
    locked = None if lock is None else NOW + timedelta(days=lock)
    found = verdict(written, data_class, locked, NOW.date())
    if not found.now:
        assert found.until is not None and found.until > NOW.date()
        assert verdict(written, data_class, locked, found.until).now
        assert not verdict(written, data_class, locked, found.until - timedelta(days=1)).now
