"""Calls that programs made in a pod's environment, as rows of a CSV: a row is a call and what was answered to it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

FOLDER = Path(__file__).with_name("recordings")

# What is another at each run: names of proofs, times, steps.
_EACH_RUN = (
    (re.compile(r"[0-9a-f]{32}"), "ID"),
    (re.compile(r"\d{8}T\d{6,12}Z"), "TIME"),
    (re.compile(r"step-\d{8}(-[0-9a-f]{8})?"), "step-N"),
)


@dataclass(frozen=True, order=True)
class Row:
    """`bucket` is what it is to the lake. `answer` is ok, missing or refused; `prefix` is `-` where a list has none."""

    operation: str
    bucket: str
    key: str = ""
    prefix: str = "-"
    source: str = ""
    headers: str = ""
    answer: str = "ok"


def normal(text: str) -> str:
    """`text` without what differs between two runs."""
    for pattern, name in _EACH_RUN:
        text = pattern.sub(name, text)
    return text


def answer(status: int) -> str:
    """A row's word for an HTTP status."""
    return {403: "refused", 404: "missing"}.get(status, "ok")


def read(name: str) -> list[Row]:
    """The rows that were recorded as `name` (`aws-checkpoints`)."""
    with (FOLDER / f"{name}.csv").open(newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def write(name: str, rows: Iterable[Row]) -> None:
    """Keeps rows under `name`, in order, each once."""
    with (FOLDER / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows(astuple(row) for row in sorted(set(rows)))


def headers(values: Mapping[str, str]) -> str:
    """Headers as one cell."""
    return " ".join(f"{name}={value}" for name, value in sorted(values.items()))
