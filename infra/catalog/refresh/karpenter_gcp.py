"""The prices that Karpenter's provider for Google Cloud starts with: machines by region, on demand and spot.

`prices.REGION.on_demand` and `prices.REGION.spot` are USD an hour by machine type, added up from Google's SKUs
(cloudpilot-ai/karpenter-provider-gcp). Google's spot price is that of the region. GPUs beside a machine (n1 with T4)
are not in it. The file names no time; it changes with the repository's commits.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from infra.catalog.refresh.answers import FeedError, FeedRows, Known
from infra.catalog.refresh.reading import each, parse_json, part
from infra.catalog.tables import PriceRow
from infra.settings.purchase import PricedPurchase

SOURCE = "karpenter-gcp latest"
COLUMNS: dict[PricedPurchase, str] = {"on-demand": "on_demand", "spot": "spot"}


def parse(body: bytes, known: Known, day: date) -> FeedRows:
    """Prices of the machines that are `known`, as of `day`.

    Raises:
        FeedError: it has another form, or no row of a known machine.
    """
    document = parse_json(body, dict)
    ours: list[tuple[str, str, PricedPurchase, Any]] = [
        (region, name, purchase, usd[name])
        for region, name in known.zones
        for purchase, column in COLUMNS.items()
        if name in (usd := part(document, "prices", region, column))
    ]

    def row(fact: tuple[str, str, PricedPurchase, Any]) -> PriceRow:
        region, name, purchase, usd = fact
        made = PriceRow(
            region=region,
            machine_type=name,
            purchase=purchase,
            usd_hour=usd,
            basis="observed",
            as_of=day,
            source=SOURCE,
        )
        return made.model_copy(update={"usd_hour": round(made.usd_hour, 5) or made.usd_hour})

    prices, dropped = each(ours, lambda fact: f"{fact[1]} in {fact[0]}", row)
    if not prices:
        raise FeedError("has no row of a machine in the catalogue")
    return FeedRows(day, tuple(prices), dropped=tuple(dropped))
