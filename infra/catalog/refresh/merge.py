"""Fresh rows into the old tables: what stays, what goes, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, TypeVar

from infra import geography
from infra.catalog.refresh.answers import Answer
from infra.catalog.tables import CatalogError, MachineRow, OfferingRow, PriceRow, read, write

Kind = Literal["new", "changed", "same", "kept", "gone"]
KINDS: tuple[Kind, ...] = ("new", "changed", "same", "kept", "gone")
Fact = MachineRow | OfferingRow | PriceRow
R = TypeVar("R", MachineRow, OfferingRow, PriceRow)


@dataclass(frozen=True)
class Tables:
    """The three tables that the clouds can tell. Interruption bands have no API and are not among them."""

    machines: tuple[MachineRow, ...]
    offerings: tuple[OfferingRow, ...]
    prices: tuple[PriceRow, ...]


@dataclass(frozen=True)
class Change:
    """What became of one row. `same`: told again as it was; `kept`: not told, so it stays with its old date."""

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
    )


def save(tables: Tables, data: Path) -> None:
    """Write the three tables; none is touched before all are written beside them."""
    with TemporaryDirectory(dir=data, prefix="draft-") as draft:
        for name in ("machines", "offerings", "prices"):
            write(Path(draft) / f"{name}.csv", list(getattr(tables, name)))
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
    offerings, offered = _merged(
        old.offerings, [row for answer in answers for row in answer.offerings], lambda row: row.region in told
    )
    places = {(row.region, row.machine_type) for row in offerings}
    dropped = {change.key[-1] for change in offered if change.kind == "gone"} - {name for _, name in places}
    fresh = [row for answer in answers for row in answer.prices]
    anew = {_bought(row) for row in fresh}
    prices, priced = _merged(
        old.prices,
        fresh,
        lambda row: (
            _bought(row) in anew or (row.region in told and (row.region, row.machine_type) not in places)
        ),
    )
    machines, described = _merged(
        old.machines,
        [row for answer in answers for row in answer.machines],
        lambda row: row.machine_type in dropped,
    )
    made = Tables(tuple(machines), tuple(offerings), tuple(prices))
    if wrong := list(impossible(made)):
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CatalogError(
            f"What the clouds answered cannot be, so nothing was written: {'; '.join(wrong[:3])}{more}"
        )
    return made, [*described, *offered, *priced]


def impossible(tables: Tables) -> Iterator[str]:
    """Every way in which the tables contradict themselves or geography."""
    types = {row.machine_type for row in tables.machines}
    places = {(row.region, row.machine_type) for row in tables.offerings}
    for row in tables.offerings:
        if foreign := sorted(set(row.zones) - set(geography.region(row.region).zones)):
            yield f"{row.machine_type} in {row.region}: {', '.join(foreign)} is no zone of that region"
        if row.machine_type not in types:
            yield f"{row.machine_type} is offered in {row.region} and has no row in machines.csv"
    zones = {(row.region, row.machine_type): row.zones for row in tables.offerings}
    prices = {_key(row): row for row in tables.prices}
    for (region, name, purchase, zone), row in prices.items():
        if (region, name) not in places or name not in types:
            yield f"{name} in {region} has a price and is not offered there"
        elif zone and zone not in zones[region, name]:
            there = ", ".join(zones[region, name])
            yield f"{name} has a price in {zone}, and is not offered there: in {region} it is in {there}"
        dear = prices.get((region, name, "on-demand", ""))
        if purchase == "spot" and dear and row.usd_hour > dear.usd_hour:
            yield (
                f"{name} in {zone or region}: spot {row.usd_hour:g} USD/h ({row.as_of}, {row.basis}) is above "
                f"on-demand {dear.usd_hour:g} ({dear.as_of}, {dear.basis})"
            )


def _merged(old: Sequence[R], fresh: Sequence[R], gone: Callable[[R], bool]) -> tuple[list[R], list[Change]]:
    left = {_key(row): row for row in fresh}
    rows: list[R] = []
    changes: list[Change] = []
    for was in old:
        now = left.pop(_key(was), None)
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
    table = {MachineRow: "machines", OfferingRow: "offerings", PriceRow: "prices"}[type(row)]
    cloud = row.cloud if isinstance(row, MachineRow) else geography.region(row.region).cloud
    return Change(table, kind, cloud, _key(row), was, now)


def _key(row: Fact) -> tuple[str, ...]:
    if isinstance(row, MachineRow):
        return (row.machine_type,)
    if isinstance(row, OfferingRow):
        return (row.region, row.machine_type)
    return (*_bought(row), row.zone)


def _bought(row: PriceRow) -> tuple[str, str, str]:
    return (row.region, row.machine_type, row.purchase)
