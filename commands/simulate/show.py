"""What a replay brought, side by side: a table, JSON, and a page with a chart that needs no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
from rich.markup import escape
from rich.table import Table

from commands.console import console
from commands.simulate import chart
from commands.simulate.account import Account, History, Line, NodeLife, Waits, account
from commands.simulate.design import Design
from commands.simulate.speeds import Faster
from infra.pricing.rupees import format_inr, rupees
from infra.settings.pools import SYSTEM_POOL

MODEL_OFF = 0.1  # above it the model of the cluster tells nothing of other seeds


@dataclass(frozen=True)
class Run:
    """What was replayed: file, hours, the hour of its last row, seed, reclaims' multiplier, minutes of a node's start,
    and the `wall` seconds that it took."""

    trace: str
    hours: float
    last_row: float
    seed: int
    reclaims: float
    start_minutes: float
    wall: float = 0.0


@dataclass(frozen=True)
class Result:
    """A design, what happened on it, and its account.

    `faster` are pools whose GPU is not that of the first design, `services` those that stand on another one. `seeds`
    are the USD of the used pools with each seed, the replayed one first; `model_off` is how far the model that played
    the others is from the replay with the same seed, as a share.
    """

    design: Design
    history: History
    account: Account
    faster: tuple[Faster, ...] = ()
    services: tuple[str, ...] = ()
    seeds: tuple[float | None, ...] = ()
    model_off: float = 0.0

    @classmethod
    def of(cls, design: Design, history: History, **more: Any) -> Result:
        """Accounted at the catalogue's prices; see `priced`."""
        return cls(design, history, priced(design, history), **more)

    def inr(self, usd: float | None) -> str:
        """Dollars as rupees, in words."""
        return "not known" if usd is None else format_inr(rupees(usd, self.design.currency))

    @property
    def idle(self) -> tuple[Line, ...]:
        """Pools that were paid for though the trace asked for nothing of them."""
        return tuple(line for line in self.account.lines if line.gpu_hours and not line.used)

    @property
    def work(self) -> float:
        """GPU-hours of work that were done and kept, in hours of the first design's GPUs."""
        factors = {one.pool: one.factor for one in self.faster}
        return sum(line.worked * factors.get(line.pool, 1.0) for line in self.account.lines)


def priced(design: Design, history: History) -> Account:
    """The account of a history at the catalogue's prices, of a spot node those of its zone."""

    def price(node: NodeLife, way: str) -> float | None:
        machine = design.machine(node.pool, node.zone, node.machine_type)
        in_zone = machine.price(way, (node.zone,)) if node.zone else None
        return machine.price(way) if in_zone is None else in_zone

    return account(history, price)


def figures(results: Sequence[Result]) -> list[tuple[str, list[str]]]:
    """The rows of the comparison: a name, and a cell for each design."""
    names = dict.fromkeys(name for result in results for name in [*result.design.pools, SYSTEM_POOL])
    rows: list[tuple[str, Callable[[Result], str]]] = [
        ("GPU-hours bought", lambda r: f"{r.account.total('gpu_hours'):,.0f}"),
        ("  something ran", lambda r: _share(r, "worked")),
        ("  lost again", lambda r: _share(r, "lost")),
        ("  idle or starting", lambda r: _share(r, "idle")),
        ("₹ spent", lambda r: r.inr(r.account.usd())),
        ("  on pools that the trace uses", lambda r: r.inr(r.account.used_usd)),
        ("  with other seeds", _seeds),
        *((f"  {name}", lambda r, name=name: _pool_cost(r, name)) for name in names),
        ("₹ all on demand", lambda r: r.inr(r.account.usd("on_demand_usd"))),
        ("₹ a worked GPU-hour, used pools", lambda r: r.inr(per_hour(r))),
        ("jobs finished", lambda r: f"{r.account.finished} of {r.account.jobs}"),
        ("job waits, median", lambda r: _time(r.account.waits["job"].median)),
        ("  95th percentile", lambda r: _late(r.account.waits["job"])),
        ("replica waits, median", lambda r: _time(r.account.waits["replica"].median)),
        ("  95th percentile", lambda r: _late(r.account.waits["replica"])),
        ("nodes", lambda r: str(sum(line.nodes for line in r.account.lines))),
        ("  reclaimed", lambda r: str(r.account.reclaims)),
        ("jobs set back by serving", lambda r: str(r.account.preemptions)),
        ("work lost, job-hours", lambda r: f"{r.account.lost_job_hours:.1f}"),
    ]
    return [(name, [cell(result) for result in results]) for name, cell in rows]


