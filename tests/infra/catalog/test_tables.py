"""Tables are written as they are read, and a broken row is refused by file, line and column."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.catalog.tables import (
    CatalogError,
    InterruptionRow,
    MachineRow,
    OfferingRow,
    PriceRow,
    Row,
    read,
    write,
)
from tests.examples import examples

# What a cell may hold: no carriage return, which csv would give back as it pleases.
TEXT = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), min_size=1, max_size=20)
WORDS = st.lists(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12), max_size=3).map(
    tuple
)
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
GIVEN: dict[type, Any] = {str: TEXT, date: st.dates()}
PARTICULAR: dict[str, Any] = {
    "usd_hour": POSITIVE,
    "memory_gib": POSITIVE,
    "gpu_memory_gib": st.floats(min_value=0, allow_infinity=False),
    "gpu_fraction": st.floats(min_value=0, max_value=1, exclude_max=True),
    "zones": WORDS,
    "fabrics": WORDS,
}


def rows(row: type[Row]) -> st.SearchStrategy[list[Row]]:
    """Tables of one kind, with every cell that its type allows."""
    cells = {name: PARTICULAR[name] for name in row.model_fields if name in PARTICULAR}
    cells |= {
        name: GIVEN[field.annotation]
        for name, field in row.model_fields.items()
        if name not in cells and field.annotation in GIVEN
    }
    cells |= {
        name: st.integers(min_value=1, max_value=10**6)
        for name, field in row.model_fields.items()
        if field.annotation is int
    }
    return st.lists(st.builds(row, **cells), min_size=1, max_size=5)


@pytest.mark.parametrize("row", [MachineRow, OfferingRow, PriceRow, InterruptionRow])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(50))
@given(data=st.data())
def test_what_is_written_is_read_again(tmp_path: Path, row: type[Row], data: st.DataObject) -> None:
    table = data.draw(rows(row))
    path = tmp_path / "table.csv"
    write(path, table)
    assert read(path, row) == table
    assert [found.name for found in tmp_path.iterdir()] == ["table.csv"]


HEADER = "region,machine_type,purchase,usd_hour,basis,as_of,source"
GOOD = "ap-south-1,g6.xlarge,spot,0.3741,observed,2026-07-01,spotinfo"


@pytest.mark.parametrize(
    ("header", "broken", "column"),
    [
        (HEADER, GOOD.replace("0.3741", "-0.3741"), "usd_hour"),
        (HEADER, GOOD.replace("0.3741", "0"), "usd_hour"),
        (HEADER, GOOD.replace("0.3741", ""), "usd_hour"),
        (HEADER, GOOD.replace("0.3741", "dear"), "usd_hour"),
        (HEADER, GOOD.replace("observed", "guessed"), "basis"),
        (HEADER, GOOD.replace("spot,", "reserved,"), "purchase"),
        (HEADER, GOOD.replace("2026-07-01", "July"), "as_of"),
        (HEADER, GOOD.replace("spotinfo", ""), "source"),
        (HEADER, GOOD.removesuffix(",spotinfo"), "source"),  # a missing cell
        (HEADER.removesuffix(",source"), GOOD.removesuffix(",spotinfo"), "source"),  # a missing column
        (HEADER + ",colour", GOOD + ",red", "colour"),
    ],
)
def test_a_broken_row_is_refused_with_its_place(
    tmp_path: Path, header: str, broken: str, column: str
) -> None:
    good = ",".join([GOOD, "red"][: 1 + header.endswith("colour")])
    path = tmp_path / "prices.csv"
    path.write_text("\n".join([header, *([good] if header == HEADER else []), broken, ""]))
    line = 3 if header == HEADER else 2
    with pytest.raises(CatalogError, match=rf"prices\.csv:{line}: {column} is "):
        read(path, PriceRow)


def test_a_cell_too_many_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"{HEADER}\n{GOOD},more\n")
    with pytest.raises(CatalogError, match=r"prices\.csv:2: "):
        read(path, PriceRow)


def test_a_table_that_cannot_be_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n")
    with pytest.raises(AttributeError):
        write(path, [*read(path, PriceRow), None])  # type: ignore[list-item]
    assert path.read_text() == f"{HEADER}\n{GOOD}\n"
