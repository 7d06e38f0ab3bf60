"""Tables of facts in `data/`: CSV whose last comment line names the columns; a cell with | holds several values."""

from __future__ import annotations

import csv
from pathlib import Path


def table(file: str) -> list[dict[str, str]]:
    """The rows of `data/<file>`, by column."""
    lines = (Path(__file__).parent / "data" / file).read_text().splitlines()
    columns = [line for line in lines if line.startswith("#")][-1].removeprefix("# ").split(",")
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), columns))


def several(cell: str) -> tuple[str, ...]:
    """The values of a cell."""
    return tuple(filter(None, cell.split("|")))
