"""Prices of everything that is not a machine, and which resource types cost nothing: tables in `data/`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal

from pydantic import Field

from infra.catalog.machines import MONTH_HOURS
from infra.catalog.tables import DATA, Basis, Row, read


class ServiceRow(Row):
    """A price: dollars per hour, month, GiB or million. `region` is * where Mumbai's price stands for both."""

    meter: str
    region: str
    what: str
    per: Literal["hour", "month", "GiB", "million"]
    usd: float = Field(gt=0)
    basis: Basis


@dataclass(frozen=True)
class Meter:
    """What is paid for, and dollars for a month of it (or for one GiB or million, of which a month has so many)."""

    what: str
    usd: float
    basis: str
    as_of: date
    source: str


def meter(name: str, region: str) -> Meter | None:
    """The meter of a region, or None where no price is known."""
    row = _rows().get((name, region)) or _rows().get((name, "*"))
    if row is None:
        return None
    usd = row.usd * (MONTH_HOURS if row.per == "hour" else 1)
    return Meter(row.what, usd, row.basis, row.as_of, row.source)


def is_free(type_: str) -> bool:
    """Whether a resource type costs nothing of its own."""
    return type_.startswith(_free())


def by_use() -> Mapping[str, str]:
    """Resource types that are paid by use, of which a platform's own is next to nothing; with their price in words."""
    return _by_use()


@cache
def _rows() -> Mapping[tuple[str, str], ServiceRow]:
    return {(row.meter, row.region): row for row in read(DATA / "services.csv", ServiceRow)}


@cache
def _free() -> tuple[str, ...]:
    with (DATA / "free.csv").open(encoding="utf-8", newline="") as rows:
        return tuple(row["type"] for row in csv.DictReader(rows))


@cache
def _by_use() -> Mapping[str, str]:
    with (DATA / "by_use.csv").open(encoding="utf-8", newline="") as rows:
        return {row["type"]: f"{row['what']} ({row['price']})" for row in csv.DictReader(rows)}
