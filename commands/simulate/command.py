"""`make simulate`: a trace on a stack's pools, and beside it on another design's, which answers what is cheaper."""

from __future__ import annotations

import math
import re
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.console import console, step
from commands.simulate import show
from commands.simulate.account import History
from commands.simulate.cluster import Node, SimulationError, scratch
from commands.simulate.design import Design, NoDesignError, gpus_of, read
from commands.simulate.model import ModelCluster
from commands.simulate.reclaims import reclaimed_after
from commands.simulate.replay import Replay, Rules
from commands.simulate.speeds import rows_for
from commands.simulate.trace import Row, TraceError, pool_of
from commands.simulate.trace import read as read_trace
from infra.aws import karpenter_pools
from infra.catalog.risk import reclaims_per_hour
from infra.settings.google_pools import GooglePool
from localcloud.directories import run_dir
from localcloud.kubernetes.api import ApiError, UnreachableError
from localcloud.kubernetes.clusters import ClusterError
from localcloud.kubernetes.crds import CrdsUnavailableError
from localcloud.toolchain import install
from localcloud.toolchain.errors import ToolchainError
from localcloud.toolchain.waiting import Report

ERRORS = (ToolchainError,)
TRACE = Path(__file__).parent / "traces" / "team.csv"
START_MINUTES = 5.0
SEEDS = 5  # of reclaims, over which the verdict gives its range
# --scale-down-unneeded-time of the cluster autoscaler, which GKE runs (kubernetes/autoscaler, FAQ.md).
GKE_EMPTY_HOURS = 10 / 60
MOST_DAYS = 366

BAD_INPUT = (NoDesignError, TraceError)
BROKEN = (ClusterError, SimulationError, CrdsUnavailableError, ApiError, UnreachableError)


class BadOptionError(ValueError):
    """An option out of its range; the message says what is allowed."""


