"""Places abroad that are no transfer: what exists in one place only, what comes to India, countries of people.

Each exception is a row with its reason and source in `data/`: global_control_planes.csv, incoming_data.csv and
country_lists.csv. A control that finds a place asks here before it tells.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from policies.framework.unknowns import Path
from policies.readers.tables import block_names, several, table

TABLES = ("global_control_planes.csv", "incoming_data.csv", "country_lists.csv")
# Where AWS keeps what its global services need of a region.
HOME = "us-east-1"
AS_SUCH: Path = ("type",)
# Types of pulumi_aws that take no region, written by tests/policies/provider_blocks.py.
GLOBAL_TYPES = block_names("global_types.txt")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class _Exception:
    """A row. `when` is another property of the resource, and the values of it that the exception is for."""

    types: str
    property: str
    values: tuple[str, ...]
    when: tuple[str, tuple[str, ...]] | None
    reason: str

    def covers(self, path: Path, value: Any, props: Mapping[str, Any]) -> bool:
        if self.property and self.property not in path:
            return False
        if not self.property and path == AS_SUCH:
            return False
        if self.values and value not in self.values:
            return False
        return self.when is None or props.get(self.when[0]) in self.when[1]


def lets_through(
    resource_type: str, path: Path, value: Any, props: Mapping[str, Any] = _NOTHING
) -> str | None:
    """Why a place at a path of a resource is no transfer; None where nothing says so.

    `props` are the resource's own, for exceptions that hold for some of a type: only alarms of bills are in us-east-1.
    """
    return next((row.reason for row in _of_type(resource_type) if row.covers(path, value, props)), None)


def only_at_home(resource_type: str, props: Mapping[str, Any]) -> bool:
    """Whether a resource of AWS may be made by a provider of us-east-1: it has no region, or can have no other."""
    if resource_type in GLOBAL_TYPES:
        return True  # RES-22 judges it
    return lets_through(resource_type, ("region",), HOME, props) is not None


@functools.lru_cache(maxsize=4096)
def _of_type(resource_type: str) -> tuple[_Exception, ...]:
    return tuple(row for row in _rows() if resource_type.startswith(row.types))


@functools.cache
def _rows() -> tuple[_Exception, ...]:
    return tuple(
        _Exception(row["types"], row["property"], several(row["values"]), _when(row["when"]), row["reason"])
        for file in TABLES
        for row in table(file)
    )


def _when(cell: str) -> tuple[str, tuple[str, ...]] | None:
    name, _, values = cell.partition("=")
    return (name, several(values)) if name else None
