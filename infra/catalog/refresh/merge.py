"""Merges a cloud's answers into the tables: rows that stay, change or go, and answers that contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar

from infra import geography
from infra.catalog.exchange_rate import RateRow
from infra.catalog.refresh.answers import Answer, FeedRow
from infra.catalog.tables import (
    CatalogError,
    InterruptionRow,
    MachineRow,
    OfferingRow,
    PlacementRow,
    PriceRow,
    read,
    write,
)

Kind = Literal["new", "changed", "same", "kept", "gone"]
KINDS: tuple[Kind, ...] = ("new", "changed", "same", "kept", "gone")
Fact = MachineRow | OfferingRow | PriceRow | InterruptionRow | PlacementRow
R = TypeVar("R", MachineRow, OfferingRow, PriceRow, InterruptionRow, PlacementRow)
TABLES: dict[type[Fact], str] = {
    MachineRow: "machines",
    OfferingRow: "offerings",
    PriceRow: "prices",
    InterruptionRow: "interruptions",
    PlacementRow: "placement",
}


@dataclass(frozen=True)
class Tables:
    """What `make catalog` refreshes: facts of machines, rupees for a dollar, and what each feed last sent."""

    machines: tuple[MachineRow, ...]
    offerings: tuple[OfferingRow, ...]
    prices: tuple[PriceRow, ...]
    interruptions: tuple[InterruptionRow, ...] = ()
    placement: tuple[PlacementRow, ...] = ()
    exchange_rates: tuple[RateRow, ...] = ()
    feeds: tuple[FeedRow, ...] = ()


@dataclass(frozen=True)
class Change:
    """What became of one row. `same`: the cloud gave it again unchanged; `kept`: it gave none, so the old row stays."""

    table: str
    kind: Kind
    cloud: geography.Cloud
    key: tuple[str, ...]
    was: Fact | None
    now: Fact | None


def load(data: Path) -> Tables:
    """The tables of a folder.

    Raises:
        CatalogError: a row is broken.
    """
    return Tables(
        machines=tuple(read(data / "machines.csv", MachineRow)),
        offerings=tuple(read(data / "offerings.csv", OfferingRow)),
        prices=tuple(read(data / "prices.csv", PriceRow)),
        interruptions=tuple(read(data / "interruptions.csv", InterruptionRow)),
        placement=tuple(read(data / "placement.csv", PlacementRow)),
        exchange_rates=tuple(read(data / "exchange_rates.csv", RateRow)),
        # There is none before the first feed was read.
        feeds=tuple(read(data / "feeds.csv", FeedRow)) if (data / "feeds.csv").exists() else (),
    )


def save(tables: Tables, data: Path) -> None:
    """Write the tables that have rows; none is touched before all are written beside them."""
    with TemporaryDirectory(dir=data, prefix="draft-") as draft:
        for field in fields(tables):
            if rows := getattr(tables, field.name):
                write(Path(draft) / f"{field.name}.csv", list(rows))
        for written in Path(draft).iterdir():
            written.replace(data / written.name)


def merge(old: Tables, answers: Sequence[Answer]) -> tuple[Tables, list[Change]]:
    """The tables with the answers in them, and what became of every row.

    Rows of regions without an answer stay. In the others a machine type that is no longer offered goes, with its
    prices; a price that was not told stays, whatever its basis, unless its machine type was priced anew in other zones.
    What was dropped and is offered nowhere else goes too.

    Raises:
        CatalogError: the result cannot be true, and says where.
    """
    told = {answer.region for answer in answers}
    offerings, offered = merged(
        old.offerings, [row for answer in answers for row in answer.offerings], lambda row: row.region in told
    )
    zones = {(row.region, row.machine_type): row.zones for row in offerings}
    dropped = {change.key[-1] for change in offered if change.kind == "gone"} - {name for _, name in zones}

    def gone(row: PriceRow | InterruptionRow | PlacementRow) -> bool:
        there = zones.get((row.region, row.machine_type))
        zone = "" if isinstance(row, InterruptionRow) else row.zone
        return row.region in told and (there is None or bool(zone and zone not in there))

    fresh = [row for answer in answers for row in answer.prices]
    anew = {bought(row) for row in fresh}
    prices, priced = merged(
        old.prices,
        fresh,
        lambda row: bought(row) in anew or gone(row),
    )
    interruptions, banded = merged(old.interruptions, list[InterruptionRow](), gone)
    placement, scored = merged(old.placement, list[PlacementRow](), gone)
    machines, described = merged(
        old.machines,
        [row for answer in answers for row in answer.machines],
        lambda row: row.machine_type in dropped,
    )
    made = replace(
        old,
        machines=tuple(machines),
        offerings=tuple(offerings),
        prices=tuple(prices),
        interruptions=tuple(interruptions),
        placement=tuple(placement),
    )
    if wrong := list(impossible(made)):
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CatalogError(
            f"What the clouds answered cannot be, so nothing was written: {'; '.join(wrong[:3])}{more}"
        )
    return made, [*described, *offered, *priced, *banded, *scored]


def impossible(tables: Tables) -> Iterator[str]:
    """Every way in which the tables contradict themselves or geography."""
    types = {row.machine_type for row in tables.machines}
    for row in tables.offerings:
        if foreign := sorted(set(row.zones) - set(geography.region(row.region).zones)):
            yield f"{row.machine_type} in {row.region}: {', '.join(foreign)} is no zone of that region"
        if row.machine_type not in types:
            yield f"{row.machine_type} is offered in {row.region} and has no row in machines.csv"
    zones = {(row.region, row.machine_type): row.zones for row in tables.offerings}
    prices = {key(row): row for row in tables.prices}
    for row in prices.values():
        if wrong := misplaced(row, zones):
            yield wrong
        on_demand = prices.get((row.region, row.machine_type, "on-demand", ""))
        if wrong := too_dear(row, on_demand):
            yield wrong
    for row in tables.placement:
        if wrong := misplaced(row, zones):
            yield wrong


def misplaced(
    row: PriceRow | PlacementRow | InterruptionRow, zones: Mapping[tuple[str, str], tuple[str, ...]]
) -> str | None:
    """Why a row's machine type is not offered where the row says, by the zones of the offerings; None where it is."""
    what = "price" if isinstance(row, PriceRow) else "band" if isinstance(row, InterruptionRow) else "score"
    there = zones.get((row.region, row.machine_type))
    if there is None:
        return f"{row.machine_type} in {row.region} has a {what} and is not offered there"
    if isinstance(row, InterruptionRow) or not row.zone or row.zone in there:
        return None
    return (
        f"{row.machine_type} has a {what} in {row.zone}, and is not offered there: in {row.region} it is in "
        f"{', '.join(there)}"
    )


