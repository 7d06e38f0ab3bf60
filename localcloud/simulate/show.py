"""What a replay brought, side by side: a table, JSON, and a page with a chart that needs no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
from rich.markup import escape
from rich.table import Table

from infra.catalog import machine
from infra.pricing.rupees import format_inr, rupees
from infra.settings.pools import SYSTEM_POOL

from ..progress import console
from . import chart
from .account import Account, History, Waits, account
from .design import Design


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
    """A design, what happened on it, and its account."""

    design: Design
    history: History
    account: Account

    @classmethod
    def of(cls, design: Design, history: History) -> Result:
        """Accounted at the catalogue's prices."""
        region = design.region
        return cls(
            design, history, account(history, lambda type_, bought: machine(region, type_).price(bought))
        )

    def inr(self, usd: float | None) -> str:
        return "not known" if usd is None else format_inr(rupees(usd, self.design.currency))


def figures(results: Sequence[Result]) -> list[tuple[str, list[str]]]:
    """The rows of the comparison: a name, and a cell for each design."""
    names = dict.fromkeys(name for result in results for name in [*result.design.pools, SYSTEM_POOL])
    rows: list[tuple[str, Callable[[Result], str]]] = [
        ("GPU-hours bought", lambda r: f"{r.account.total('gpu_hours'):,.0f}"),
        ("  something ran", lambda r: _share(r, "worked")),
        ("  lost again", lambda r: _share(r, "lost")),
        ("  idle or starting", lambda r: _share(r, "idle")),
        ("₹ spent", lambda r: r.inr(r.account.usd())),
        *((f"  {name}", lambda r, name=name: _pool_cost(r, name)) for name in names),
        ("₹ all on demand", lambda r: r.inr(r.account.usd("on_demand_usd"))),
        ("₹ a worked GPU-hour", lambda r: r.inr(per_hour(r))),
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
    """Which of two designs is cheaper, and whether they can be compared at all."""
    first, second = results
    costs = [rupees(r.account.usd() or 0, r.design.currency) for r in results]
    if any(result.account.usd() is None for result in results):
        return "A price is not known, so neither can be called cheaper."
    low, high = sorted(results, key=lambda r: costs[results.index(r)])
    saved = abs(costs[0] - costs[1])
    if saved < 0.5:
        return f"{first.design.name} and {second.design.name} cost the same."
    said = f"{low.design.name} is cheaper by {format_inr(saved)} ({saved / max(costs):.0%})"
    done = [r.account.total("worked") for r in (low, high)]
    if abs(done[0] - done[1]) > 0.01 * max(done):
        said += f", but did {done[0]:,.0f} GPU-hours of work against {done[1]:,.0f}: see ₹ a worked GPU-hour"
    other = [f"{name} ({gpus})" for name, gpus in _gpus_differ(first.design, second.design).items()]
    if other:
        said += f". Other GPUs in {', '.join(other)}: the trace's hours were taken as they are on both"
    return said + "."


def unused(result: Result) -> str:
    """The pools that were paid for and on which nothing of the trace ran."""
    idle = [line for line in result.account.lines if line.gpu_hours and not line.worked + line.lost]
    said = ", ".join(f"{line.pool} ({result.inr(line.usd)})" for line in idle)
    return f"On {result.design.name} nothing ran on {said}." if said else ""


def caveats(run: Run) -> list[str]:
    """What is played, in a few lines."""
    said = [
        "Real: Karpenter's choice of machines, the scheduler, Deployments. Played by kwok: nodes and pods.",
        "The clock stands still while the cluster works: no wait is this machine's, and a control plane's own seconds "
        "are missing.",
        f"A node's start is taken as {run.start_minutes:g} min (assumed: boot, join, image); on a node that stands "
        "a pod starts at once, and a model loads in no time.",
        "Karpenter's consolidateAfter is kept on that clock by the replay; expiry and drift don't happen.",
        "Kueue is played: jobs enter whole, in order, smaller ones pass. Their hours are the trace's on any GPU.",
        f"Spot is always to be had, at one price. Reclaims: the band's hazard × {run.reclaims:g}, seed {run.seed}, "
        "each node alone; a real shortage takes many at once.",
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
    for said in [unused(result) for result in results] + ([verdict(results)] if len(results) == 2 else []):
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
        drawings=[(result.design.name, chart.drawing(result.history, most)) for result in results],
        colours={pool: n % 6 for n, pool in enumerate(pools)},
        said=[*map(unused, results), verdict(results) if len(results) == 2 else ""],
        caveats=caveats(run),
        width=chart.WIDTH,
        height=chart.HEIGHT,
    )


def per_hour(result: Result) -> float | None:
    """Dollars for a GPU-hour in which something ran and was kept."""
    usd, worked = result.account.usd(), result.account.total("worked")
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


def _gpus_differ(first: Design, second: Design) -> Mapping[str, str]:
    both = first.pools.keys() & second.pools.keys()
    pairs = {name: (first.pools[name].gpu, second.pools[name].gpu) for name in sorted(both)}
    return {name: f"{one}, {two}" for name, (one, two) in pairs.items() if one != two}


def _data(result: Result) -> dict[str, Any]:
    made, design = result.account, result.design
    usd, all_on_demand = made.usd(), made.usd("on_demand_usd")
    return {
        "design": design.name,
        "region": design.region,
        "inr": None if usd is None else rupees(usd, design.currency),
        "inr_all_on_demand": None if all_on_demand is None else rupees(all_on_demand, design.currency),
        "gpu_hours": {what: made.total(what) for what in ("gpu_hours", "worked", "lost", "idle")},
        "account": asdict(made),
        "history": asdict(result.history),
    }
