"""What spot saves a pool and what it may cost it, as people read it in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.catalog import risk
from infra.catalog.choose import Asked, Offer, choose
from infra.settings.pools import GpuPool
from infra.settings.purchase import SPOT, in_words

EXPLAINED = (
    "An hour of work costs price × (1 + reclaims an hour × nodes that stop together × hours lost). Reclaims: Spot "
    f"Advisor's band at its upper end, as the share of nodes that are taken within {risk.RUN_HOURS} hours (assumed); "
    f"without a band, or where spot is scarce, {risk.BANDS[risk.WORST]:.0%}"
)


def show_risk(pools: Iterable[tuple[str, GpuPool]], console: Console) -> None:
    """A row for each pool, with its region, that buys spot: of its cheapest machine there; no table without any. Pools
    that stand where spot was cheapest are named: newer prices would move them."""
    table = Table(title="Spot", title_justify="left", box=SIMPLE_HEAD)
    for column in ("pool", "bought", "machine", "saves", "taken back", "hours lost a node and month"):
        table.add_column(column)
    moved_by_prices = []
    for region, pool in pools:
        if SPOT not in pool.purchase:
            continue
        table.add_row(pool.name, escape(in_words(pool.purchase)), *_figures(region, pool))
        if pool.static and pool.zone is None:
            moved_by_prices.append(pool.name)
    if table.rows:
        console.print(table)
        console.print(f"[dim]{EXPLAINED}[/]", soft_wrap=True)
    if moved_by_prices:
        console.print(
            f"[yellow]{', '.join(moved_by_prices)}: the zone where spot is cheapest. Write it as the pool's `zone`, "
            "or newer prices may move the pool, and replace its nodes[/]",
            soft_wrap=True,
        )


def _figures(region: str, pool: GpuPool) -> tuple[str, ...]:
    asked = Asked.by(pool, SPOT)
    offer = choose([region], asked).offers[0]
    on_demand = offer.machine.on_demand_usd
    hours = risk.hours_lost_a_month(offer.machine, offer.zones, asked.reclaimed_together, asked.lost_hours)
    return (
        offer.machine.machine_type,
        "unknown" if on_demand is None else f"{1 - offer.usd / on_demand:.0%}",
        _taken_back(offer),
        f"{hours:.2g}",
    )


def _taken_back(offer: Offer) -> str:
    known = offer.machine.interruption
    if why := risk.scarce(offer.machine, offer.zones):
        return why
    if known is None:
        return "unknown"
    old = "" if risk.band(offer.machine) else ", too old beside the prices"
    return f"{known.band} ({known.as_of}{old})"