def verdict(results: Sequence[Result]) -> str:
    """Which of two designs does the trace's work for less, on the pools that it uses; or why that can't be said."""
    if why := _no_verdict(results):
        return f"No verdict: {why}."
    costs = [_used_inr(result, result.account.used_usd) for result in results]
    saved = abs(costs[0] - costs[1])
    if saved < 0.5:
        return (
            " and ".join(r.design.name for r in results) + " cost the same on the pools that the trace uses."
        )
    low, high = sorted(results, key=lambda r: costs[results.index(r)])
    pairs = [
        f"{r.inr(r.account.used_usd)} ({', '.join(line.pool for line in r.account.used)})"
        for r in (low, high)
    ]
    said = (
        f"On the pools that the trace uses, {low.design.name} is cheaper by {format_inr(saved)} "
        f"({saved / max(costs):.0%}): {pairs[0]} against {pairs[1]}"
    )
    if abs(low.work - high.work) > 0.01 * max(low.work, high.work):
        said += (
            f", but did {low.work:,.0f} GPU-hours of work against {high.work:,.0f}: see ₹ a worked GPU-hour"
        )
    return f"{said}. {_over_seeds(low, high)}"


def _no_verdict(results: Sequence[Result]) -> str:
    for result in results:
        if out := result.design.left_out:
            return (
                f"{', '.join(out)} of {result.design.name} stand on premises and were left out, and what they cost is "
                "not known here"
            )
    if services := [one for result in results for one in result.services]:
        return (
            f"other GPUs under {', '.join(services)}, and the trace says replicas, not requests: how many such a GPU "
            "takes is not known; write a trace for it"
        )
    if any(result.account.used_usd is None for result in results):
        return "a price is not known"
    return ""


def _over_seeds(low: Result, high: Result) -> str:
    """How sure the difference is: what it is with the luck of other seeds, alike on both."""
    off = max(result.model_off for result in (low, high))
    if off > MODEL_OFF:
        return (
            f"No range over seeds: the model that plays them is {off:.0%} off for the seed that was replayed."
        )
    pairs = zip(low.seeds, high.seeds, strict=True)
    known = [(cheap, dear) for cheap, dear in pairs if cheap is not None and dear is not None]
    saved = sorted(_used_inr(high, dear) - _used_inr(low, cheap) for cheap, dear in known)
    if len(saved) < 2:
        return ""
    least, most = format_inr(saved[0]), format_inr(saved[-1])
    if saved[0] <= 0:
        return f"Not surely: over {len(saved)} seeds of reclaims the difference is from {least} to {most}."
    return f"Over {len(saved)} seeds of reclaims it is cheaper by {least} to {most}."


def _used_inr(result: Result, usd: float | None) -> float:
    return rupees(usd or 0.0, result.design.currency)


def unused(result: Result) -> str:
    """The pools that were paid for and of which the trace asked nothing: no part of the verdict."""
    said = ", ".join(
        f"{line.pool} ({result.inr(line.usd)})" for line in result.idle if line.pool != SYSTEM_POOL
    )
    return (
        f"On {result.design.name} the trace uses nothing of {said}: idle, and no part of the verdict."
        if said
        else ""
    )


def speeds(result: Result) -> str:
    """Where a job's hours are not the trace's, by how much, and by what."""
    said = "; ".join(map(str, result.faster))
    return (
        f"Jobs on {result.design.name} take other hours ({said}: estimated as in docs/advice.md)."
        if said
        else ""
    )


def conclusions(results: Sequence[Result]) -> list[str]:
    """The verdict first, then what it is about."""
    said = [verdict(results)] if len(results) == 2 else []
    left_out = [
        f"Left out of {result.design.name}, on premises: {', '.join(result.design.left_out)}."
        for result in results
        if result.design.left_out
    ]
    return [line for line in [*said, *left_out, *map(speeds, results), *map(unused, results)] if line]


def caveats(run: Run) -> list[str]:
    """What is played, in a few lines."""
    said = [
        "Real: Karpenter's choice of machines, the scheduler, Deployments. Played by kwok: nodes and pods.",
        "The clock stands still while the cluster works: no wait is this machine's, and a control plane's own seconds "
        "are missing.",
        f"A node's start is taken as {run.start_minutes:g} min (assumed: boot, join, image); on a node that stands "
        "a pod starts at once, and a model loads in no time.",
        "Karpenter's consolidateAfter is kept on that clock by the replay; expiry and drift don't happen.",
        "Kueue is played: jobs enter whole, in order, smaller ones pass. A GKE node pool is played by a NodePool of "
        "Karpenter's, a ComputeClass by their weights.",
        f"Spot is always to be had, at the price of the snapshot in the node's zone. Reclaims: the band's hazard × "
        f"{run.reclaims:g}, seed {run.seed}, each node alone; a real shortage takes many at once.",
        "Other seeds are played on a model of the cluster in memory: its difference between seeds is added to what the "
        "replay cost.",
        "Money: machines only, by the second, before GST; no disks, traffic or control plane.",
        "The scheduler breaks ties by chance, so a figure may move by a per cent or two from run to run.",
    ]
    if run.last_row < run.hours - 24:
        said.append(f"The trace's last row is at hour {run.last_row:g}: after it nothing new was asked for.")
    return said


