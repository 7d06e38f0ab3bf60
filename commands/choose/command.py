"""`make choose`: which machines serve, at what price, and why the others don't."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Annotated

import typer
from rich.markup import escape

from commands.advise.command import rate_assumed, stack_rate
from commands.choose.show_choice import show_choice, show_rejected
from commands.choose.show_other_clouds import show_other_clouds
from commands.console import console
from infra import geography
from infra.catalog.choose import ANY, Asked, NoMachineError
from infra.catalog.choose import choose as cheapest
from infra.catalog.machines import stale
from infra.catalog.tables import CatalogError
from infra.settings.pools import FABRICS
from infra.settings.purchase import CAPACITY_BLOCK, MARKETS
from infra.spelling import nearest

ERRORS = (geography.UnknownRegionError,)


def warn_if_stale() -> None:
    """Say once how old prices, bands, scores and the rate of the dollar are."""
    if old := stale(date.today()):
        console.print(f"[yellow]{escape(old)}[/]", soft_wrap=True)


def choose(
    gpu: Annotated[str, typer.Option(help="L4, H100, …; empty with --memory")] = "",
    memory: Annotated[float, typer.Option(help="GiB that a GPU must have, of whatever kind")] = 0,
    count: Annotated[int, typer.Option(help="GPUs in a node")] = 1,
    fabric: Annotated[str, typer.Option(help="none, efa, rdma or tcpx")] = "none",
    purchase: Annotated[str, typer.Option(help="spot, on-demand, capacity-block or any")] = ANY,
    region: Annotated[str, typer.Option(help="one or more, with commas; all of India unless given")] = "",
    nodes: Annotated[int, typer.Option(help="nodes that work together: one reclaim stops them all")] = 1,
    lost: Annotated[float, typer.Option(help="hours of work that a reclaim costs")] = 1,
    saving: Annotated[float, typer.Option(help="spot that saves a smaller share is refused")] = 0.1,
    usd_inr: Annotated[str, typer.Option(help="rupees for a dollar; else that of Pulumi.local.yaml")] = "",
) -> None:
    """Which machines serve, at what price, and why the others don't."""
    regions = [name for name in region.split(",") if name] or list(geography.REGIONS)
    one_zone = fabric != "none"
    asked = Asked(gpu or None, memory or None, count, fabric, purchase, nodes, lost, saving, one_zone)
    _known(asked)
    _each_once(regions)
    warn_if_stale()
    rate = _rate(usd_inr)
    try:
        choice = cheapest(regions, asked)
    except NoMachineError as none:
        show_rejected(none.rejected, console)
        show_other_clouds(asked.gpu, memory, (), rate, console)
        raise
    show_choice(choice, rate, console)
    show_other_clouds(asked.gpu, memory, choice.offers, rate, console)
    console.print(f"[dim]{escape(rate_assumed(usd_inr, rate))}[/]", soft_wrap=True)


def _rate(usd_inr: str) -> float:
    try:
        rate = float(usd_inr or stack_rate())
    except ValueError:
        rate = 0
    if rate <= 0:
        raise CatalogError(
            f"usd-inr {usd_inr}: rupees for a dollar, a number above 0, such as {stack_rate()}"
        )
    return rate


def _known(asked: Asked) -> None:
    if (asked.gpu is None) == (asked.min_gpu_memory_gib is None):
        raise CatalogError("say GPU=… or MEMORY=… (GiB a GPU), one of the two")
    for name, given, allowed in (
        ("fabric", asked.fabric, FABRICS),
        ("purchase", asked.purchase, (*MARKETS, CAPACITY_BLOCK, ANY)),
    ):
        if given not in allowed:
            near = nearest(given, allowed)
            raise CatalogError(
                f"{name} {given}: one of {', '.join(allowed)}{f'; the nearest is {near}' if near else ''}"
            )

    for name, given, fits, allowed in (
        ("memory", asked.min_gpu_memory_gib, (asked.min_gpu_memory_gib or 1) > 0, "GiB above 0"),
        ("count", asked.gpus_per_node, asked.gpus_per_node > 0, "1 or more"),
        ("nodes", asked.nodes, asked.nodes > 0, "1 or more"),
        ("lost", asked.lost_hours, asked.lost_hours >= 0, "hours, 0 or more"),
        (
            "saving",
            asked.min_spot_saving,
            0 <= asked.min_spot_saving < 1,
            "a share from 0 to below 1, as 0.1",
        ),
    ):
        if not fits:
            raise CatalogError(f"{name} {given:g}: {allowed}")


def _each_once(regions: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(regions).items() if count > 1]:
        raise CatalogError(f"region {', '.join(regions)}: each region once; {twice[0]} is there again")
