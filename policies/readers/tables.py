"""Tables of facts in `data/`: CSV whose last comment line names the columns; a cell with | holds several values."""

from __future__ import annotations

import csv
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"


def table(file: str) -> list[dict[str, str]]:
    """The rows of `data/<file>`, by column."""
    lines = (DATA / file).read_text().splitlines()
    columns = [line for line in lines if line.startswith("#")][-1].removeprefix("# ").split(",")
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), columns))


def several(cell: str) -> tuple[str, ...]:
    """The values of a cell."""
    return tuple(filter(None, cell.split("|")))


def block_names(file: str) -> frozenset[str]:
    """Names of nested properties from `data/`: what an unknown one may hide. Lines that start with # are comments."""
    lines = (DATA / file).read_text().splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
