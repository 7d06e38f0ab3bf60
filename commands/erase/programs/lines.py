"""A data principal's rows in JSON lines and CSV: taken out or emptied; other rows are the same bytes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from .table import Change, Counted, TableError

# The longest field of a CSV file that is read: Python's own limit is 128 KiB.
csv.field_size_limit(1 << 30)


def change(source: Path, target: Path | None, kind: str, separator: str, asked: Change) -> Counted:
    """Count the rows, and write the file without them to `target` if it is given.

    Raises:
        TableError: a line is no row, so that nobody can say whose it is.
    """
    # Bytes that are no UTF-8, and the ends of lines, come out as they went in.
    how: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    with ExitStack() as files:
        stream = files.enter_context(source.open("r", **how))
        out = files.enter_context(target.open("w", **how)) if target else None
        there: set[str] = set()
        rows = _json(stream, asked, there) if kind == "jsonl" else _csv(stream, separator, asked, there)
        found = count = 0
        for row in rows:
            count += row.counts
            found += row.theirs
            if out:
                out.write(row.left if row.theirs else row.text)
        columns, emptied = (tuple(filter(there.__contains__, of)) for of in (asked.columns, asked.empty))
        return Counted(found, count, columns, emptied)


@dataclass(frozen=True)
class _Row:
    """A row, or a head or an empty line, which does not count. `left` is what stays of one that is theirs."""

    text: str
    theirs: bool = False
    left: str = ""
    counts: bool = True


def _json(stream: TextIO, asked: Change, there: set[str]) -> Iterator[_Row]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            yield _Row(line, counts=False)
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise TableError(f"line {number} is no JSON: mend or remove it") from error
        values = [(name, found) for name in asked.columns for found in _at(value, name)]
        there.update(name for name, _ in values)
        there.update(name for name in asked.empty if any(True for _ in _at(value, name)))
        theirs = any(asked.theirs(found) for _, found in values)
        yield _Row(line, theirs, _emptied(value, line, asked) if theirs and asked.empty else "")


def _at(value: Any, path: str) -> Iterator[Any]:
    """The values at a path (`customer.id`), through lists."""
    if isinstance(value, list):
        for one in value:
            yield from _at(one, path)
    elif isinstance(value, Mapping):
        if path in value:
            yield value[path]
        first, _, rest = path.partition(".")
        if rest and first in value:
            yield from _at(value[first], rest)


def _emptied(value: Any, line: str, asked: Change) -> str:
    for path in asked.empty:
        _empty(value, path)
    return json.dumps(value, ensure_ascii=False) + line[len(line.rstrip("\r\n")) :]


def _empty(value: Any, path: str) -> None:
    if isinstance(value, list):
        for one in value:
            _empty(one, path)
    elif isinstance(value, dict):
        if path in value:
            value[path] = None
        first, _, rest = path.partition(".")
        if rest and first in value:
            _empty(value[first], rest)


def _csv(stream: TextIO, separator: str, asked: Change, there: set[str]) -> Iterator[_Row]:
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in stream:
            taken.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=separator, strict=True)
    try:
        names = next(reader, [])
        names = [name.removeprefix("\ufeff") for name in names]
        at = [place for place, name in enumerate(names) if name in asked.columns]
        empty = [place for place, name in enumerate(names) if name in asked.empty]
        there.update(names)
        yield _Row("".join(taken), counts=False)
        taken.clear()
        for row in reader:
            text = "".join(taken)
            taken.clear()
            if not row:
                yield _Row(text, counts=False)
                continue
            if len(row) != len(names):
                raise TableError(
                    f"line {reader.line_num} has {len(row)} fields, and the head {len(names)}: mend it"
                )
            theirs = any(asked.theirs(row[one]) for one in at)
            yield _Row(text, theirs, _without(row, empty, text, separator) if theirs and asked.empty else "")
    except csv.Error as error:
        raise TableError(f"line {reader.line_num} is no CSV ({error}): mend it") from error


def _without(row: list[str], empty: list[int], text: str, separator: str) -> str:
    out = StringIO()
    kept = ["" if at in empty else value for at, value in enumerate(row)]
    csv.writer(out, delimiter=separator, lineterminator=text[len(text.rstrip("\r\n")) :]).writerow(kept)
    return out.getvalue()
