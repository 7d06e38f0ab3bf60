"""SpotLake's newest AWS file: spot by zone, on-demand prices and EC2's placement score, in one array with its time.

A row: InstanceType, Region, AZ (a zone ID), SPS (the placement score of one machine), OndemandPrice, SpotPrice, Time in
UTC; -1 where nothing was seen (ddps-lab/spotlake collector/spot-dataset/aws). Its IF column repeats Spot Advisor's
band, which is read at its own address. Only AWS's default regions: no Hyderabad.
"""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from infra.catalog.refresh.answers import FeedError, FeedRows, Known
from infra.catalog.refresh.reading import capped, each, parse_json
from infra.catalog.tables import PlacementRow, PriceRow

SOURCE = "spotlake latest"


class _Fact(BaseModel):
    machine_type: str = Field(alias="InstanceType")
    region: str = Field(alias="Region")
    zone: str = Field(alias="AZ", min_length=1)
    score: int = Field(alias="SPS", ge=-1, le=10)
    on_demand: float = Field(alias="OndemandPrice", ge=-1, allow_inf_nan=False)
    spot: float = Field(alias="SpotPrice", ge=-1, allow_inf_nan=False)
    time: datetime = Field(alias="Time")


def parse(body: bytes, known: Known, day: date) -> FeedRows:
    """Rows of the machines that are `known`, each of the day that it names; one of a day after `day` is dropped.

    Raises:
        FeedError: it has another form, or no row of a known machine.
    """
    ours = [
        fact
        for fact in parse_json(body, list)
        if isinstance(fact, dict) and (str(fact.get("Region")), str(fact.get("InstanceType"))) in known.zones
    ]
    facts, dropped = each(ours, lambda fact: str(fact["InstanceType"]), _Fact.model_validate)
    dropped += [f"{fact.machine_type}: of {fact.time:%Y-%m-%d}" for fact in facts if fact.time.date() > day]
    facts = [fact for fact in facts if fact.time.date() <= day]
    if not facts:
        raise FeedError("has no row of a machine in the catalogue")
    listed: dict[tuple[str, str], set[float]] = {}
    for fact in facts:
        if fact.on_demand > 0:
            listed.setdefault((fact.region, fact.machine_type), set()).add(fact.on_demand)
    on_demand = {at: usd.pop() for at, usd in listed.items() if len(usd) == 1}
    dropped += [
        f"{name}: several on-demand prices in {region}" for (region, name), usd in listed.items() if usd
    ]
    newest = max(fact.time.date() for fact in facts)
    return FeedRows(
        newest,
        (
            *(_price(region, name, "", usd, newest) for (region, name), usd in on_demand.items()),
            *(
                _price(
                    fact.region,
                    fact.machine_type,
                    fact.zone,
                    capped(fact.spot, on_demand.get((fact.region, fact.machine_type))),
                    fact.time.date(),
                )
                for fact in facts
                if fact.spot > 0
            ),
        ),
        tuple(_score(fact) for fact in facts if fact.score > 0),
        dropped=tuple(dropped),
    )


def _price(region: str, machine_type: str, zone: str, usd: float, day: date) -> PriceRow:
    return PriceRow(
        region=region,
        machine_type=machine_type,
        purchase="spot" if zone else "on-demand",
        zone=zone,
        usd_hour=usd,
        basis="observed",
        as_of=day,
        source=SOURCE,
    )


def _score(fact: _Fact) -> PlacementRow:
    return PlacementRow(
        region=fact.region,
        machine_type=fact.machine_type,
        zone=fact.zone,
        score=fact.score,
        as_of=fact.time.date(),
        source=SOURCE,
    )
