"""The catalogue measured: how long an answer takes, and what choosing well saves against choosing naively."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from commands.bench import skypilot
from commands.console import console, step
from commands.cost.command import registered
from commands.stacks import settings_of
from infra import geography
from infra.catalog.choose import ANY, Asked, NoMachineError, choose
from infra.catalog.machines import everywhere, machines
from infra.pricing.estimate import estimate
from infra.pricing.resources import Resource
from infra.pricing.rupees import format_inr
from infra.settings.pools import FABRICS, GpuPool
from infra.settings.stack import Settings

STACK = "prod"
RESOURCES = 2000


def measure(with_skypilot: bool) -> dict[str, Any]:
    """Milliseconds of the chooser and of the bill, and USD an hour of the stack's pools chosen in each way."""
    settings = settings_of(STACK)
    resources = [Resource.of_state(found) for found in registered(STACK)]
    pools = _ways(settings, with_skypilot)
    with step("catalogue"):
        many = list(_grown(resources, RESOURCES))
        return {
            "chooser, ms an answer over all of India": _answer_ms(),
            f"bill of {len(many)} resources, ms": _ms(lambda: estimate(many, settings.usage)),
            "pools": pools,
        }


def show(numbers: dict[str, Any]) -> None:
    """Print what `measure` found."""
    for what, figure in numbers.items():
        if isinstance(figure, float):
            console.print(f"{what}: {figure:.2f}")
    table = Table(title=f"₹ an hour of {STACK}'s pools at their most", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("pool")
    for column in ("chosen", "naive", "naive ÷ chosen", "SkyPilot", "SkyPilot ÷ chosen"):
        table.add_column(column, justify="right")
    rate = settings_of(STACK).currency.usd_inr
    for pool, usd in numbers["pools"].items():
        sky = usd["skypilot"]
        table.add_row(
            pool,
            format_inr(usd["chosen"] * rate),
            format_inr(usd["naive"] * rate),
            f"{usd['naive'] / usd['chosen']:.2f} ×",
            format_inr(sky * rate) if sky else "not asked",
            f"{sky / usd['chosen']:.2f} ×" if sky else "",
        )
    console.print(table)


def _ways(settings: Settings, with_skypilot: bool) -> dict[str, dict[str, float | None]]:
    """USD an hour of all nodes of each pool: as chosen, as somebody in a hurry would, and as SkyPilot would."""
    ways: dict[str, dict[str, float | None]] = {}
    for cloud in (settings.aws, settings.gcp):
        if cloud:
            ways |= _ways_in(cloud.region, cloud.cluster.pools, with_skypilot)
    return ways


def _ways_in(
    region: str, pools: Sequence[GpuPool], with_skypilot: bool
) -> dict[str, dict[str, float | None]]:
    asked = [Asked.by(pool, pool.purchase[0]) for pool in pools]
    sky: list[float | None] = [None] * len(pools)
    if with_skypilot:
        try:
            sky = list(skypilot.answers(region, asked))
        except skypilot.SkyPilotUnavailableError as error:
            console.print(f"[yellow]SkyPilot: {escape(str(error))}[/]")
    return {
        pool.name: {
            "chosen": choose([region], one).offers[0].usd * pool.most_nodes,
            "naive": _naive(region, one) * pool.most_nodes,
            "skypilot": usd * pool.most_nodes if usd else None,
        }
        for pool, one, usd in zip(pools, asked, sky, strict=True)
    }


def _naive(region: str, asked: Asked) -> float:
    """The first machine of the table that fits, on demand where any is sold so."""
    try:
        offers = choose([region], replace(asked, purchase="on-demand")).offers
    except NoMachineError:
        offers = choose([region], asked).offers
    order = [found.machine_type for found in machines(region)]
    return min(offers, key=lambda offer: order.index(offer.machine.machine_type)).usd


def _answer_ms() -> float:
    """Mean time of one answer, over everything that can be asked of all regions."""
    gpus = sorted({found.gpu for found in everywhere() if found.gpu})
    asked = [
        Asked(gpu, gpus_per_node=count, fabric=fabric, purchase=ANY)
        for gpu, count, fabric in product(gpus, (1, 2, 4, 8), FABRICS)
    ]

    def answer_all() -> None:
        for one in asked:
            try:
                choose(list(geography.REGIONS), one)
            except NoMachineError:
                continue

    return _ms(answer_all) / len(asked)


def _ms(work: Callable[[], object]) -> float:
    work()  # tables are read once
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _grown(resources: list[Resource], size: int) -> Iterator[Resource]:
    """The resources over and over under other names, until there are `size`."""
    for number in range(size):
        found = resources[number % len(resources)]
        yield (
            replace(found, urn=f"{found.urn}-{number // len(resources)}")
            if number >= len(resources)
            else found
        )
