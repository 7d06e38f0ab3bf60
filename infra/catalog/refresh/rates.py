"""Rupees for a US dollar from a public reference rate: the European Central Bank's, else FBIL's.

The ECB publishes euro rates of each working day; EUR/INR over EUR/USD is a cross that is computed here. Its data may be
used again with the source named. FBIL (Financial Benchmarks India) publishes the rupee's official reference rate, with
a lag of some days; its rates may be used and not be published again as a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from math import isfinite
from typing import Any
from xml.etree import ElementTree

from pydantic import BaseModel, Field, ValidationError

from infra.catalog.exchange_rate import RateRow
from infra.catalog.refresh.answers import FeedError
from infra.catalog.refresh.feeds import MIB, Download
from infra.catalog.refresh.reading import parse_json

ECB = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"
FBIL = (
    "https://www.fbil.org.in/wasdm/refrates/fetchfiltered?fromDate={begin}&toDate={end}&authenticated=false"
)
FBIL_DAYS = 21
EURO_RATES = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"
# From January 2025 to October 2026 the rate moved by 10 % (ECB). One that is farther off is a mistake.
FARTHEST = 0.2


class _Fixing(BaseModel):
    day: datetime = Field(alias="processRunDate")
    rate: float = Field(gt=0, allow_inf_nan=False)


def read_rate(known: RateRow, today: date, download: Download) -> tuple[RateRow | None, list[str]]:
    """The newest rate that can be had, and a line for each address that gave none."""
    begin = today - timedelta(days=FBIL_DAYS)
    addresses = ((ECB, parse_ecb), (FBIL.format(begin=begin, end=today), parse_fbil))
    lines: list[str] = []
    for url, parse in addresses:
        host = url.split("/")[2]
        try:
            rate = _plausible(parse(download(url, MIB)), known, today)
        except FeedError as error:
            lines.append(f"{host}: {error}")
            continue
        if rate.as_of >= known.as_of:
            return rate, lines
        lines.append(f"{host}: its rate is of {rate.as_of}, older than the one that is there")
    return None, lines


def _plausible(rate: RateRow, known: RateRow, today: date) -> RateRow:
    if rate.as_of > today:
        raise FeedError(f"its rate is of {rate.as_of}, which is to come")
    off = rate.usd_inr / known.usd_inr - 1
    if abs(off) > FARTHEST:
        raise FeedError(f"its rate of {rate.usd_inr:.2f} is {off:+.0%} off that of {known.as_of}")
    return rate


def parse_ecb(body: bytes) -> RateRow:
    """The day's cross of the rupee and the dollar.

    Raises:
        FeedError: it has another form.
    """
    cubes = _elements(body, EURO_RATES)
    day = next((cube.get("time") for cube in cubes if cube.get("time")), None)
    rates = {cube.get("currency"): cube.get("rate", "") for cube in cubes if cube.get("currency")}
    try:
        inr, usd = float(rates["INR"]), float(rates["USD"])
        as_of = date.fromisoformat(day or "")
        if not (isfinite(inr) and isfinite(usd) and inr > 0 and usd > 0):
            raise ValueError
        source = f"European Central Bank, euro reference rates: INR {inr:.4f} over USD {usd:.4f}"
        return RateRow(usd_inr=round(inr / usd, 4), as_of=as_of, source=source)
    except (KeyError, ValueError, OverflowError):
        raise FeedError("names no day with rates of INR and USD") from None


def _elements(body: bytes, tag: str) -> list[ElementTree.Element]:
    """Every element of a name. A document type is refused: entities can make little XML endless."""
    try:
        text = body.decode()
        if "<!DOCTYPE" in text:
            raise FeedError("is XML with a document type")
        return list(ElementTree.fromstring(text).iter(tag))
    except (UnicodeDecodeError, ValueError, ElementTree.ParseError):
        raise FeedError("is no XML") from None


def parse_fbil(body: bytes) -> RateRow:
    """The newest fixing of the dollar.

    Raises:
        FeedError: it has another form, or no fixing of the dollar.
    """
    newest = max(_fixings(parse_json(body, list)), key=lambda one: one.day.date(), default=None)
    if newest is None:
        raise FeedError("has no fixing of INR / 1 USD")
    return RateRow(
        usd_inr=newest.rate,
        as_of=newest.day.date(),
        source="Financial Benchmarks India (FBIL), reference rate of INR / 1 USD",
    )


def _fixings(facts: Iterable[Any]) -> list[_Fixing]:
    ours = [fact for fact in facts if isinstance(fact, dict) and fact.get("subProdName") == "INR / 1 USD"]
    try:
        return [_Fixing.model_validate(fact) for fact in ours]
    except ValidationError as error:
        wrong = error.errors()[0]
        raise FeedError(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None