def too_dear(row: PriceRow, on_demand: PriceRow | None) -> str | None:
    """Why a spot price cannot be beside the on-demand price; None where it can, or the row is none of spot."""
    if row.purchase != "spot" or on_demand is None or row.usd_hour <= on_demand.usd_hour:
        return None
    return (
        f"{row.machine_type} in {row.zone or row.region}: spot {row.usd_hour:g} USD/h ({row.as_of}, {row.basis}) "
        f"is above on-demand {on_demand.usd_hour:g} ({on_demand.as_of}, {on_demand.basis})"
    )


def merged(old: Sequence[R], fresh: Sequence[R], gone: Callable[[R], bool]) -> tuple[list[R], list[Change]]:
    """The old rows in their order with the fresh ones in them, without those `gone` and not among the fresh."""
    left = {key(row): row for row in fresh}
    rows: list[R] = []
    changes: list[Change] = []
    for was in old:
        now = left.pop(key(was), None)
        if now is None and gone(was):
            changes.append(_change("gone", was, None))
            continue
        kind: Kind = "kept" if now is None else "same" if facts(was) == facts(now) else "changed"
        rows.append(now or was)
        changes.append(_change(kind, was, now or was))
    rows += left.values()
    return rows, [*changes, *(_change("new", None, now) for now in left.values())]


def facts(row: Fact) -> dict[str, object]:
    """What a row says, without its day and source."""
    return row.model_dump(exclude={"as_of", "source"})


def _change(kind: Kind, was: Fact | None, now: Fact | None) -> Change:
    row = now or was
    assert row is not None
    cloud = row.cloud if isinstance(row, MachineRow) else geography.region(row.region).cloud
    return Change(TABLES[type(row)], kind, cloud, key(row), was, now)


def key(row: Fact) -> tuple[str, ...]:
    """What tells a row from the others of its table."""
    if isinstance(row, MachineRow):
        return (row.machine_type,)
    if isinstance(row, PriceRow):
        return (*bought(row), row.zone)
    if isinstance(row, PlacementRow):
        return (row.region, row.machine_type, row.zone)
    return (row.region, row.machine_type)


def bought(row: PriceRow) -> tuple[str, str, str]:
    """A machine type in a region, and one way of buying it."""
    return (row.region, row.machine_type, row.purchase)
