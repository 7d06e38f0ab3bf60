"""What rules of Google's are written with: a rule takes the inputs of one resource and yields what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from localcloud.providers.gcp.machines import region_of
from localcloud.providers.protocol import UNKNOWN, Values

Misfit = tuple[str, str]
Scope = Mapping[str, Any]
Records = Callable[[str], Mapping[str, Values]]  # the inputs of a type's resources, by id
Rule = Callable[[Values, Scope, Records], Iterator[Misfit]]


def given(inputs: Any, path: str) -> Any:
    """The value at a path, or None while it is absent or not known."""
    for name in path.split("."):
        inputs = inputs.get(name) if isinstance(inputs, dict) else None
    return None if inputs is UNKNOWN else inputs


def key_location(key: Any) -> str | None:
    """Where a key of Cloud KMS is, by its full name."""
    parts = key.split("/") if isinstance(key, str) else []
    return parts[3].lower() if len(parts) >= 8 and parts[2] == "locations" else None


def is_open(value: Any) -> bool:
    """Whether a part of it is not known yet."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is UNKNOWN or any(map(is_open, parts))


def minor_of(version: str) -> tuple[int, int]:
    """The minor version of GKE's full one."""
    major, minor = version.split("-")[0].split(".")[:2]
    return int(major), int(minor)


def key_in_region(inputs: Values, path: str, location: Any, what: str = "cluster") -> Iterator[Misfit]:
    """The keys of a cluster or database are in its region."""
    key = key_location(given(inputs, path))
    if key and isinstance(location, str) and key != region_of(location):
        yield path, f"the key is in {key}; it must be in {region_of(location)}, where the {what} is"


def seconds_of(duration: str) -> float:
    """Of a duration as Google writes it, such as 60s; 0 for what is none."""
    text = duration.removesuffix("s")
    return float(text) if text.isdecimal() else 0
