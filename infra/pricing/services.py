"""Prices of everything that is not a machine, and which resource types cost nothing: tables in `data/`."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal

from pydantic import Field

from infra.catalog.machines import MONTH_HOURS
from infra.catalog.tables import DATA, Basis, CatalogError, Row, read


class ServiceRow(Row):
    """A price: dollars per hour, month, GiB or million, of the units `above` a number (the first tier is above 0).
    `region` is * where Mumbai's price stands for both."""

    meter: str
    region: str
    what: str
    per: Literal["hour", "month", "GiB", "million"]
    above: float = Field(ge=0)
    usd: float = Field(ge=0)
    basis: Basis


@dataclass(frozen=True, eq=False)
class Meter:
    """What is paid for; there is one object of each. `tiers` are dollars for a month of one (or for one GiB or million,
    of which a month has so many), each for the units above its first figure."""

    name: str
    what: str
    tiers: tuple[tuple[float, float], ...]
    basis: str
    as_of: date
    source: str

    def cost(self, units: float) -> float:
        """Dollars for so many units in a month."""
        ends = [above for above, _ in self.tiers[1:]] + [float("inf")]
        return sum(
            max(0.0, min(units, end) - above) * usd
            for (above, usd), end in zip(self.tiers, ends, strict=True)
        )


def meter(name: str, region: str) -> Meter | None:
    """The meter of a region, or None where no price is known."""
    return _meters().get((name, region)) or _meters().get((name, "*"))


@cache
def is_free(type_: str) -> bool:
    """Whether a resource type costs nothing of its own."""
    return type_.startswith(_free())


def by_use() -> Mapping[str, str]:
    """Resource types that are paid by use, of which a platform's own is next to nothing; with their price in words."""
    return _by_use()


@cache
def _meters() -> Mapping[tuple[str, str], Meter]:
    tiers: dict[tuple[str, str], list[ServiceRow]] = {}
    for row in read(DATA / "services.csv", ServiceRow):
        tiers.setdefault((row.meter, row.region), []).append(row)
    return {at: _meter(rows) for at, rows in tiers.items()}


def _meter(rows: Sequence[ServiceRow]) -> Meter:
    first = rows[0]
    begins = [row.above for row in rows]
    if begins[0] != 0 or begins != sorted(set(begins)):
        raise CatalogError(
            f"services.csv: the tiers of {first.meter} begin at {begins}: write them in order, from 0"
        )
    hours = MONTH_HOURS if first.per == "hour" else 1
    return Meter(
        first.meter,
        first.what,
        tuple((row.above, row.usd * hours) for row in rows),
        first.basis,
        first.as_of,
        first.source,
    )


@cache
def _free() -> tuple[str, ...]:
    with (DATA / "free.csv").open(encoding="utf-8", newline="") as rows:
        return tuple(row["type"] for row in csv.DictReader(rows))


@cache
def _by_use() -> Mapping[str, str]:
    with (DATA / "by_use.csv").open(encoding="utf-8", newline="") as rows:
        return {row["type"]: f"{row['what']} ({row['price']})" for row in csv.DictReader(rows)}
