"""What spot saves a pool and what it may cost it, as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.catalog import risk
from infra.catalog.choose import Asked, choose
from infra.catalog.machines import Machine
from infra.settings.pools import GpuPool
from infra.settings.purchase import SPOT, in_words

UNKNOWN = "unknown"


def show_risk(pools: Iterable[tuple[str, GpuPool]], console: Console) -> None:
    """A row for each pool, with its region, that buys spot: of its cheapest machine there; no table without any."""
    table = Table(title="Spot", title_justify="left", box=SIMPLE_HEAD)
    for column in (
        "pool",
        "bought",
        "machine",
        "saves",
        "taken back in a month",
        "hours lost a node and month",
    ):
        table.add_column(column)
    for region, pool in pools:
        if SPOT in pool.purchase:
            table.add_row(pool.name, escape(in_words(pool.purchase)), *_figures(region, pool))
    if table.rows:
        console.print(table)


def _figures(region: str, pool: GpuPool) -> tuple[str, ...]:
    asked = Asked.by(pool, SPOT)
    machine = choose([region], asked).machines[0]
    saving = machine.spot_saving
    return (
        machine.machine_type,
        UNKNOWN if saving is None else f"{saving:.0%}",
        f"{machine.interruption_band} of nodes" if machine.interruption_band else UNKNOWN,
        _lost(machine, asked),
    )


def _lost(machine: Machine, asked: Asked) -> str:
    """Work that a node loses in a month that it runs: with a fabric, at each reclaim of any node of the pool."""
    hours = risk.hours_lost_a_month(machine, asked.together, asked.lost_hours)
    if hours is None:
        return UNKNOWN
    return f"{'over' if machine.interruption_band == risk.WORST else 'up to'} {hours:.2g}"
