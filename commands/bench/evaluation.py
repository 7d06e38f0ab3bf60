"""`make bench PART=evaluation`: cases a second through inspect-ai, against bare requests to the same server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.bench.program import ask
from commands.console import console, step
from localcloud.directories import PROJECT, run_dir
from localcloud.environments import environment

REQUIREMENTS = PROJECT / "workloads" / "evaluation" / "requirements.txt"


def run() -> None:
    """Measure, print, and keep the numbers in `.localcloud/bench-evaluation.json`."""
    with step("the evaluation environment"):
        python = environment(REQUIREMENTS)
    with step("cases and bare requests, in turns"):
        numbers = ask(python, "commands.bench.evaluation_program")
    console.print(table(numbers))
    kept = run_dir() / "bench-evaluation.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(numbers, indent=1))
    console.print(f"wrote {kept}")


def table(numbers: Mapping[str, Any]) -> Table:
    """A row for each time that the server takes for an answer."""
    shown = Table(
        title=f"Golden set, {numbers['cases']} cases, {numbers['connections']} at once, medians of {numbers['rounds']}",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for column in ("an answer takes, ms", "bare, cases/s", "gate, cases/s", "time, gate ÷ bare"):
        shown.add_column(column, justify="right")
    for row in numbers["rows"]:
        bare, gate = (numbers["cases"] / row[name] for name in ("bare", "gate"))
        shown.add_row(f"{row['ms']}", f"{bare:.1f}", f"{gate:.1f}", f"{row['gate'] / row['bare']:.2f} ×")
    return shown
