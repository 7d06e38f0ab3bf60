"""A feed's rows into the tables: each row by itself, where it can be and nothing better is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from infra.catalog.refresh.answers import FeedRows, Known
from infra.catalog.refresh.merge import Change, Tables, bought, key, merged, misplaced, too_dear
from infra.catalog.tables import InterruptionRow, PlacementRow, PriceRow

# What a login answered: on the same day it counts for more than what a third party copied.
LOGIN_SOURCES = ("aws price list", "aws spot history", "google billing")
SEEN = ("observed", "lowest-zone", "not-observed")

R = TypeVar("R", PriceRow, PlacementRow, InterruptionRow)


def known_of(tables: Tables) -> Known:
    """What feeds' rows are picked by."""
    return Known(
        {(row.region, row.machine_type): row.zones for row in tables.offerings},
        {
            (row.region, row.machine_type): row.usd_hour
            for row in tables.prices
            if row.purchase == "on-demand" and not row.zone
        },
    )


def take(old: Tables, feeds: Sequence[FeedRows]) -> tuple[Tables, list[Change], list[str]]:
    """The tables with the feeds' rows in them, what became of every row, and a line for each that was dropped.

    A row that is not told stays. One of a zone takes the place of one for the whole region, never the other way round.
    """
    zones = known_of(old).zones
    lines = [line for feed in feeds for line in feed.dropped]

    def placed(rows: Iterable[R]) -> list[R]:
        judged = [(row, misplaced(row, zones)) for row in rows]
        lines.extend(f"{wrong} ({row.source})" for row, wrong in judged if wrong)
        return [row for row, wrong in judged if not wrong]

    fresh = _newest(placed(row for feed in feeds for row in feed.prices))
    before = {key(row): row for row in old.prices}
    zoned = {bought(row) for row in (*old.prices, *fresh) if row.zone}
    fresh = [row for row in fresh if row.zone or bought(row) not in zoned]
    fresh = [row for row in fresh if _better(row, before.get(key(row)))]
    fresh, contradicted = _possible(before, fresh)
    lines += contradicted
    by_zone = {bought(row) for row in fresh if row.zone}
    prices, priced = merged(old.prices, fresh, lambda row: not row.zone and bought(row) in by_zone)
    bands, banded = _later(old.interruptions, placed(row for feed in feeds for row in feed.bands))
    scores, scored = _later(old.placement, placed(row for feed in feeds for row in feed.scores))
    made = replace(old, prices=tuple(prices), interruptions=tuple(bands), placement=tuple(scores))
    return made, [*priced, *banded, *scored], list(dict.fromkeys(lines))


def _newest(rows: Iterable[R]) -> list[R]:
    found: dict[tuple[str, ...], R] = {}
    for row in rows:
        other = found.get(key(row))
        if other is None or other.as_of < row.as_of:
            found[key(row)] = row
    return list(found.values())


def _later(old: Sequence[R], rows: Iterable[R]) -> tuple[list[R], list[Change]]:
    days = {key(row): row.as_of for row in old}
    fresh = [row for row in _newest(rows) if row.as_of >= days.get(key(row), row.as_of)]
    return merged(old, fresh, lambda _: False)


def _better(row: PriceRow, was: PriceRow | None) -> bool:
    """Whether a feed's price counts for more than the row that is there: a later one, or one in place of a guess."""
    if was is None or was.basis not in SEEN:
        return True
    return row.as_of > was.as_of or (row.as_of == was.as_of and was.source not in LOGIN_SOURCES)


def _possible(
    before: dict[tuple[str, ...], PriceRow], fresh: Iterable[PriceRow]
) -> tuple[list[PriceRow], list[str]]:
    """The fresh prices that contradict none, and a line for each other: a spot price above the on-demand price goes,
    else the on-demand price that lies below a spot price which stays."""
    left = {key(row): row for row in fresh}
    lines: list[str] = []
    while wrong := _contradictions(_with(before, left), left):
        for at, why in wrong.items():
            lines.append(f"{why} ({left.pop(at).source})")
    return list(left.values()), lines


def _with(
    before: dict[tuple[str, ...], PriceRow], fresh: dict[tuple[str, ...], PriceRow]
) -> dict[tuple[str, ...], PriceRow]:
    by_zone = {bought(row) for row in fresh.values() if row.zone}
    return {at: row for at, row in before.items() if row.zone or bought(row) not in by_zone} | fresh


def _contradictions(
    prices: dict[tuple[str, ...], PriceRow], fresh: dict[tuple[str, ...], PriceRow]
) -> dict[tuple[str, ...], str]:
    """Fresh rows that are at fault, with the reason."""
    found: dict[tuple[str, ...], str] = {}
    for at, row in prices.items():
        listed = (row.region, row.machine_type, "on-demand", "")
        why = too_dear(row, prices.get(listed))
        if why and (at in fresh or listed in fresh):
            found[at if at in fresh else listed] = why
    return found