def simulate(
    stack: Annotated[str, typer.Option("--stack", "-s", help="Whose pools: Pulumi.<stack>.yaml.")] = "local",
    days: Annotated[float, typer.Option(help="How much of the trace to replay.")] = 7,
    trace: Annotated[Path, typer.Option(help="A CSV file: docs/simulate.md.")] = TRACE,
    against: Annotated[
        str, typer.Option(help="Compare with a stack, or a YAML file with a list of pools.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the reclaims that are drawn.")] = 1,
    reclaims: Annotated[float, typer.Option(help="Multiplies their hazard: 10 is a bad week.")] = 1,
    start_minutes: Annotated[
        float, typer.Option(help="From a node's launch to its first pod.")
    ] = START_MINUTES,
) -> None:
    """Replay a trace of jobs and replicas with real Karpenter: GPU-hours, ₹, waits, reclaims, work lost."""
    try:
        _check(days, reclaims, start_minutes)
        designs = [read(what, stack) for what in (stack, against) if what]
        rows = read_trace(trace, designs)
        run = show.Run(str(trace), days * 24, rows[-1].at_hours, seed, reclaims, start_minutes)
        _run(run, rows, designs)
    except (BadOptionError, *BAD_INPUT, *BROKEN) as error:
        console.print(f"[red]✗[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("[yellow]Stopped; nothing of it is left running.[/]")
        raise typer.Exit(130) from None


def replay(design: Design, rows: Sequence[Row], run: show.Run, report: Report) -> History:
    """One trace on one design, on a cluster of its own that ends with it.

    Raises:
        ClusterError, SimulationError: the cluster did not start, or did not come to rest.
    """

    def on_hour(hour: float, what: str) -> None:
        report(int(hour), int(run.hours), f"hours: {what}")

    with scratch(design, report) as cluster:
        return Replay(rows, _pool_name(design), cluster, rules(design, run)).run(on_hour)


def other_seeds(
    design: Design, rows: Sequence[Row], run: show.Run, history: History
) -> tuple[tuple[float | None, ...], float]:
    """USD of the used pools with the replayed seed and those after it, and how far the model that plays them is off.

    What the model says of two seeds differs by their luck; that difference is added to what the replay cost.
    """

    def modelled(seed: int) -> float | None:
        cluster = ModelCluster.of(design, history)
        luck = rules(design, replace(run, seed=seed))
        return show.priced(design, Replay(rows, _pool_name(design), cluster, luck).run()).used_usd

    cost = show.priced(design, history).used_usd
    base = modelled(run.seed)
    if cost is None or base is None:
        return (None,), 0.0
    more = (modelled(run.seed + n) for n in range(1, SEEDS))
    seeds = (cost, *(None if usd is None else cost + usd - base for usd in more))
    return seeds, abs(base - cost) / cost if cost else 0.0


def rules(design: Design, run: show.Run) -> Rules:
    """What the replay's clock does with a design's nodes."""

    def reclaim(node: Node, nth: int) -> float:
        found = design.machine(node.pool, node.zone, node.machine_type)
        hazard = reclaims_per_hour(found, (node.zone,) if node.zone else ())
        return reclaimed_after(run.seed, node.pool, nth, hazard * run.reclaims)

    elastic = [pool for pool in design.pools.values() if not pool.static]
    return Rules(
        hours=run.hours,
        rooms={name: gpus_of(pool) for name, pool in design.pools.items()},
        empty_for={pool.name: _empty_for(design, pool.name) for pool in elastic},
        start=run.start_minutes / 60,
        reclaimed_after=reclaim,
    )


def _run(run: show.Run, rows: Sequence[Row], designs: Sequence[Design]) -> None:
    with step("Tools of the local cloud") as report:
        install.ensure(report)
    began = time.monotonic()
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        results = []
        for design in designs:
            with step(f"{Path(run.trace).stem} on {design.name}") as report:
                own, faster, services = rows_for(design, designs[0], rows)
                history = replay(design, own, run, report)
                seeds, off = other_seeds(design, own, run, history)
                more = {
                    "faster": tuple(faster),
                    "services": tuple(services),
                    "seeds": seeds,
                    "model_off": off,
                }
                results.append(show.Result.of(design, history, **more))
    finally:
        signal.signal(signal.SIGTERM, before)
    run = replace(run, wall=time.monotonic() - began)
    show.terminal(run, results)
    for name, text in (
        ("simulate.html", show.page(run, results)),
        ("simulate.json", show.as_json(run, results)),
    ):
        (run_dir() / name).write_text(text, encoding="utf-8")
    console.print(f"chart: {run_dir() / 'simulate.html'}, data: simulate.json beside it", soft_wrap=True)


def _check(days: float, reclaims: float, start_minutes: float) -> None:
    for name, given, fits, allowed in (
        ("days", days, 0 < days <= MOST_DAYS, f"more than 0, {MOST_DAYS} at most"),
        ("reclaims", reclaims, 0 <= reclaims < math.inf, "0 (none) or more; 1 is what the bands say"),
        ("start-minutes", start_minutes, 0 <= start_minutes <= 120, "from 0 to 120"),
    ):
        if not fits:
            raise BadOptionError(f"{name}: {given:g}; allowed: {allowed}. Nothing was started")


def _pool_name(design: Design) -> Callable[[Row], str]:
    def name(row: Row) -> str:
        pool = pool_of(row, design.pools)
        assert pool, "a row that names no pool of the design is refused"
        return pool.name

    return name


def _empty_for(design: Design, name: str) -> float:
    """A pool's consolidateAfter, in hours."""
    pool = design.pools[name]
    if isinstance(pool, GooglePool):
        return GKE_EMPTY_HOURS
    spec = karpenter_pools.node_pool(pool, [], [])
    return hours_of(spec["disruption"]["consolidateAfter"])


def hours_of(duration: str) -> float:
    """Hours of a duration as Karpenter writes it: 30s, 5m, 1h30m, or Never."""
    if duration == "Never":
        return math.inf
    units = {"h": 1.0, "m": 1 / 60, "s": 1 / 3600}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))


def _interrupt(*_: object) -> None:
    """So that `kill` clears up as Ctrl-C does."""
    raise KeyboardInterrupt
