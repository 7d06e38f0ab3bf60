"""What a change costs in seconds: `up`, a no-change preview and `down` here and at another commit, in one run.

Both sides are whole commands, as a user types them, and take turns, since a machine may slow down.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.console import console, step
from commands.cost.command import checked_out
from localcloud.directories import PROJECT, run_dir
from localcloud.engine import EngineError

STACKS = ("local", "prod")
OPERATIONS = ("up", "preview", "down")

# Median seconds by operation, then by side.
Seconds = Mapping[str, Mapping[str, float]]


def run(against: str, previews: int) -> None:
    """Measure both sides, print the ratios, and keep the numbers in `.localcloud/bench-against.json`."""
    kept = run_dir().resolve() / "bench-against.json"
    with checked_out(against) as before, tempfile.TemporaryDirectory(prefix="bench-") as parent:
        sides = {against: before, "this change": PROJECT}
        measured = {stack: _measure(stack, sides, Path(parent), previews) for stack in STACKS}
    for stack, seconds in measured.items():
        console.print(table(stack, seconds))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(measured, indent=1))
    console.print(f"wrote {kept}")


def table(stack: str, seconds: Seconds) -> Table:
    """Seconds of each operation on both sides, and how many times longer it takes now."""
    before, now = next(iter(seconds.values()))
    shown = Table(title=f"Stack {stack}, whole commands", title_justify="left", box=SIMPLE_HEAD)
    shown.add_column("operation")
    for column in (f"{before}, s", f"{now}, s", "ratio"):
        shown.add_column(column, justify="right")
    for operation, by_side in seconds.items():
        old, new = by_side[before], by_side[now]
        shown.add_row(operation, f"{old:.1f}", f"{new:.1f}", f"{new / old:.2f} ×")
    return shown


def _measure(stack: str, sides: Mapping[str, Path], parent: Path, previews: int) -> Seconds:
    times: dict[str, dict[str, list[float]]] = {name: {side: [] for side in sides} for name in OPERATIONS}
    with step(f"{stack}, {' and '.join(sides)}") as report:
        turns = ["up", *["preview"] * previews, "down"]
        for number, operation in enumerate(turns):
            for side, folder in sides.items():
                report(number, len(turns), f"{operation}, {side}")
                run_folder = parent / f"{stack}-{list(sides).index(side)}"
                times[operation][side].append(_timed([operation, "--stack", stack], folder, run_folder))
    return {
        operation: {side: statistics.median(seconds) for side, seconds in by_side.items()}
        for operation, by_side in times.items()
    }


def _timed(command: Sequence[str], folder: Path, run_folder: Path) -> float:
    """Seconds that a command of the local cloud takes in a checkout.

    Raises:
        EngineError: the command failed; the message is what it printed.
    """
    env = {**os.environ, "INDIA_AI_INFRA_RUN": str(run_folder)}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "commands" if (folder / "commands").exists() else "localcloud", *command],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EngineError(f"{' '.join(command)} in {folder} failed:\n{done.stdout}{done.stderr}")
    return time.monotonic() - began
