"""What a change to a program does to its resources, read off two previews."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from policies.framework.record import name_of

Kind = Literal["new", "changed", "gone"]
KINDS: tuple[Kind, ...] = ("new", "changed", "gone")


@dataclass(frozen=True)
class Moved:
    """A resource that a change makes, changes or takes away; `what` are the inputs that differ."""

    kind: Kind
    urn: str
    what: tuple[str, ...] = ()


def changes(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[Moved]:
    """What differs between two programs' resources, by URN. Names that the engine makes up are no difference."""
    was, now = _inputs(before), _inputs(after)
    for urn in dict.fromkeys([*was, *now]):
        if urn not in was:
            yield Moved("new", urn)
        elif urn not in now:
            yield Moved("gone", urn)
        elif was[urn] != now[urn]:
            names = sorted(was[urn].keys() | now[urn].keys())
            yield Moved(
                "changed", urn, tuple(name for name in names if was[urn].get(name) != now[urn].get(name))
            )


def _inputs(resources: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Inputs by URN, with each name that the engine or a provider made up as one that does not change."""
    made_up = {
        value
        for one in resources
        for value in _names(one.get("inputs") or {})
        if re.fullmatch(f"{re.escape(name_of(one['urn']))}-[0-9a-f]{{7,8}}", value, re.IGNORECASE)
    }
    known = re.compile("|".join(map(re.escape, sorted(made_up, key=len, reverse=True))) or "(?!)")

    def settled(inputs: Mapping[str, Any]) -> dict[str, Any]:
        return json.loads(known.sub(lambda found: f"{found[0].rpartition('-')[0]}-…", json.dumps(inputs)))

    return {one["urn"]: settled(one.get("inputs") or {}) for one in resources}


def _names(inputs: Mapping[str, Any]) -> Iterator[str]:
    """The values that may be a resource's own name."""
    metadata = inputs.get("metadata")
    given = [*inputs.values(), *(metadata.values() if isinstance(metadata, dict) else ())]
    return (value for value in given if isinstance(value, str))
