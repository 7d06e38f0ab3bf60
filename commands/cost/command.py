"""`make cost`: a stack's month before anything is made, as a table, JSON and a page; and what a change does to it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import jinja2
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.console import console, step
from commands.cost.show_break_even import EXPLAINED, break_even_data, show_break_even
from commands.cost.show_estimate import GST, LEFT_OUT, MARKS, show_estimate
from commands.setup import setup
from commands.stacks import StackName, settings_of
from infra.catalog.exchange_rate import doubt
from infra.catalog.machines import stale
from infra.pricing.break_even import AllMonth, break_even
from infra.pricing.credits import WHY_BEFORE, Spent, credits_data, credits_of, show_credits
from infra.pricing.estimate import Estimate, Item, estimate
from infra.pricing.resources import Resource
from infra.pricing.rupees import format_inr
from infra.settings.stack import Settings
from localcloud import cloud
from localcloud.directories import PROJECT, run_dir
from localcloud.engine import EngineError, Stack
from localcloud.toolchain.errors import ToolchainError

ERRORS = (ToolchainError, EngineError)
PAGE = Path(__file__).with_name("cost.html.j2")
# No spend that anybody would see: differences below this are rounding.
SMALLEST_INR = 1


@dataclass(frozen=True)
class Change:
    """What a change does to one line of the bill: rupees a month as expected, 0 where it was not or is no more."""

    component: str
    what: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        """Rupees a month more than before; less than zero where it costs less."""
        return self.after - self.before


def price(stack: str, settings: Settings, project: Path = PROJECT) -> Estimate:
    """The bill of what the program in `project` would register for a stack, in a preview against an empty state."""
    return estimate(map(Resource.of_state, registered(stack, project)), settings.usage)


def registered(stack: str, project: Path = PROJECT) -> list[dict[str, Any]]:
    """What the program in `project` would register for a stack, from nothing, as `Resource.of_state` reads it."""
    with step(f"Preview of {stack}{'' if project == PROJECT else ' as it was'}"):
        started = cloud.start()
        with tempfile.TemporaryDirectory(prefix="cost-") as state:
            env = {**cloud.environment(started.aws_endpoint), "PULUMI_BACKEND_URL": f"file://{state}"}
            return Stack(stack, env, project).registered()


def cost(
    stack: StackName = "local",
    against: Annotated[str, typer.Option(help="a commit or branch to show the difference to")] = "",
) -> None:
    """Show what a stack costs a month, before anything is made; and against another commit, what changes."""
    settings = settings_of(stack)
    setup()
    made = [Resource.of_state(one) for one in registered(stack)]
    month = estimate(made, settings.usage)
    before = _price_of(against, stack, settings) if against else None
    show_estimate(month, settings.currency, settings.budget, console, details=True)
    all_month = break_even(made, settings.usage)
    spent = credits_of(made, settings, date.today())
    show_break_even(all_month, settings.currency, console)
    show_credits(spent, console)
    changes = compare(before, month, settings) if before else []
    if against:
        _show_changes(changes, against)
    told = as_json(stack, month, settings, changes, against or None)
    told |= beyond_month(all_month, spent, settings)
    if old := stale(date.today()):
        console.print(f"[yellow]{old}[/]", soft_wrap=True)
        told["stale"] = old
    for file, text in (
        (run_dir() / f"cost-{stack}.json", json.dumps(told, indent=1, ensure_ascii=False)),
        (run_dir() / f"cost-{stack}.html", page(told)),
    ):
        file.write_text(text, encoding="utf-8")
        console.print(f"wrote {file}", soft_wrap=True)


def compare(before: Estimate, after: Estimate, settings: Settings) -> list[Change]:
    """Lines whose price differs, the largest difference first."""
    was, now = _expected(before, settings), _expected(after, settings)
    changes = [Change(*line, was.get(line, 0.0), now.get(line, 0.0)) for line in dict.fromkeys([*was, *now])]
    differ = [change for change in changes if abs(change.difference) >= SMALLEST_INR]
    return sorted(differ, key=lambda change: -abs(change.difference))


def _expected(month: Estimate, settings: Settings) -> dict[tuple[str, str], float]:
    rate = settings.currency.usd_inr
    return {(item.component, item.what): item.usd.expected * rate for item in month.items if item.usd}


def _price_of(revision: str, stack: str, settings: Settings) -> Estimate:
    with checked_out(revision) as folder:
        if not (folder / f"Pulumi.{stack}.yaml").exists():
            console.print(f"{revision} has no stack {stack}: all of it is new")
            return Estimate((), {}, {})
        return price(stack, settings, folder)


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A folder with the files of another commit, which borrows this one's Python packages."""
    with tempfile.TemporaryDirectory(prefix="cost-") as parent:
        folder = Path(parent) / "before"
        _git("worktree", "add", "--detach", str(folder), revision)
        try:
            (folder / ".venv").symlink_to(PROJECT / ".venv")
            yield folder
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*words: str) -> None:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(
            f"AGAINST: git {' '.join(words[:2])} says {done.stderr.strip().splitlines()[-1]}; name a commit or branch "
            "that this clone has, such as origin/main (`git fetch` brings it)"
        )


