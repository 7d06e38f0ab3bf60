"""The table behind AWS's page "Amazon EC2 Spot Pricing": one Linux price for each machine type and region.

config.regions[].instanceTypes[].sizes[]: `size` and valueColumns[name=linux].prices.USD, a string, "N/A*" where there
is none. The price is that of the region's lowest zone, which is not named; so it counts where no zone's is known.
The file names no time, and its predecessor (spot.js) stood still for two years without a sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from infra.catalog.refresh.answers import FeedError, FeedRows, Known
from infra.catalog.refresh.reading import each, parse_json, part
from infra.catalog.tables import PriceRow

SOURCE = "aws spot table"
# What the table repeats for machines of which it saw no price: SOURCES.md, basis `not-observed`.
REPEATED, TO = 0.935, 5e-4


def parse(body: bytes, known: Known, day: date) -> FeedRows:
    """Spot prices of the machines that are `known`, as of `day`.

    Raises:
        FeedError: it has another form, or no row of a known machine.
    """
    table = part(parse_json(body, dict), "config")
    ours = [fact for fact in _linux(table) if (fact[0], fact[1]) in known.zones and fact[2] != "N/A*"]

    def row(fact: tuple[str, str, Any]) -> PriceRow:
        region, name, usd = fact
        made = PriceRow(
            region=region,
            machine_type=name,
            purchase="spot",
            usd_hour=usd,
            basis="lowest-zone",
            as_of=day,
            source=SOURCE,
        )
        on_demand = known.on_demand.get((region, name))
        if on_demand and abs(made.usd_hour / on_demand - REPEATED) < TO:
            return made.model_copy(update={"basis": "not-observed"})
        return made

    prices, dropped = each(ours, lambda fact: f"{fact[1]} in {fact[0]}", row)
    if not prices:
        raise FeedError("has no row of a machine in the catalogue")
    return FeedRows(day, tuple(prices), dropped=tuple(dropped))


def _linux(table: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for region in _objects(table, "regions"):
        for family in _objects(region, "instanceTypes"):
            for size in _objects(family, "sizes"):
                for column in _objects(size, "valueColumns"):
                    if column.get("name") == "linux":
                        usd = part(column, "prices").get("USD")
                        yield str(region.get("region")), str(size.get("size")), usd


def _objects(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
