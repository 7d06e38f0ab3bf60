"""Rows of a data principal in a file of the lake: taken out, or masked; every other row stays as it was.

An id is a text or an integer, as the table of places says. Texts are equal code point by code point: `é` in one and in
two code points are two ids, and `12` is none of `123`, `012` or `12.0`. An integer is matched as one, whatever its
width is in the file; in JSON `12` and `"12"` are two ids.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Kind = Literal["text", "integer"]
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")


class PrincipalError(ValueError):
    """An id is not of the kind that its place has."""


class ColumnError(ValueError):
    """A file has no such column, or one of another kind; the message names both."""


def id_of(principal: str, kind: Kind) -> str | int:
    """An id as its place has it.

    Raises:
        PrincipalError: the place has integers, and this is none as they are written.
    """
    if kind == "text":
        return principal
    if not _INTEGER.fullmatch(principal) or principal == "-0":
        raise PrincipalError(
            "the place has integers, and the id that is given is none; give it as digits alone"
        )
    return int(principal)


def rewrite_parquet(source: Path, target: Path, column: str, whom: str | int, mask: str | None) -> int:
    """Write `source` without the principal's rows, or with `mask` for the id; how many rows those were.

    Row group by row group, with the file's own schema, metadata and compression: memory is that of one group. Nothing
    is written where no row is the principal's.

    Raises:
        ColumnError: the file has no such column, or one of another kind.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source)
    schema = file.schema_arrow
    _check(schema, column, whom)
    at = schema.get_field_index(column)
    value = pa.scalar(whom, schema.field(at).type) if _fits(whom, schema.field(at).type) else None
    matches = [
        pc.fill_null(pc.equal(file.read_row_group(group, [column]).column(0), value), False)
        if value is not None
        else None
        for group in range(file.num_row_groups)
    ]
    count = sum(pc.sum(found).as_py() or 0 for found in matches if found is not None)
    if not count:
        return 0
    group = file.metadata.row_group(0)
    # Parquet's name of none is not pyarrow's.
    chunks = (group.column(n) for n in range(group.num_columns))
    codecs = {one.path_in_schema: one.compression.replace("UNCOMPRESSED", "NONE") for one in chunks}
    with pq.ParquetWriter(target, schema, compression=codecs) as writer:
        for number, found in enumerate(matches):
            table = file.read_row_group(number)
            if mask is None:
                table = table.filter(pc.invert(found))
            else:
                masked = pc.if_else(found, pa.scalar(mask, schema.field(at).type), table.column(at))
                table = table.set_column(at, schema.field(at), masked)
            writer.write_table(table, row_group_size=max(table.num_rows, 1))
    return count


def rewrite_jsonl(source: Path, target: Path, path: str, whom: str | int) -> int:
    """Write `source` without the lines whose value at `path` (`user.id`) is the principal; how many those were.

    Other lines are the same bytes. A line that is no JSON is kept: whose it is nobody can know, and the count of those
    is the caller's to tell.
    """
    names, count = path.split("."), 0
    with source.open("rb") as lines, target.open("wb") as kept:
        for line in lines:
            if _at(line, names) == (type(whom), whom):
                count += 1
            else:
                kept.write(line)
    if not count:
        target.unlink()
    return count


def _at(line: bytes, names: list[str]) -> tuple[type, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return type(value), value


def _check(schema: Any, column: str, whom: str | int) -> None:
    import pyarrow as pa

    if column not in schema.names:
        raise ColumnError(f"there is no column {column}; there are {', '.join(schema.names)}")
    of = schema.field(column).type
    fits = (
        pa.types.is_integer(of)
        if isinstance(whom, int)
        else pa.types.is_string(of) or pa.types.is_large_string(of)
    )
    if not fits:
        raise ColumnError(f"column {column} is of {of}, and the table of places says otherwise")


def _fits(whom: str | int, of: Any) -> bool:
    """Whether a column of integers can hold the id at all: one that can't has none of the principal's rows."""
    import pyarrow as pa

    try:
        pa.scalar(whom, of)
    except (pa.ArrowInvalid, OverflowError):
        return False
    return True
