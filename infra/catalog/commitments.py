"""What is cheaper for a promise to pay for one or three years: Google's committed use, AWS's savings plans."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from infra.catalog.machines import Machine
from infra.catalog.tables import DATA, CatalogError, Row, read

EXACT, AT_MOST = "exact", "at-most"
YEARS = (1, 3)
FILE = "commitments.csv"


def _number(cell: object) -> object:
    return int(cell) if isinstance(cell, str) and cell.isdigit() else cell


class CommitmentRow(Row):
    """The share of the on-demand price that a commitment of some years takes off machines of a family.

    `family` begins the names of its machine types; * is every family, or every region, of the cloud. `bound` is
    `at-most` where the cloud says no more than "up to".
    """

    cloud: Literal["aws", "gcp"]
    region: str = Field(min_length=1)
    family: str = Field(min_length=1)
    years: Annotated[Literal[1, 3], BeforeValidator(_number)]
    share: float = Field(gt=0, lt=1)
    bound: Literal["exact", "at-most"]
    kind: str = Field(min_length=1)


def commitment(machine: Machine, years: int) -> CommitmentRow | None:
    """What committing to a machine for so many years takes off; None where no figure was found."""
    return next((row for row in _rows().get((machine.cloud, years), ()) if _is_for(row, machine)), None)


def _is_for(row: CommitmentRow, machine: Machine) -> bool:
    return row.region in ("*", machine.region) and (
        row.family == "*" or machine.machine_type.startswith(row.family)
    )


@cache
def _rows() -> Mapping[tuple[str, int], tuple[CommitmentRow, ...]]:
    """By cloud and years, the longest family first: a part of a family may have a figure of its own."""
    first: dict[tuple[object, ...], int] = {}
    found: dict[tuple[str, int], list[CommitmentRow]] = {}
    for line, row in enumerate(read(DATA / FILE, CommitmentRow), 2):
        key = (row.cloud, row.region, row.family, row.years)
        if (before := first.setdefault(key, line)) != line:
            raise CatalogError(f"{FILE}:{line}: {row.family} in {row.region} is in line {before} too")
        found.setdefault((row.cloud, row.years), []).append(row)
    return {at: tuple(sorted(rows, key=lambda row: -len(row.family))) for at, rows in found.items()}
