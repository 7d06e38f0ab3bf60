"""What the tables are refused for when they are read, and what is told of their age."""

from __future__ import annotations

import re
import shutil
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.catalog import exchange_rate
from infra.catalog.exchange_rate import FAR, STALE_DAYS, RateRow, assumed, doubt
from infra.catalog.tables import DATA, CatalogError
from infra.settings.money import Currency

machines = sys.modules["infra.catalog.machines"]  # the package has a function of that name
EVERY = machines.everywhere()
DAYS = {
    "prices": [price.as_of for found in EVERY for price in found.prices],
    "interruption bands": [found.interruption.as_of for found in EVERY if found.interruption],
    "placement scores": [row.as_of for found in EVERY for row in found.placement],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped tables, to be broken."""
    made = tmp_path / "data"
    shutil.copytree(DATA, made)
    monkeypatch.setattr(machines, "DATA", made)
    return made


def append(path: Path, row: str) -> int:
    """Its line."""
    text = path.read_text()
    path.write_text(f"{text}{row}\n")
    return text.count("\n") + 1


@pytest.mark.parametrize(
    ("table", "row", "says"),
    [
        (
            "prices",
            "ap-south-1,g6.xlarge,spot,aps1-az2,0.4,observed,2026-09-09,a test",
            "zone is 'aps1-az2': g6.xlarge is offered in ap-south-1 in aps1-az1, aps1-az3; the nearest is aps1-az3",
        ),
        (
            "prices",
            "ap-south-1,g6.xlarge,spot,aps1-az9,0.4,observed,2026-09-09,a test",
            "zone is 'aps1-az9': g6.xlarge is offered in ap-south-1 in aps1-az1, aps1-az3",
        ),
        (
            "prices",
            "ap-south-2,p5.48xlarge,spot,aps2-az1,9,observed,2026-09-09,a test",
            "zone is 'aps2-az1': p5.48xlarge is offered in ap-south-2 in no zone",
        ),
        (
            "placement",
            "ap-south-1,g6.xlarge,aps2-az1,3,2026-09-09,a test",
            "zone is 'aps2-az1': g6.xlarge is offered in ap-south-1 in aps1-az1, aps1-az3",
        ),
    ],
)
def test_a_row_of_a_zone_that_does_not_offer_it_is_refused(
    folder: Path, table: str, row: str, says: str
) -> None:
    line = append(folder / f"{table}.csv", row)
    with pytest.raises(CatalogError, match=re.escape(f"{table}.csv:{line}: {says}")) as refused:
        machines._by_region.__wrapped__()
    assert "\n" not in str(refused.value)


def test_the_shipped_tables_are_read(folder: Path) -> None:
    assert {at: len(found) for at, found in machines._by_region.__wrapped__().items()} == {
        at: len(found) for at, found in machines._by_region().items()
    }


@pytest.mark.parametrize("what", DAYS)
def test_each_table_that_is_old_is_told(what: str) -> None:
    oldest = min(DAYS[what])
    late = oldest + timedelta(days=STALE_DAYS + 1)
    said = machines.stale(late)
    assert said
    assert re.search(
        rf"\d+ of {len(DAYS[what])} {what} (is|are) older than 90 days \(the oldest 91, of {oldest}\)", said
    )
    assert "make catalog" in said
    on_time = machines.stale(late - timedelta(days=1))
    assert on_time is None or f" {what} " not in on_time


def test_a_rate_that_is_old_is_told() -> None:
    known = exchange_rate.reference_rate()
    late = known.as_of + timedelta(days=91)
    said = machines.stale(late)
    assert said
    assert f"the reference rate of the dollar is 91 days old (of {known.as_of})" in said
    on_time = machines.stale(late - timedelta(days=1))
    assert on_time is None or "reference rate" not in on_time


@given(
    setting=st.floats(40, 200),
    known=st.floats(40, 200),
    age=st.integers(0, 400),
    newer=st.integers(-200, 200),
)
def test_a_stacks_rate_is_doubted_where_it_is_old_or_far_off(
    setting: float, known: float, age: int, newer: int
) -> None:
    today = date(2026, 12, 1)
    currency = Currency(usd_inr=setting, as_of=today - timedelta(days=age))
    reference = RateRow(usd_inr=known, as_of=currency.as_of + timedelta(days=newer), source="a test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange_rate, "reference_rate", lambda: reference)
        doubted, sentence = doubt(currency, today), assumed(currency, "a test", today)
    far = newer > 0 and abs(known / setting - 1) > FAR
    assert bool(doubted) == (age > STALE_DAYS or far)
    assert sentence.startswith(f"₹{setting:g} to the dollar is assumed (a test)")
    assert sentence.endswith(doubted or "(a test)")
    assert "\n" not in sentence
