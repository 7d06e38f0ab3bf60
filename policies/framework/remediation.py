"""Remediation: properties that are missing are filled in. A patch never changes a value that somebody wrote, and never
touches one that is not known yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pulumi_policy.deserialize import SPECIAL_SIG_KEY

from policies.framework.unknowns import Path


@dataclass(frozen=True)
class PropertyPatch:
    """`value` for what is missing at `path`. Blocks that are missing on the way are made; the index after a list's last
    adds to it."""

    path: Path
    value: Any


def patched(props: dict[str, Any], patches: Iterable[PropertyPatch]) -> dict[str, Any]:
    """A copy of properties, as the engine sends them, with each patch whose path has no value."""
    for patch in patches:
        props = _with(props, patch.path, patch.value)
    return props


def _with(holder: Any, path: Path, value: Any) -> Any:
    """What is no block (unknown, secret, of another shape) is handed back as it came."""
    if not path:
        return value if holder is None else holder
    part, rest = path[0], path[1:]
    if isinstance(part, int):
        items = [] if holder is None else holder
        if not isinstance(items, list) or part > len(items):
            return holder
        here = items[part] if part < len(items) else None
        return [*items[:part], _with(here, rest, value), *items[part + 1 :]]
    if isinstance(holder, list) and len(holder) == 1:  # providers disagree on blocks that occur once
        return [_with(holder[0], path, value)]
    block = {} if holder is None else holder
    if not isinstance(block, dict) or SPECIAL_SIG_KEY in block:
        return holder
    return {**block, part: _with(block.get(part), rest, value)}