def _show_changes(changes: list[Change], against: str) -> None:
    if not changes:
        console.print(f"[green]Nothing costs more or less than in {against}.[/]")
        return
    table = Table(title=f"Against {against}, ₹ a month as expected", title_justify="left", box=SIMPLE_HEAD)
    for column in ("component", "what"):
        table.add_column(column)
    for column in ("before", "after", "difference"):
        table.add_column(column, justify="right")
    for change in changes:
        figures = format_inr(change.before), format_inr(change.after), signed(change.difference)
        table.add_row(change.component, change.what, *figures)
    table.add_section()
    total = sum(change.difference for change in changes)
    table.add_row("total", "", "", "", signed(total), style="bold red" if total > 0 else "bold green")
    console.print(table)


def signed(inr: float) -> str:
    """Rupees with their sign, as a change is written."""
    return f"{'+' if inr > 0 else ''}{format_inr(inr)}"


def as_json(
    stack: str, month: Estimate, settings: Settings, changes: list[Change], against: str | None
) -> dict[str, Any]:
    """All of it as plain data: rupees a month, without tax, rounded to the rupee."""
    rate = settings.currency.usd_inr
    return {
        "stack": stack,
        "day": date.today().isoformat(),
        "currency": settings.currency.model_dump(by_alias=True, mode="json"),
        "budgetInr": settings.budget.monthly_inr,
        "totalInr": _inr(month.total, rate),
        "onDemandInr": _inr(month.on_demand, rate),
        "components": [{"name": name, **_inr(usd, rate)} for name, usd in month.components.items()],
        "items": [_item(item, rate) for item in month.items],
        "restsOnInr": {basis: round(usd * rate) for basis, usd in month.by_basis.items()},
        "rateDoubted": doubt(settings.currency, date.today()),
        "gst": GST,
        "unpriced": dict(month.unpriced),
        "byUse": dict(month.by_use),
        "leftOut": LEFT_OUT,
        "against": against,
        "changes": [{**vars(change), "difference": change.difference} for change in changes],
    }


def beyond_month(all_month: Sequence[AllMonth], spent: Sequence[Spent], settings: Settings) -> dict[str, Any]:
    """What is no part of the sums, as plain data: commitments, and credits."""
    return {
        "commitments": break_even_data(all_month, settings.currency),
        "commitmentsExplained": EXPLAINED,
        "credits": credits_data(spent),
        "creditsExplained": WHY_BEFORE,
    }


def _inr(usd: Any, rate: float) -> dict[str, int]:
    return {name: round(getattr(usd, name) * rate) for name in ("low", "expected", "high")}


def _item(item: Item, rate: float) -> dict[str, Any]:
    return {
        "component": item.component,
        "what": item.what,
        "count": vars(item.count),
        "inr": _inr(item.usd, rate) if item.usd else None,
        "onDemandInr": _inr(item.on_demand_usd, rate) if item.on_demand_usd else None,
        "hourInr": {name: round(usd * rate, 2) for name, usd in vars(item.hour).items()}
        if item.hour
        else None,
        "basis": item.basis,
        "mark": MARKS[item.basis].strip(),
        "asOf": item.as_of.isoformat() if item.as_of else None,
        "sources": item.sources,
    }


def page(told: Mapping[str, Any]) -> str:
    """The page: self-contained, with its chart drawn in it."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"inr": format_inr, "signed": signed}
    return environment.from_string(PAGE.read_text(encoding="utf-8")).render(told)
