"""A window as DuckDB reads it: its columns, a sample of its rows, and one pass over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas

from .job import DriftError, Kind
from .profile import Feature
from .windows import quoted

MEMORY = "400MB"
SEED = 20261127
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "UTINYINT")
_NUMERIC = (*_NUMBERS, "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")
_CATEGORIES = ("BOOLEAN", "VARCHAR", "ENUM")
# A column of words is text from here on: sentences, and not names of things.
TEXT_LENGTH = 40


class Table:
    """The rows of some Parquet files. `scratch` is where DuckDB may spill what memory does not hold."""

    def __init__(self, files: Sequence[Path], scratch: Path) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute(f"SET memory_limit = '{MEMORY}'")
        self._connection.execute("SET preserve_insertion_order = false")
        self._connection.execute(f"SET temp_directory = '{scratch}'")
        listed = f"read_parquet({quoted(files)}, union_by_name = false, hive_partitioning = false)"
        try:
            self._connection.execute(f"CREATE VIEW rows AS SELECT * FROM {listed}")
            self.columns = self._types()
            self.rows = int(self._one("SELECT count(*) FROM rows")[0])
        except duckdb.Error as error:
            raise DriftError(f"{files[0].parent}: {str(error).splitlines()[0]}") from error

    def _types(self) -> dict[str, str]:
        described = self._connection.execute("DESCRIBE rows").fetchall()
        return {name: kind.partition("(")[0] for name, kind, *_ in described}

    def _one(self, query: str) -> tuple[Any, ...]:
        row = self._connection.execute(query).fetchone()
        assert row is not None, query
        return row

    def kinds(self, asked: Mapping[str, Kind], ignored: Sequence[str]) -> dict[str, Kind]:
        """The kind of each column that can drift. Times, lists and the ignored ones are left out."""
        if unknown := {*asked, *ignored} - self.columns.keys():
            raise DriftError(
                f"no such column: {', '.join(sorted(unknown))}; there are {', '.join(self.columns)}"
            )
        kinds = {name: self._kind(name, of) for name, of in self.columns.items() if name not in ignored}
        kinds.update(asked)
        return {name: kind for name, kind in kinds.items() if kind}

    def _kind(self, name: str, of: str) -> Kind | None:
        if of in _NUMERIC:
            return "numeric"
        if of not in _CATEGORIES:
            return None
        (length,) = self._one(f"SELECT avg(length({_column(name)}::VARCHAR)) FROM rows")
        return "text" if length and length > TEXT_LENGTH else "category"

    def sample(self, columns: Sequence[str], rows: int) -> pandas.DataFrame:
        """At most `rows` rows, each as likely as any other (a reservoir)."""
        listed = ", ".join(_column(name) for name in columns)
        query = f"SELECT {listed} FROM rows USING SAMPLE reservoir({rows} ROWS) REPEATABLE ({SEED})"
        return self._connection.execute(query).df()

    def counts(self, features: Sequence[Feature]) -> dict[str, list[int]]:
        """How many of all rows are in each bin of each feature that has a column: one pass."""
        own = [feature for feature in features if feature.column == feature.name]
        asked = [part for feature in own for part in _bins(feature)]
        if not asked:
            return {}
        totals = iter(self._one(f"SELECT {', '.join(asked)} FROM rows"))
        return {feature.name: _counted(feature, [next(totals) for _ in _bins(feature)]) for feature in own}

    def right(self, label: str, prediction: str) -> tuple[int, int]:
        """Rows whose label is known, and those of them that were predicted right."""
        for name in (label, prediction):
            if name not in self.columns:
                raise DriftError(f"no such column: {name}; there are {', '.join(self.columns)}")
        known = f"{_column(label)} IS NOT NULL AND {_column(prediction)} IS NOT NULL"
        same = f"count_if({known} AND {_column(label)}::VARCHAR = {_column(prediction)}::VARCHAR)"
        rows, right = self._one(f"SELECT count_if({known}), {same} FROM rows")
        return int(rows), int(right)


def _bins(feature: Feature) -> list[str]:
    """SQL of numbers of rows: those at most each edge, or of each level; then those with any value, then all."""
    column = _column(feature.name)
    if feature.kind == "numeric":
        # NaN is larger than every number to DuckDB; to whoever reads a column it is as missing as NULL.
        value = f"(CASE WHEN isnan({column}::DOUBLE) THEN NULL ELSE {column}::DOUBLE END)"
        parts = [f"count_if({value} <= {edge!r})" for edge in feature.edges]
    else:
        value = f"{column}::VARCHAR"
        parts = [f"count_if({value} = {_text(level)})" for level in feature.own_levels]
    return [*parts, f"count({value})", "count(*)"]


def _counted(feature: Feature, totals: Sequence[int]) -> list[int]:
    *parts, known, rows = totals
    if feature.kind == "numeric":
        upto = [*parts, known]
        inside = [above - below for above, below in zip(upto, [0, *upto[:-1]], strict=True)]
        return [*inside, rows - known]
    return [*parts, known - sum(parts), rows - known]


def _column(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
