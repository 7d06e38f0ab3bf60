"""Drift of one model, told by `--job`, a JSON file (job.py).

`fit DATA` makes the reference of a folder of Parquet. `score` judges the last whole window, or `--window`, and asks for
a training where drift is confirmed. `serve` has the latest result for Prometheus.

Exit codes: 0 done (an alarm is no failure), 64 what is asked can't be done, and would not be again.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import cluster, page, reference, result, retrain, serve
from .flight import FlightError, follow, start
from .job import DriftError, Job
from .result import Result
from .table import Table
from .windows import Window, fetch, named, newest, parquet

REFUSED = 64
# Results that are looked back at for the rows since the last training.
HISTORY = 90
Carry = Callable[[Any], Any]


def fit(job: Job, data: str, scratch: Path) -> str:
    """Makes the reference."""
    made = reference.fitted(job, Table(parquet(data, scratch / "data"), scratch))
    reference.write(made, job.reference)
    return f"reference of {made.rows} rows, {len(made.features)} features, in {job.reference}"


def judged(job: Job, window: Window, scratch: Path) -> Result:
    """The window's result, with what the windows before it make of it."""
    known = reference.read(job.reference)
    found = result.judge(job, known, Table(fetch(job.samples, window, scratch / "window"), scratch), window)
    if asked := job.outcome:
        past = window.before(asked.lag)
        table = Table(fetch(job.samples, past, scratch / "outcome"), scratch)
        found = replace(found, outcome=result.judge_outcome(asked, known, table, past))
    earlier = result.before(job.results, window, job.confirm.windows - 1)
    confirmed, worse = result.confirmed(job, [*earlier, found])
    return replace(found, confirmed=confirmed, worse=worse)


def retrained(job: Job, found: Result, window: Window, carry: Carry, own_namespace: str) -> Result:
    """The same with what was done about it."""
    asked = job.retraining
    if asked is None:
        return found
    history = result.before(job.results, window, HISTORY)
    plan = retrain.wanted(job, asked, found, own_namespace)
    followed = carry(follow(plan))
    if reason := retrain.hindrance(job, asked, [*history, found]):
        return replace(found, retraining={"started": False, "reason": reason, "followed": followed})
    decision = carry(start(plan))
    done = {"started": decision.started, "reason": decision.reason, "followed": followed}
    return replace(found, retraining=done)


def score(job: Job, name: str | None, scratch: Path, now: datetime) -> str:
    """Judges a window and keeps what it found: before a training is asked for, and again with the answer."""
    window = named(job.window, name, now) if name else newest(job.window, now)
    before = result.read(job.results, f"window={window.name}")
    found = judged(job, window, scratch)
    if before and before.retraining.get("started"):
        # Rows are counted from there: a window that is judged again has still started it.
        found = replace(found, retraining=before.retraining)
    result.write(job.results, found)
    if job.retraining and not found.retraining:
        api = cluster.connected(os.environ.get("KUBECONFIG"))
        carry = lambda asking: cluster.carried_out(api, asking)  # noqa: E731
        found = retrained(job, found, window, carry, os.environ.get("NAMESPACE", "drift"))
        result.write(job.results, found)
    page.write(f"{job.results}/latest.html", found)
    drifted = [feature.name for feature in found.features if feature.drifted]
    said = f"drift in {', '.join(drifted)}" if drifted else "no drift"
    why = f"; retraining: {found.retraining['reason']}" if found.retraining else ""
    return f"{window.name}: {said}{', confirmed' if found.confirmed else ''}{why}"


def main(arguments: list[str]) -> int:
    """Does what is asked; the exit code."""
    parser = argparse.ArgumentParser(prog="drift", description=__doc__)
    parser.add_argument("--job", type=Path, required=True, help="JSON, see job.py")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fit").add_argument("data", help="a folder of Parquet: what the model learnt from")
    commands.add_parser("score").add_argument("--window", help="2026-11-27, or 2026-11-27T09")
    serving = commands.add_parser("serve")
    serving.add_argument("--host", default="0.0.0.0", help="address to listen on")
    serving.add_argument("--port", type=int, default=9464, help="for Prometheus")
    given = parser.parse_args(arguments)
    try:
        job = Job.read(given.job.read_text())
        if given.command == "serve":
            return serve.forever(job, given.host, given.port)
        with tempfile.TemporaryDirectory() as scratch:
            if given.command == "fit":
                print(fit(job, given.data, Path(scratch)))
            else:
                print(score(job, given.window, Path(scratch), datetime.now(UTC)))
    except (DriftError, FlightError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
