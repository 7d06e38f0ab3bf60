"""Which changes need a new resource: the properties that `gcp/replaced.csv` lists, as Google's provider declares them.

The provider's schema says `ForceNew` of each. Of a block that counts for its coming and going; what is in it is
declared for itself. `when` limits it to changes of one kind. Source: hashicorp/terraform-provider-google at e03b762
(2026-08-21, after 7.45.0), read with Go's own parser from google/services and google/tpgiamresource; of
google_project_service_identity, which is in the beta provider only, its page of the documentation. Pulumi's names.
"""

from __future__ import annotations

import csv
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from localcloud.providers.gcp import shapes
from localcloud.providers.protocol import UNKNOWN, Values

FILE = Path(__file__).with_name("replaced.csv")


def _shrinks(old: Any, new: Any) -> bool:
    """Whether a range of addresses becomes anything but a larger one around it."""
    try:
        return not ipaddress.ip_network(old).subnet_of(ipaddress.ip_network(new))  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        return True


CONDITIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "": lambda old, new: True,
    "shrinks": _shrinks,
    "turned off": lambda old, new: bool(old) and not new,
    "smaller": lambda old, new: bool(old and new) and new < old,
}


@cache
def declared(token: str) -> Mapping[str, str]:
    """The properties of a type that only a new resource can change, each with its condition."""
    return _table().get(token, {})


@cache
def _table() -> Mapping[str, Mapping[str, str]]:
    table: dict[str, dict[str, str]] = {}
    with FILE.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            table.setdefault(row["type"], {})[row["property"]] = row["when"]
    return table


def replaced(token: str, old: Values, new: Values) -> list[str]:
    """The top-level properties whose change needs a new resource. What is not known yet may have changed."""
    rules = declared(token)
    found = {
        path.partition(".")[0]
        for path, before, after in _changes(shapes.args_class(token), old, new, "")
        if _forces(rules, path, before, after)
    }
    return sorted(found)


def _forces(rules: Mapping[str, str], path: str, old: Any, new: Any) -> bool:
    if UNKNOWN in (old, new):
        return any(rule == path or rule.startswith(f"{path}.") for rule in rules)
    return path in rules and CONDITIONS[rules[path]](old, new)


def _changes(block: type, old: Values, new: Values, above: str) -> Iterator[tuple[str, Any, Any]]:
    """Every property that differs, at every depth, with what it was and will be. A block that comes or goes is one, and
    so is each property in it."""
    for name, (kind, _) in shapes.fields(block).items():
        path = f"{above}.{name}" if above else name
        before, after = old.get(name), new.get(name)
        if before == after and UNKNOWN is not after:
            continue
        element = _element(kind)
        if UNKNOWN in (before, after) or not shapes.is_block(element):
            yield path, before, after
            continue
        befores, afters = _listed(before), _listed(after)
        if len(befores) != len(afters):
            yield path, before, after
        for index in range(max(len(befores), len(afters))):
            pair = (
                befores[index] if index < len(befores) else {},
                afters[index] if index < len(afters) else {},
            )
            if UNKNOWN in pair:
                yield path, *pair
            else:
                yield from _changes(element, *pair, path)


def _element(kind: Any) -> Any:
    container, element = shapes.inner(kind)
    while container == "list":
        container, element = shapes.inner(element)
    return element


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
