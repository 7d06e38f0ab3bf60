"""Rupees for a US dollar on a day, of a public reference rate: what a stack's own setting is held against."""

from __future__ import annotations

from datetime import date
from functools import cache

from pydantic import Field

from infra.catalog.tables import DATA, STALE_DAYS, Row, read
from infra.settings.money import Currency

FAR = 0.03  # the share that a setting may lie off the reference rate before it is worth a word


class RateRow(Row):
    """Rupees for a US dollar."""

    usd_inr: float = Field(gt=0)


@cache
def reference_rate() -> RateRow:
    """The newest that the catalogue has."""
    return max(read(DATA / "exchange_rates.csv", RateRow), key=lambda row: row.as_of)


def doubt(currency: Currency, today: date) -> str | None:
    """Why a stack's rate is not to be trusted: it is old, or far from a newer reference rate; None where it is not."""
    known = reference_rate()
    newer = f"the reference rate of {known.as_of} is {known.usd_inr:.2f}: `make catalog` reads today's"
    age = (today - currency.as_of).days
    if age > STALE_DAYS:
        return f"the rate of ₹{currency.usd_inr:g} to the dollar is {age} days old (of {currency.as_of}); {newer}"
    off = known.usd_inr / currency.usd_inr - 1
    if known.as_of > currency.as_of and abs(off) > FAR:
        return f"₹{currency.usd_inr:g} to the dollar (of {currency.as_of}) is {abs(off):.1%} off; {newer}"
    return None


def assumed(currency: Currency, given_by: str, today: date) -> str:
    """One sentence on the rate that prices are shown at, who gave it, and why it is not to be trusted if it isn't."""
    doubted = doubt(currency, today)
    sentence = f"₹{currency.usd_inr:g} to the dollar is assumed ({given_by})"
    return f"{sentence}: {doubted}" if doubted else sentence


def stale(today: date) -> str | None:
    """A clause on a reference rate that is older than 90 days, or None."""
    known = reference_rate()
    age = (today - known.as_of).days
    return (
        f"the reference rate of the dollar is {age} days old (of {known.as_of})" if age > STALE_DAYS else None
    )