def terminal(run: Run, results: Sequence[Result]) -> None:
    """The table, a line of blocks for each pool, the verdict and what it leaves out."""
    table = Table("", *(escape(r.design.name) for r in results), title=_title(run), title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, cells in figures(results):
        table.add_row(name, *cells)
    console.print(table)
    for result in results:
        _blocks(result)
    for said in conclusions(results):
        if said:
            console.print(f"[bold]{escape(said)}[/]", soft_wrap=True)
    for line in caveats(run):
        console.print(f"[dim]· {escape(line)}[/]", soft_wrap=True)


def as_json(run: Run, results: Sequence[Result]) -> str:
    """Everything, for other programs: hours since the start, dollars, and rupees at the stack's rate."""
    return json.dumps({"run": asdict(run), "designs": [_data(result) for result in results]}, indent=1)


def page(run: Run, results: Sequence[Result]) -> str:
    """A page of HTML with everything inside it."""
    most = max(_all_gpus(result.history).most for result in results) or 1
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("page.html.j2")
    pools = dict.fromkeys(name for result in results for name in result.design.pools)
    return template.render(
        title=_title(run),
        run=run,
        names=[result.design.name for result in results],
        figures=figures(results),
        drawings=[(r.design.name, chart.drawing(r.history, most)) for r in results],
        colours={pool: n % 6 for n, pool in enumerate(pools)},
        said=conclusions(results),
        idle={line.pool for result in results for line in result.idle}
        - {p for r in results for p in r.history.pools},
        caveats=caveats(run),
        width=chart.WIDTH,
        height=chart.HEIGHT,
    )


def per_hour(result: Result) -> float | None:
    """Dollars of the used pools for a GPU-hour in which something ran and was kept."""
    usd, worked = result.account.used_usd, result.work
    return usd / worked if usd is not None and worked else None


def _title(run: Run) -> str:
    days = run.hours / 24
    harsh = "" if run.reclaims == 1 else f" with {run.reclaims:g} times the reclaims"
    return f"{Path(run.trace).name}: {days:g} {'day' if days == 1 else 'days'}{harsh}, replayed in {run.wall:.0f} s"


def _all_gpus(history: History) -> chart.Steps:
    spans = ((node.began, node.ended, node.gpus) for node in history.nodes)
    return chart.steps("all", spans)


def _share(result: Result, what: str) -> str:
    hours, bought = result.account.total(what), result.account.total("gpu_hours")
    return f"{hours:,.0f} ({hours / bought if bought else 0:.0%})"


def _pool_cost(result: Result, pool: str) -> str:
    usd = [line.usd for line in result.account.lines if line.pool == pool]
    return result.inr(usd[0]) if usd else "–"


def _seeds(result: Result) -> str:
    known = [usd for usd in result.seeds[1:] if usd is not None]
    return f"{result.inr(min(known))}–{result.inr(max(known)).removeprefix('₹')}" if known else "–"


def _time(hours: float) -> str:
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h"


def _late(waits: Waits) -> str:
    never = f", {waits.never} never ran" if waits.never else ""
    return f"{_time(waits.p95)}{never}"


def _blocks(result: Result) -> None:
    for pool in result.design.pools:
        spot, bought = (chart.stood(result.history, pool, way) for way in (True, False))
        most = max(spot.most, bought.most)
        lost = sum(node.reclaimed for node in result.history.nodes if node.pool == pool)
        line = chart.blocks(result.history, pool, most)
        said = f"{result.design.name} {pool}: at most {most:.0f} GPUs, {lost} reclaimed"
        console.print(f"[cyan]{line}[/] {escape(said)}", soft_wrap=True)


def _data(result: Result) -> dict[str, Any]:
    made, design = result.account, result.design
    usd, all_on_demand = made.usd(), made.usd("on_demand_usd")
    return {
        "design": design.name,
        "regions": [place.region for place in design.places],
        "left_out": design.left_out,
        "inr": None if usd is None else rupees(usd, design.currency),
        "inr_used": None if made.used_usd is None else rupees(made.used_usd, design.currency),
        "inr_used_by_seed": [
            None if each is None else rupees(each, design.currency) for each in result.seeds
        ],
        "model_off": result.model_off,
        "other_gpus": [asdict(one) for one in result.faster],
        "inr_all_on_demand": None if all_on_demand is None else rupees(all_on_demand, design.currency),
        "gpu_hours": {what: made.total(what) for what in ("gpu_hours", "worked", "lost", "idle")},
        "account": asdict(made),
        "history": asdict(result.history),
    }
