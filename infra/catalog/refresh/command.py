"""`make catalog`: the tables refreshed with whatever logins this shell has, and what that changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.catalog.refresh.answers import Answer, NoCredentialsError, Unread
from infra.catalog.refresh.merge import KINDS, Change, facts, load, merge, save
from infra.catalog.tables import DATA, CatalogError, MachineRow, PriceRow

console = Console(highlight=False)
CLOUDS = ("aws", "gcp")


def catalog(
    clouds: Annotated[str, typer.Option(help="aws, gcp, or both with a comma")] = ",".join(CLOUDS),
) -> None:
    """Refresh machine types, zones and prices from the clouds' own APIs, with your logins.

    Raises:
        CatalogError: nothing was written: no login, nothing could be read, or what was read cannot be true.
    """
    asked = clouds.split(",")
    if unknown := set(asked) - set(CLOUDS):
        raise CatalogError(f"clouds {', '.join(sorted(unknown))}: allowed is aws, gcp or aws,gcp")
    old = load(DATA)
    answers, missing = _ask(asked, old.machines, datetime.now(UTC))
    read = [answer for answer in answers if isinstance(answer, Answer)]
    unread = [f"{one.region} was not read: {one.why}" for one in answers if isinstance(one, Unread)]
    if not read:
        raise CatalogError(f"Nothing was refreshed: {'; '.join([*missing, *unread])}")
    made, changes = merge(old, read)
    save(made, DATA)
    for line in (*missing, *unread):
        console.print(f"[yellow]![/] {escape(line)}; its rows are kept", soft_wrap=True)
    show(read, changes)


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


def show(read: Sequence[Answer], changes: Sequence[Change]) -> None:
    """What became of the rows: counts by cloud and table, every change, and the prices as a table."""
    for note in dict.fromkeys(f"{answer.region}: {note}" for answer in read for note in answer.notes):
        console.print(f"[yellow]![/] {escape(note)}", soft_wrap=True)
    for cloud in dict.fromkeys(change.cloud for change in changes):
        for table in ("machines", "offerings", "prices"):
            kinds = Counter(
                change.kind for change in changes if (change.cloud, change.table) == (cloud, table)
            )
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
