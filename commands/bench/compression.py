"""`make bench PART=compression`: what a model weighs and takes in INT8 and INT4, against the same in 32 bits."""

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

REQUIREMENTS = PROJECT / "workloads" / "compression" / "requirements.txt"


def run() -> None:
    """Measure, print, and keep the numbers in `.localcloud/bench-compression.json`."""
    with step("the compression environment"):
        python = environment(REQUIREMENTS)
    variables = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    with step("each method on one model"):
        numbers = ask(python, "commands.bench.compression_program", **variables)
    console.print(table(numbers))
    kept = run_dir() / "bench-compression.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(numbers, indent=1))
    console.print(f"wrote {kept}")


def table(numbers: Mapping[str, Any]) -> Table:
    """A row a method: all as ratios to 32 bits of the same run."""
    shown = Table(
        title=f"Compression, {numbers['parameters'] / 1e6:.1f} million parameters, on {numbers['machine']}",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for column in ("method", "layers, bytes", "all, bytes", "prompt of 128, time", "one token, time"):
        shown.add_column(column, justify="left" if column == "method" else "right")
    for method, ratios in numbers["methods"].items():
        names = ("layers", "bytes", "prompt", "token")
        shown.add_row(method, *(f"{ratios[name]:.2f} ×" for name in names))
    return shown
