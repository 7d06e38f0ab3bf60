"""What is asked of a table's rows and what was found, of any format; and which format a file has."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

from .whom import IsTheirs

PARQUET, GZIP = b"PAR1", b"\x1f\x8b"
TEXTS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class TableError(ValueError):
    """A file is no table of its format, or one that can't be changed without harm to other rows."""


@dataclass(frozen=True)
class Change:
    """Rows whose value in one of `columns` is the principal's go; with `empty`, they stay and lose these columns."""

    theirs: IsTheirs
    columns: tuple[str, ...]
    empty: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counted:
    """Rows of the principal and of the table; which of the columns it has, and which of those that are emptied."""

    found: int = 0
    rows: int = 0
    columns: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()


def change(source: Path, name: str, target: Path | None, asked: Change) -> Counted | None:
    """Count the principal's rows in a file that is called `name` in the store, and write it without them to `target`,
    packed as it was. None where it is no table.

    Raises:
        TableError: it is a table, but not one that can be read whole.
    """
    from . import lines, parquet

    head = _head(source)
    if head[:4] == PARQUET or name.endswith(".parquet"):
        return parquet.change(source, target, asked)
    packed = head[:2] == GZIP
    kind = TEXTS.get(Path(name.removesuffix(".gz")).suffix)
    if kind is None:
        return None
    if not packed:
        return lines.change(source, target, kind, _separator(name), asked)
    plain = source.with_name(f"{source.name}-plain")
    try:
        with gzip.open(source) as stream, plain.open("wb") as out:
            shutil.copyfileobj(stream, out)
    except (OSError, EOFError) as error:
        raise TableError(f"it can't be unpacked: {error}") from error
    written = target.with_name(f"{target.name}-plain") if target else None
    counted = lines.change(plain, written, kind, _separator(name), asked)
    if target and written:
        # Without a time in its head the same rows are the same bytes.
        with (
            written.open("rb") as stream,
            target.open("wb") as raw,
            gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as out,
        ):
            shutil.copyfileobj(stream, out)
    return counted


def _separator(name: str) -> str:
    return "\t" if Path(name.removesuffix(".gz")).suffix == ".tsv" else ","


def _head(source: Path) -> bytes:
    with source.open("rb") as stream:
        return stream.read(4)
