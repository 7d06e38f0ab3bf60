"""Progress of long steps: a bar in a terminal, now and then a line when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from localcloud.toolchain.waiting import Report

# Tables are as wide as they must be when nobody's window limits them.
console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 140)

EVERY = 10.0  # seconds between lines when nobody watches a bar


@contextmanager
def step(title: str) -> Iterator[Report]:
    """Show one long step; the caller reports how far it is."""
    began = time.monotonic()
    mark = "[red]✗[/]"
    try:
        with _bar(title) if console.is_terminal else _lines(title) as report:
            yield report
        mark = "[green]✓[/]"
    finally:
        console.print(f"{mark} {title} [dim]{time.monotonic() - began:.0f} s[/]")


@contextmanager
def _bar(title: str) -> Iterator[Report]:
    columns = (
        SpinnerColumn(),
        TextColumn(title),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[what]}"),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(title, total=None, what="")
        yield lambda done, total, what: bars.update(task, completed=done, total=total or None, what=what)


@contextmanager
def _lines(title: str) -> Iterator[Report]:
    last = time.monotonic()

    def report(done: int, total: int, what: str) -> None:
        nonlocal last
        if time.monotonic() - last < EVERY:
            return
        last = time.monotonic()
        console.print(f"  {title}: {done}{f'/{total}' if total else ''} {what}", markup=False)

    yield report
