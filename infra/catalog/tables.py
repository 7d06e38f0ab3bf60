"""The tables of facts in `data/`: what a row may say, and a refusal that names the file, the line and the column."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from infra.settings.purchase import PricedPurchase

DATA = Path(__file__).parent / "data"
STALE_DAYS = 90  # after which a fact that moves is doubted

Basis = Literal["observed", "lowest-zone", "derived", "derived-weak", "unverified", "not-observed"]
Band = Literal["<5%", "5-10%", "10-15%", "15-20%", ">20%"]


class CatalogError(LookupError):
    """The catalogue has no such thing, or a table of it is broken. The message says what is nearest, or where."""


def _words(cell: object) -> object:
    return tuple(word for word in cell.split("|") if word) if isinstance(cell, str) else cell


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]


class Row(BaseModel):
    """A fact, with the day it was true and where it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    source: str = Field(min_length=1)


class MachineRow(Row):
    """What a machine type is, wherever it stands. `gpu_count` is 0 and `gpu_fraction` given where it is part of a
    GPU."""

    cloud: Literal["aws", "gcp"]
    machine_type: str = Field(min_length=1)
    gpu: str
    gpu_count: int = Field(ge=0)
    gpu_fraction: Annotated[float, BeforeValidator(lambda cell: cell or 0)] = Field(ge=0, lt=1)
    gpu_memory_gib: float = Field(ge=0)
    gpu_link: Literal["", "PCIe", "NVLink", "NVSwitch"]
    vcpus: int = Field(gt=0)
    memory_gib: float = Field(gt=0)
    nvme_gb: int = Field(ge=0)
    network: str
    network_cards: int = Field(ge=1)
    efa_interfaces: int = Field(ge=0)
    fabrics: Words
    extra_networks: int = Field(ge=0)
    capacity_blocks: bool  # AWS sells it by the block, reserved for days


class OfferingRow(Row):
    """Where a machine type is offered; no zones where they were not found."""

    region: str
    machine_type: str
    zones: Words


class PriceRow(Row):
    """Dollars an hour for one way of buying, in one zone or, without a `zone`, in all of the region.

    `basis` says how the figure was had (see SOURCES.md)."""

    region: str
    machine_type: str
    purchase: PricedPurchase
    zone: str = ""
    usd_hour: float = Field(gt=0, allow_inf_nan=False)
    basis: Basis


class SoldOnlyRow(Row):
    """The only ways of buying in which a machine type is sold. One without a row is sold in every way of its cloud."""

    machine_type: str = Field(min_length=1)
    purchases: Words


class InterruptionRow(Row):
    """The share of a machine type's spot nodes that were taken back within a month."""

    region: str
    machine_type: str
    band: Band


class PlacementRow(Row):
    """EC2's spot placement score of one machine in a zone: 10 is likely to be had, 1 is not."""

    region: str
    machine_type: str
    zone: str
    score: int = Field(ge=1, le=10)


R = TypeVar("R", bound=Row)


def read(path: Path, row: type[R]) -> list[R]:
    """Every row of a table.

    Raises:
        CatalogError: the file, line and column of the first wrong cell, what it holds and what it may hold.
    """
    with path.open(encoding="utf-8", newline="") as lines:
        return [_checked(path, number, cells, row) for number, cells in enumerate(csv.DictReader(lines), 2)]


def _checked(path: Path, number: int, cells: dict[str | Any, Any], row: type[R]) -> R:
    try:
        return row.model_validate(cells)
    except ValidationError as error:
        wrong = error.errors()[0]
        column = ".".join(str(part) for part in wrong["loc"]) or "row"
        raise CatalogError(
            f"{path.name}:{number}: {column} is {cells.get(column)!r}: {wrong['msg']}. Mend the row, or `make catalog`"
        ) from None


def write(path: Path, rows: list[R]) -> None:
    """Write a table as `read` reads it, whole or not at all."""
    columns = [
        *(name for name in type(rows[0]).model_fields if name not in Row.model_fields),
        *Row.model_fields,
    ]
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(getattr(row, column)) for column in columns] for row in rows)
    draft.replace(path)


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return "|".join(value) if isinstance(value, tuple) else value
