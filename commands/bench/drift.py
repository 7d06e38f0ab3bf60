"""`make bench PART=drift`: a window of ten million rows against Evidently alone on fewer of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.bench.program import ask
from commands.console import console, step
from localcloud.directories import PROJECT, run_dir
from localcloud.environments import environment

REQUIREMENTS = PROJECT / "workloads" / "drift" / "requirements.txt"
MILLION = 1_000_000
ROWS, FEWER = 10 * MILLION, MILLION // 2
# What each process does, and on how many rows.
MEASURES = {
    "sample of 100,000, and Evidently": ("sample", ROWS),
    "the index of all rows": ("index", ROWS),
    "both, as a window is judged": ("judge", ROWS),
    "Evidently alone": ("evidently", FEWER),
}


def run() -> None:
    """Measure, print, and keep the numbers in `.localcloud/bench-drift.json`."""
    with step("the drift environment"):
        python = environment(REQUIREMENTS)
    folder = run_dir().resolve() / "bench-drift"
    folder.mkdir(parents=True, exist_ok=True)
    with step(f"{ROWS:,} rows of Parquet, and a reference"):
        _program(python, "make", ROWS, folder)
    numbers = {}
    for title, (measure, rows) in MEASURES.items():
        with step(title):
            numbers[title] = {"rows": rows, **_program(python, measure, rows, folder)}
    console.print(table(numbers))
    alone = numbers["Evidently alone"]["seconds"] * ROWS / FEWER
    console.print(
        f"Evidently alone on {ROWS:,} rows would take {alone:,.0f} s, if its time grew with the rows: "
        f"extrapolated from {FEWER:,}, not measured."
    )
    kept = run_dir() / "bench-drift.json"
    kept.write_text(json.dumps(numbers, indent=1))
    console.print(f"wrote {kept}")


def _program(python: Path, measure: str, rows: int, folder: Path) -> dict[str, Any]:
    """What one process measured: each has a peak of memory of its own."""
    words = (measure, str(rows), str(folder))
    return ask(python, "commands.bench.drift_program", *words, OMP_NUM_THREADS="1", DO_NOT_TRACK="1")


def table(numbers: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a measure."""
    shown = Table(title="Drift, eight columns", title_justify="left", box=SIMPLE_HEAD)
    for column in ("what", "rows", "seconds", "processor, s", "MiB at most"):
        shown.add_column(column, justify="left" if column == "what" else "right")
    for title, of in numbers.items():
        shown.add_row(
            title,
            f"{of['rows']:,}",
            f"{of['seconds']:.1f}",
            f"{of['processor']:.1f}",
            f"{of['mib']:.0f}",
        )
    return shown
