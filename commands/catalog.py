"""`make catalog`: the tables refreshed with the logins of this shell, with public feeds, and what that changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from commands.console import console
from infra import geography
from infra.catalog.exchange_rate import RateRow
from infra.catalog.refresh.answers import Answer, NoCredentialsError, Unread
from infra.catalog.refresh.download import download
from infra.catalog.refresh.feeds import FEEDS, Reading, age, read_feed, renewed
from infra.catalog.refresh.merge import KINDS, TABLES, Change, Tables, facts, load, merge, save
from infra.catalog.refresh.rates import read_rate
from infra.catalog.refresh.take import known_of, take
from infra.catalog.tables import DATA, CatalogError, MachineRow, PriceRow

CLOUDS = ("aws", "gcp")


def catalog(
    clouds: Annotated[str, typer.Option(help="aws, gcp, or both with a comma")] = ",".join(CLOUDS),
) -> None:
    """Refresh machines, zones, prices and the rate of the dollar: with your logins, else from public feeds.

    Raises:
        CatalogError: nothing was written: nothing could be read, or what a login was answered cannot be true.
    """
    asked = clouds.split(",")
    if unknown := set(asked) - set(CLOUDS):
        raise CatalogError(f"clouds {', '.join(sorted(unknown))}: allowed is aws, gcp or aws,gcp")
    old, now = load(DATA), datetime.now(UTC)
    answers, missing = _ask(asked, old.machines, now)
    read = [answer for answer in answers if isinstance(answer, Answer)]
    unread = [f"{one.region} was not read: {one.why}" for one in answers if isinstance(one, Unread)]
    answered, changes = merge(old, read)
    readings = _feeds(asked, {answer.region for answer in read}, answered, now.date())
    rate, without_rate = _rate(answered, now.date())
    failed = [f"{one.feed.label}: {one.why}" for one in readings if one.rows is None]
    if not read and rate is None and len(failed) == len(readings):
        raise CatalogError(f"Nothing was refreshed: {'; '.join([*missing, *unread, *failed, *without_rate])}")
    made, taken, dropped = take(answered, [one.rows for one in readings if one.rows])
    made = replace(made, feeds=renewed(old.feeds, readings))
    save(replace(made, exchange_rates=(rate,)) if rate else made, DATA)
    for line in (*missing, *unread):
        console.print(f"[yellow]![/] {escape(line)}: public feeds are read instead", soft_wrap=True)
    _show_feeds(readings, dropped, now.date())
    _show_rate(old, rate, without_rate)
    show(read, _together(changes, taken))


def _feeds(clouds: Sequence[str], read: Collection[str], tables: Tables, today: date) -> list[Reading]:
    """Every feed of a cloud of which a region was not read with a login; of the others what no login is asked for."""
    whole = {cloud for cloud in CLOUDS if set(geography.regions_of(cloud)) <= set(read)}
    needed = [
        feed for feed in FEEDS if feed.cloud in clouds and (feed.beside_login or feed.cloud not in whole)
    ]
    known = known_of(tables)
    readings: list[Reading] = []
    for feed in needed:
        with console.status(f"reading {feed.label}"):
            readings.append(read_feed(feed, known, tables.feeds, today, download))
    return readings


def _rate(tables: Tables, today: date) -> tuple[RateRow | None, list[str]]:
    known = max(tables.exchange_rates, key=lambda row: row.as_of)
    with console.status("reading the rate of the dollar"):
        return read_rate(known, today, download)


def _together(changes: Sequence[Change], taken: Sequence[Change]) -> list[Change]:
    """What became of each row: what a feed did to it, where it did anything, counts last."""
    found = {(change.table, change.key): change for change in changes}
    found |= {
        (change.table, change.key): change
        for change in taken
        if change.kind != "kept" or (change.table, change.key) not in found
    }
    return list(found.values())


def _ask(
    clouds: Sequence[str], known: Sequence[MachineRow], now: datetime
) -> tuple[list[Answer | Unread], list[str]]:
    answers: list[Answer | Unread] = []
    missing: list[str] = []
    for cloud in clouds:
        try:
            with console.status(f"asking {cloud}"):
                answers += _read(cloud, known, now)
        except NoCredentialsError as needs:
            missing.append(f"{cloud} has no credentials ({needs})")
        except ValidationError as wrong:
            raise CatalogError(
                f"{cloud} answered what no row can hold, so nothing was written: {wrong}"
            ) from None
    return answers, missing


def _read(cloud: str, known: Sequence[MachineRow], now: datetime) -> list[Answer | Unread]:
    # Imported when asked: the clouds' packages take a second, and the catalogue's other commands need neither.
    if cloud == "aws":
        from infra.catalog.refresh import aws

        return aws.read(aws.session(), known, now)
    from infra.catalog.refresh import gcp

    return gcp.read(gcp.services(), known, now)


def _show_feeds(readings: Sequence[Reading], dropped: Sequence[str], today: date) -> None:
    for one in readings:
        if one.rows is None:
            console.print(
                f"[yellow]![/] {one.feed.label}: {escape(one.why)}; its rows are kept", soft_wrap=True
            )
            continue
        rows = len(one.rows.prices) + len(one.rows.bands) + len(one.rows.scores)
        console.print(
            f"[green]✓[/] {one.feed.label}: {one.feed.covers}; {rows} rows, {age(one, today)}",
            soft_wrap=True,
        )
    for line in dropped:
        console.print(f"[yellow]![/] dropped: {escape(line)}", soft_wrap=True)


def _show_rate(old: Tables, rate: RateRow | None, failed: Sequence[str]) -> None:
    known = max(old.exchange_rates, key=lambda row: row.as_of)
    was = f"₹{known.usd_inr:.4f} of {known.as_of}"
    for line in failed:
        console.print(f"[yellow]![/] {escape(line)}", soft_wrap=True)
    if rate is None:
        console.print(f"[yellow]![/] the rate of the dollar is kept: {was}", soft_wrap=True)
        return
    console.print(
        f"[green]✓[/] ₹{rate.usd_inr:.4f} to the dollar of {rate.as_of}, was {was} ({escape(rate.source)}). Stacks "
        "have their own: currency.usdInr",
        soft_wrap=True,
    )


def show(read: Sequence[Answer], changes: Sequence[Change]) -> None:
    """What became of the rows: counts by cloud and table, every change, and the prices as a table."""
    for note in dict.fromkeys(f"{answer.region}: {note}" for answer in read for note in answer.notes):
        console.print(f"[yellow]![/] {escape(note)}", soft_wrap=True)
    for cloud in dict.fromkeys(change.cloud for change in changes):
        for table in TABLES.values():
            kinds = Counter(
                change.kind for change in changes if (change.cloud, change.table) == (cloud, table)
            )
            if not kinds:
                continue
            counts = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS)
            console.print(f"[green]✓[/] {cloud} {table}.csv: {counts}", soft_wrap=True)
    moved = [change for change in changes if change.kind in ("new", "changed", "gone")]
    for change in moved:
        if change.table != "prices":
            console.print(
                f"  {change.table}.csv {' '.join(change.key)}: {escape(_difference(change))}", soft_wrap=True
            )
    if prices := [change for change in moved if change.table == "prices"]:
        console.print(_prices(prices))


def _difference(change: Change) -> str:
    if change.was is None or change.now is None:
        return change.kind
    was, now = facts(change.was), facts(change.now)
    return ", ".join(
        f"{name} {_cell(was[name])} → {_cell(now[name])}" for name in was if was[name] != now[name]
    )


def _cell(value: object) -> str:
    return "|".join(value) if isinstance(value, tuple) else str(value)


def _prices(changes: Sequence[Change]) -> Table:
    table = Table("region", "machine type", "bought", "zone", "was USD/h", "is USD/h", "", "basis")
    for column in table.columns[4:7]:
        column.justify = "right"
    for change in changes:
        was, now = (row if isinstance(row, PriceRow) else None for row in (change.was, change.now))
        share = f"{now.usd_hour / was.usd_hour - 1:+.1%}" if was and now else change.kind
        basis = " → ".join(dict.fromkeys(row.basis for row in (was, now) if row))
        table.add_row(*change.key, *(f"{row.usd_hour:g}" if row else "" for row in (was, now)), share, basis)
    return table
