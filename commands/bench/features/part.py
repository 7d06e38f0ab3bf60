"""`make bench PART=features`: starts the servers, measures, prints, and keeps the figures."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.bench.features import servers
from commands.console import console, step
from localcloud.directories import PROJECT, run_dir
from localcloud.environments import environment

FEATURES = PROJECT / "workloads" / "features"
ACCOUNTS = 20_000


class FeaturesBenchError(Exception):
    """The program of the bench failed; the message has the end of what it printed."""


def run(accounts: int = ACCOUNTS) -> None:
    """Measure, print, and keep the numbers in `.localcloud/bench-features.json`."""
    with step("the environment of features"):
        python = environment(FEATURES / "requirements-tests.txt")
    with (
        step("reads and materialisation"),
        tempfile.TemporaryDirectory(prefix="fl-") as lake,
        servers.redis(python) as socket,
        servers.postgres(python) as database,
    ):
        own = {
            "PYTHONPATH": str(FEATURES),
            "PYTHONWARNINGS": "ignore",
            "FEATURES_PROJECT": "loan_risk",
            "FEATURES_DEFINITIONS": str(FEATURES / "definitions"),
            "FEATURES_LAKE": lake,
            "FEATURES_REDIS": f"localhost:0,unix_socket_path={socket}",
        }
        program = PROJECT / "commands" / "bench" / "features" / "program.py"
        ran = subprocess.run(
            [python, "-P", program, str(accounts)],
            env={**os.environ, **database, **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        raise FeaturesBenchError(f"the bench failed:\n{ran.stderr[-3000:]}")
    numbers = json.loads(ran.stdout.splitlines()[-1])
    for shown in tables(numbers):
        console.print(shown)
    kept = run_dir() / "bench-features.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(numbers, indent=1))
    console.print(f"wrote {kept}")


def tables(numbers: Mapping[str, Any]) -> list[Table]:
    """Reads as ratios to a bare HGETALL, rows a second as ratios to Feast's own materialisation."""
    bare = numbers["reads"]["hgetall"]
    reads = _table("A read of one account", "way", "p50, ms", "p99, ms", "p99 against HGETALL")
    for name, found in numbers["reads"].items():
        reads.add_row(
            name, f"{found['p50']:.2f}", f"{found['p99']:.2f}", f"{found['p99'] / bare['p99']:.1f} ×"
        )
    filled = numbers["materialisation"]
    title = f"Materialisation of {numbers['accounts']:,} accounts, four views"
    rows = _table(title, "way", "rows a second", "against Feast's own")
    for name, speed in filled.items():
        shown = name.removesuffix("_rows_a_second")
        rows.add_row(shown, f"{speed:,.0f}", f"{speed / filled['feast_rows_a_second']:.1f} ×")
    return [reads, rows]


def _table(title: str, *columns: str) -> Table:
    made = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for at, column in enumerate(columns):
        made.add_column(column, justify="right" if at else "left")
    return made
