"""Expectations: the value that a property must have, as data. Most controls ask the same few things of many types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.framework.control import Finding
from policies.framework.unknowns import Unknown, each
from policies.law import Law

OPTIONAL = "?"


@dataclass(frozen=True)
class Misshapen:
    """Stands where a block should be and something else is."""

    value: Any

    def __repr__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True)
class Expectation:
    """`path` is dotted; a block on it may occur many times, and one marked `?` may be missing.

    `absent` says whether the cloud's own default will do.
    """

    path: str
    good: Callable[[Any], bool]
    what: str
    expected: str
    absent: bool = False
    law: Law | None = None
    fix: str = ""


Expectations = Mapping[str, tuple[Expectation, ...]]


def check_expectations(props: Any, expectations: Iterable[Expectation]) -> Iterator[Finding | Unknown]:
    """A finding for each value that is not as expected, and each `Unknown` that was needed to tell."""
    for expectation in expectations:
        for where, value in values_at(props, expectation.path):
            if isinstance(value, Unknown):
                yield value
            elif value is None and expectation.absent:
                continue
            elif isinstance(value, Misshapen) or not expectation.good(value):
                yield Finding(
                    expectation.what, where, value, expectation.expected, expectation.fix, expectation.law
                )


def values_at(props: Any, path: str) -> list[tuple[str, Any]]:
    """(where, value) for each place that `path` leads to; the value is None where something on the way is missing."""
    found: list[tuple[str, Any]] = [("", props)]
    for part in path.split("."):
        name = part.removesuffix(OPTIONAL)
        found = [
            entry
            for where, holder in found
            for entry in _inside(where, holder, name, optional=part.endswith(OPTIONAL))
        ]
    return found


def _inside(where: str, holder: Any, name: str, *, optional: bool) -> list[tuple[str, Any]]:
    if isinstance(holder, list):
        return [
            entry
            for index, item in enumerate(holder or [None])
            for entry in _inside(f"{where}[{index}]" if holder else where, item, name, optional=optional)
        ]
    at = f"{where}.{name}".lstrip(".")
    if isinstance(holder, Unknown | Misshapen):
        return [(where, holder)]
    if holder is not None and not isinstance(holder, dict):
        return [(where, Misshapen(holder))]
    value = holder.get(name) if holder else None
    if value is None and optional:
        return []
    return [(at, value)]


def is_on(value: Any) -> bool:
    """True, or the text that some providers write for it."""
    return value is True or value == "true"


def is_off(value: Any) -> bool:
    """False, or the text that some providers write for it."""
    return value is False or value == "false"


def is_named(value: Any) -> bool:
    """Some name at all: which one is another control's question."""
    return isinstance(value, str) and bool(value.strip())


def one_of(*names: str) -> Callable[[Any], bool]:
    """Exactly one of these words."""
    return lambda value: isinstance(value, str) and value in names


def is_true(value: Any) -> bool:
    """True and nothing else, where the text is no value of the property."""
    return value is True


def number(value: Any) -> float | None:
    """Providers write some numbers as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def at_least(floor: float) -> Callable[[Any], bool]:
    """A number of that size or more."""

    def good(value: Any) -> bool:
        found = number(value)
        return found is not None and found >= floor

    return good


def holds(where: str, value: Any, names: tuple[str, ...], what: str) -> Iterator[Finding | Unknown]:
    """A list with every one of `names` in it; an unknown item may be the one that is missing."""
    if isinstance(value, Unknown):
        yield value
        return
    missing = [name for name in names if name not in each(value)]
    if missing:
        unknown = next((one for one in each(value) if isinstance(one, Unknown)), None)
        yield unknown or Finding(what, where, value, ", ".join(names))
