"""SkyPilot's catalogue of AWS: a row for each machine type and zone, with Price (on demand) and SpotPrice.

AvailabilityZone is a zone ID; SpotPrice is empty where none was seen. The file names no time: its repository's workflow
renews it every seven hours. Only AWS's default regions: no Hyderabad.
"""

from __future__ import annotations

import csv
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from infra.catalog.refresh.answers import FeedError, FeedRows, Known
from infra.catalog.refresh.reading import capped, each
from infra.catalog.tables import PriceRow

SOURCE = "skypilot latest"
NEEDED = {"InstanceType", "Region", "AvailabilityZone", "Price", "SpotPrice"}

Usd = Annotated[float, BeforeValidator(lambda cell: cell or 0), Field(ge=0, allow_inf_nan=False)]


class _Fact(BaseModel):
    machine_type: str = Field(alias="InstanceType")
    region: str = Field(alias="Region")
    zone: str = Field(alias="AvailabilityZone", min_length=1)
    on_demand: Usd = Field(alias="Price")
    spot: Usd = Field(alias="SpotPrice")


def parse(body: bytes, known: Known, day: date) -> FeedRows:
    """Rows of the machines that are `known`, as of `day`.

    Raises:
        FeedError: it has another form, or no row of a known machine.
    """
    ours = [row for row in _rows(body) if (row["Region"], row["InstanceType"]) in known.zones]
    facts, dropped = each(ours, lambda row: str(row["InstanceType"]), _Fact.model_validate)
    if not facts:
        raise FeedError("has no row of a machine in the catalogue")
    prices: dict[tuple[str, str, str], PriceRow] = {}
    for fact in facts:
        at: dict[str, Any] = {"region": fact.region, "machine_type": fact.machine_type}
        at |= {"basis": "observed", "as_of": day, "source": SOURCE}
        if fact.on_demand:
            prices[fact.region, fact.machine_type, ""] = PriceRow(
                purchase="on-demand", usd_hour=fact.on_demand, **at
            )
        if fact.spot:
            usd = capped(fact.spot, fact.on_demand)
            prices[fact.region, fact.machine_type, fact.zone] = PriceRow(
                purchase="spot", zone=fact.zone, usd_hour=usd, **at
            )
    return FeedRows(day, tuple(prices.values()), dropped=tuple(dropped))


def _rows(body: bytes) -> list[dict[str, Any]]:
    try:
        lines = csv.DictReader(body.decode().splitlines())
        rows = list(lines)
    except (UnicodeDecodeError, csv.Error):
        raise FeedError("is no CSV") from None
    if missing := NEEDED - set(lines.fieldnames or ()):
        raise FeedError(f"has no column {', '.join(sorted(missing))}")
    return rows
