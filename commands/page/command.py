"""`make page`: one self-contained page over a stack, from its state.

It asks nobody but an OpenCost whose address is given. On a real account `pulumi stack export` gives the state.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import jinja2
import typer
from markupsafe import Markup, escape

from commands.console import console, step
from commands.page import alerts, lineage, models, policies, pools
from commands.page import month as money
from commands.page.document import Figure, Section
from commands.page.lineage import LineageError, Version
from commands.page.month import Month, OpenCost
from commands.page.policies import Judged
from commands.page.standing import made, regions, standing
from commands.page.state import NoStateError, State
from commands.page.state import read as read_state
from commands.stacks import StackName, settings_of
from infra.pricing.lines import NOTHING, CostRange
from infra.pricing.resources import ResourceGraph
from infra.pricing.rupees import format_inr
from infra.settings.stack import Settings
from localcloud.directories import run_dir
from localcloud.engine import EngineError
from policies.configuration.profiles import UnknownProfileError, file_of
from policies.framework.record import Record
from policies.runner.states import StateFileError


class PageFileError(Exception):
    """The page can't be written; the message says where."""


ERRORS = (PageFileError, NoStateError, StateFileError, EngineError, LineageError, UnknownProfileError)
PAGE = Path(__file__).with_name("page.html.j2")


def page(
    stack: StackName = "local",
    state: Annotated[
        Path | None, typer.Option(help="what `pulumi stack export` wrote, of a stack on a real account")
    ] = None,
    lineage_file: Annotated[
        Path | None, typer.Option("--lineage", help="a list in JSON: where each version of a model came from")
    ] = None,
    address: Annotated[str, typer.Option(help="where OpenCost of the stack's cluster answers")] = "",
    days: Annotated[int, typer.Option(help="for how many of the last days OpenCost is asked", min=1)] = 7,
    profile: Annotated[str, typer.Option(help="which of policies/profiles the policies follow")] = "default",
    out: Annotated[Path | None, typer.Option(help="the file to write")] = None,
) -> None:
    """Write one page over a stack, from its state."""
    file_of(profile)  # refused before anything is read
    versions = lineage.read(lineage_file) if lineage_file else None
    found = read_state(stack, state)
    settings = settings_of(found.stack)
    with step(f"Policies over {len(found.resources)} resources"):
        judged = policies.judge(found, profile)
    opencost = OpenCost(address, days) if address else None
    file = out or run_dir() / f"page-{found.stack}.html"
    write(rendered(found, settings, money.month(found, settings, opencost), judged, versions), file)
    console.print(f"wrote {file}", soft_wrap=True)


def rendered(
    state: State, settings: Settings, month: Month, judged: Judged, versions: Sequence[Version] | None
) -> str:
    """The page, which needs no other file and no network."""
    graph = state.graph(settings)
    sections = [
        standing(state, graph),
        money.section(month),
        policies.section(judged),
        pools.section(state, graph, settings),
        models.section(state, versions),
        alerts.section(state),
    ]
    return drawn(
        f"Stack {state.stack}", _about(state, settings), figures(state, graph, month, judged), sections
    )


def drawn(title: str, about: str, figures: Sequence[Figure], sections: Sequence[Section]) -> str:
    """A page of these sections."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["code"] = _code
    page = environment.from_string(PAGE.read_text(encoding="utf-8"))
    return page.render(title=title, about=about, figures=figures, sections=sections)


def figures(state: State, graph: ResourceGraph, month: Month, judged: Judged) -> list[Figure]:
    """The figures at the top, each with the section that says more."""
    total, budget = month.told["totalInr"], month.told["budgetInr"]
    gpus = sum((line.gpus for line in pools.pool_lines(graph) if line.gpus), NOTHING)
    stops = sum(finding.stops for finding in judged.record.open)
    heard = alerts.alerts(state)
    deaf = sum(not one.people for one in heard)
    places = len(regions(state, graph))
    return [
        Figure("Resources", f"{len(made(state)):,}", f"in {_many(places, 'region')}", "stands"),
        Figure(
            "A month",
            format_inr(total["expected"]),
            f"expected, of a budget of {format_inr(budget)}",
            "month",
            "bad" if total["expected"] > budget else "",
        ),
        Figure("GPUs", f"{gpus.high:,.0f}", _gpus(gpus), "gpus"),
        Figure("Models", str(len(models.runners(state))), "servers and jobs", "models"),
        Figure(
            "Alerts",
            str(len(heard)),
            f"{deaf} reach nobody" if deaf else "each reaches somebody",
            "alerts",
            "bad" if deaf else "",
        ),
        Figure(
            "Violations",
            str(stops),
            _advisories(judged.record),
            "policies",
            policies.mood(judged.record),
        ),
    ]


def _code(text: str) -> Markup:
    """A text whose `words between backticks` are code."""
    parts = (
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part)
        for at, part in enumerate(text.split("`"))
    )
    return Markup().join(parts)


def _advisories(record: Record) -> str:
    advisories = sum(not finding.stops for finding in record.open)
    rest = f"; {_many(record.unjudged, 'resource')} not judged" if record.unjudged else ""
    return f"and {_many(advisories, 'advisory', 'advisories')}{rest}"


def _gpus(gpus: CostRange) -> str:
    return f"at most; {gpus.expected:,.0f} as expected, {gpus.low:,.0f} at least"


def _many(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def _about(state: State, settings: Settings) -> str:
    changed = f"; last changed by an update at {state.changed} UTC" if state.changed else ""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    return (
        f"{settings.environment}, owned by {settings.owner}, for {settings.purpose}; data class {settings.data_class}. "
        f"Made at {now} UTC from the state of the stack{changed}. What somebody changed beside Pulumi is not in it: "
        "`pulumi refresh` brings that in."
    )


def write(text: str, file: Path) -> None:
    """Write a file whole or not at all.

    Raises:
        PageFileError: it can't be written there.
    """
    written, half = text.encode(), file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        half.write_bytes(written)
        half.replace(file)
    except OSError as error:
        raise PageFileError(f"OUT {file}: it can't be written: {error.strerror}; name another file") from None
