# pyright: reportMissingImports=false
"""Seconds and peak memory of one way to judge a window; run by the Python of the drift environment. Prints JSON."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from workloads.drift.programs import reference, result
from workloads.drift.programs.job import Job
from workloads.drift.programs.profile import in_terms_of
from workloads.drift.programs.score import score
from workloads.drift.programs.table import Table
from workloads.drift.programs.windows import Window

WINDOW = Window("day", datetime(2026, 11, 26, tzinfo=UTC))
REFERENCE_ROWS = 200_000


def columns(shift: float) -> str:
    """Five numbers and three categories, in the SQL of DuckDB."""
    numbers = [
        f"sqrt(-2 * ln(1 - random())) * cos(6.2832 * random()) + {shift if n == 0 else 0} AS n{n}"
        for n in range(5)
    ]
    categories = [f"'c' || floor({8 + 4 * n} * random() * random())::INTEGER AS c{n}" for n in range(3)]
    return ", ".join([*numbers, *categories])


def write(file: Path, rows: int, shift: float) -> None:
    """Rows that a seed draws."""
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SELECT setseed(0.5)")
    connection.execute(f"COPY (SELECT {columns(shift)} FROM range({rows})) TO '{file}' (FORMAT parquet)")


def job(folder: Path) -> Job:
    """The job that is measured."""
    uris = {name: str(folder / name) for name in ("samples", "reference", "results")}
    return Job.model_validate({"model": "bench", **uris})


def make(rows: int, folder: Path, scratch: Path) -> None:
    """The window, and its reference."""
    write(folder / "window.parquet", rows, 0.3)
    write(folder / "reference.parquet", REFERENCE_ROWS, 0)
    asked = job(folder)
    reference.write(reference.fitted(asked, Table([folder / "reference.parquet"], scratch)), asked.reference)


def judge(rows: int, folder: Path, scratch: Path) -> None:
    """As the CronJob does."""
    asked = job(folder)
    known = reference.read(asked.reference)
    found = result.judge(asked, known, Table([folder / "window.parquet"], scratch), WINDOW)
    assert found.rows == rows and [each.name for each in found.features if each.drifted] == ["n0"], found


def sample(rows: int, folder: Path, scratch: Path) -> None:
    """The sample and Evidently's distances on it."""
    asked = job(folder)
    known = reference.read(asked.reference)
    drawn = Table([folder / "window.parquet"], scratch).sample(list(known.kinds), asked.sample_rows)
    score(known.sample, in_terms_of(drawn, known.features, known.words), known.features)


def index(rows: int, folder: Path, scratch: Path) -> None:
    """The bins of all rows."""
    known = reference.read(job(folder).reference)
    counted = Table([folder / "window.parquet"], scratch).counts(known.features)
    assert all(sum(bins) == rows for bins in counted.values())


def evidently(rows: int, folder: Path, scratch: Path) -> None:
    """Evidently on that many rows of each side, without a sample."""
    known = reference.read(job(folder).reference)
    read = f"SELECT * FROM '{folder / 'window.parquet'}' LIMIT {rows}"
    current = in_terms_of(duckdb.connect().execute(read).df(), known.features, known.words)
    before = known.sample.sample(rows, replace=True, random_state=0).reset_index(drop=True)
    score(before, current, known.features)


MEASURES: dict[str, Callable[[int, Path, Path], None]] = {
    each.__name__: each for each in (make, judge, sample, index, evidently)
}


def main() -> None:
    """One measure, in a process of its own."""
    measure, rows, folder = sys.argv[1:]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        MEASURES[measure](int(rows), Path(folder), Path(scratch))
    used = resource.getrusage(resource.RUSAGE_SELF)
    numbers = {
        "seconds": time.perf_counter() - began,
        "processor": used.ru_utime + used.ru_stime,
        "mib": used.ru_maxrss / 1024,
    }
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
