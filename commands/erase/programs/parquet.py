"""A data principal's rows in a Parquet file: counted, taken out, or emptied; every other row stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .table import Change, Counted, TableError


def change(source: Path, target: Path | None, asked: Change) -> Counted:
    """Count the rows, and write the file without them to `target` if it is given.

    Row group by row group, with the file's own schema, metadata and compression: memory is that of one group.

    Raises:
        TableError: it is no Parquet file, or a column can't be read or emptied.
    """
    try:
        file = pq.ParquetFile(source)
        columns = [name for name in asked.columns if _there(file.schema_arrow, name)]
        if not columns:
            return Counted(columns=())
        if target is None:
            found = [_theirs(file, group, columns, asked) for group in range(file.num_row_groups)]
            return _counted(file, sum(map(_count, found)), columns, asked)
        return _written(file, target, columns, asked)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"it can't be read as Parquet: {error}") from error


def _written(file: pq.ParquetFile, target: Path, columns: list[str], asked: Change) -> Counted:
    schema, found = file.schema_arrow, 0
    with pq.ParquetWriter(target, schema, compression=_codecs(file)) as writer:
        for group in range(file.num_row_groups):
            theirs = _theirs(file, group, columns, asked)
            table = file.read_row_group(group)
            found += _count(theirs)
            table = _emptied(table, theirs, asked) if asked.empty else table.filter(pc.invert(theirs))
            writer.write_table(table, row_group_size=max(table.num_rows, 1))
    return _counted(file, found, columns, asked)


def _counted(file: pq.ParquetFile, found: int, columns: list[str], asked: Change) -> Counted:
    emptied = (name for name in asked.empty if name in file.schema_arrow.names)
    return Counted(found, file.metadata.num_rows, tuple(columns), tuple(emptied))


def _theirs(file: pq.ParquetFile, group: int, columns: list[str], asked: Change) -> Any:
    """A truth value for each row of a group."""
    table = file.read_row_group(group, columns=columns)
    masks = [_of_column(_values(table, name), asked) for name in columns]
    mask = masks[0]
    for other in masks[1:]:
        mask = pc.or_(mask, other)
    return mask


def _of_column(values: Any, asked: Change) -> Any:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_nested(values.type):
        return pa.array([asked.theirs(value) for value in values.to_pylist()], pa.bool_())
    # Each value once: a column of a million rows has few, or is compared at the speed of Python.
    wanted = [value for value in pc.unique(values).to_pylist() if asked.theirs(value)]
    if not wanted:
        return pa.repeat(False, len(values))
    return pc.is_in(values, value_set=pa.array(wanted, values.type))


def _there(schema: pa.Schema, name: str) -> bool:
    """Whether there is a column of the name, or a field of a struct at the path (`customer.id`)."""
    if name in schema.names:
        return True
    first, *rest = name.split(".")
    if first not in schema.names:
        return False
    of = schema.field(first).type
    for part in rest:
        if not pa.types.is_struct(of) or of.get_field_index(part) < 0:
            return False
        of = of.field(part).type
    return True


def _values(table: pa.Table, name: str) -> Any:
    """The values of a column or of a field of a struct."""
    if name in table.column_names:
        return table.column(name)
    first, *rest = name.split(".")
    return pc.struct_field(table.column(first), rest)


def _emptied(table: pa.Table, theirs: Any, asked: Change) -> pa.Table:
    for name in asked.empty:
        at = table.schema.get_field_index(name)
        if at < 0:
            if "." in name:
                raise TableError(f"{name} is a field of a struct: masking empties whole columns alone")
            continue
        field = table.schema.field(at)
        if not field.nullable:
            raise TableError(f"column {name} takes no null: take the rows out instead")
        column = table.column(at)
        table = table.set_column(at, field, pc.if_else(theirs, pa.scalar(None, column.type), column))
    return table


def _codecs(file: pq.ParquetFile) -> dict[str, str] | str:
    if not file.num_row_groups:
        return "snappy"
    group = file.metadata.row_group(0)
    chunks = (group.column(at) for at in range(group.num_columns))
    # Parquet's name of none is not pyarrow's.
    return {one.path_in_schema: one.compression.replace("UNCOMPRESSED", "NONE") for one in chunks}


def _count(theirs: Any) -> int:
    return pc.sum(theirs).as_py() or 0
