"""Grants that are no policy documents: properties that name whom something is given to, or that open it to everybody.

Which they are is data (data/grants.csv). Policies with principals are read by `principals`, wherever they are.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from policies.framework.unknowns import Unknown, dig, dotted, leaves
from policies.readers.references import at
from policies.readers.tables import several, table

# Properties that somebody who may have data is named in.
WHOM = ("account", "member", "domain", "userByEmail", "groupByEmail", "project")


@dataclass(frozen=True)
class Row:
    """One property of data/grants.csv. `narrowed_by` beside it leaves only some of everybody."""

    type: str
    path: str
    reads: str
    open: tuple[str, ...]
    narrowed_by: tuple[str, ...]
    why: str

    @property
    def is_anywhere(self) -> bool:
        """Whether the property may be at any depth: its path begins with `**.`."""
        return self.path.startswith("**.")

    def given(self, props: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """(where, value) of each scalar at the property; an `Unknown` for what hides it."""
        if self.is_anywhere:
            name = self.path.removeprefix("**.")
            yield from ((dotted(leaf.path), leaf.value) for leaf in leaves(props) if leaf.name == name)
            return
        for where, value in at(props, self.path):
            for leaf in leaves(value):
                inner = dotted(leaf.path)
                yield f"{where}{inner if inner.startswith('[') else f'.{inner}'}".rstrip("."), leaf.value

    def is_narrowed(self, props: dict[str, Any]) -> bool:
        """Whether a property beside it leaves only some of everybody."""
        return any(dig(props, name) not in (None, "", {}, []) for name in self.narrowed_by)


def rows(type_: str) -> tuple[Row, ...]:
    """The rows of a type."""
    anywhere = tuple(row for row in _table() if row.is_anywhere and type_.startswith(row.type))
    return _by_type().get(type_, ()) + anywhere


def of_types(*reads: str) -> tuple[str, ...]:
    """The types (or what they start with) that have a property which is read so."""
    return tuple(dict.fromkeys(row.type for row in _table() if row.reads in reads))


def grants_nothing(type_: str, path: tuple[Any, ...]) -> bool:
    """Whether a policy in this property gives nobody anything; the table says why."""
    names = ".".join(part for part in path if isinstance(part, str))
    return any(row.reads == "none" and row.path == names for row in rows(type_))


def is_open(row: Row, value: Any) -> bool:
    """Whether a value is one of those that let everybody in."""
    return str(value).lower() in {one.lower() for one in row.open}


def unknown_in(values: Iterator[tuple[str, Any]]) -> Iterator[Unknown]:
    """The values that can't be known yet."""
    return (value for _, value in values if isinstance(value, Unknown))


@functools.cache
def _by_type() -> dict[str, tuple[Row, ...]]:
    found: dict[str, tuple[Row, ...]] = {}
    for row in _table():
        found[row.type] = (*found.get(row.type, ()), row)
    return found


@functools.cache
def _table() -> tuple[Row, ...]:
    return tuple(
        Row(
            row["type"],
            row["property"],
            row["reads"],
            several(row["open"]),
            several(row["narrowed_by"]),
            row["why"],
        )
        for row in table("grants.csv")
    )
