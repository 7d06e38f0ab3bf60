"""What clouds do where a resource does not say it: the rows of data/silent_defaults.csv, and where they apply."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from policies.framework.unknowns import Unknown
from policies.readers.tables import table

_SEGMENT = re.compile(r'\["([^"]+)"\]|([^.\[\]]+)')
# `kubernetes:storage.cnrm.cloud.google.com/v1beta1:StorageBucket`: operators raise versions, and defaults stay.
_KUBERNETES = re.compile(r"(kubernetes:[\w.-]+)/v\w+:(\w+)")
_NOTHING = (None, "", [], {})


@dataclass(frozen=True)
class Condition:
    """A property that is absent, present, or has (or has not) one of some values."""

    path: str
    is_: str
    values: tuple[str, ...] = ()

    def holds(self, props: Any) -> bool | Unknown:
        """Whether it holds at any place that the path leads to."""
        places = list(places_at(props, self.path))
        verdicts = [self.fits(value) for _, value in places]
        if any(verdict is True for verdict in verdicts):
            return True
        return next((value for _, value in places if isinstance(value, Unknown)), False)

    def fits(self, value: Any) -> bool | None:
        """Whether one value is what the condition asks for; None where it is not known."""
        if isinstance(value, Unknown):
            return None
        if self.is_ == "absent":
            return value in _NOTHING
        if self.is_ == "present":
            return value is not None and value is not False
        if self.is_ == "lacks":
            return isinstance(value, str) and value != "" and not any(text in value for text in self.values)
        same = not isinstance(value, dict | list) and _word(value) in map(_word, self.values)
        return same if self.is_ == "equals" else not same


@dataclass(frozen=True)
class SilentDefault:
    """What happens when `when` holds for a resource of `type`. `when` is None where it always happens."""

    type: str
    when: Condition | None
    only_if: tuple[Condition, ...]
    unless: str
    does: str
    place: str
    expected: str
    is_soft: bool

    @property
    def property(self) -> str:
        """The path of the property that decides; empty where the default always applies."""
        return self.when.path if self.when else ""

    def occurrences(self, props: Any) -> Iterator[tuple[str, Any] | Unknown]:
        """(where, value) of each place where the default applies, and what must be known to tell."""
        for condition in self.only_if:
            verdict = condition.holds(props)
            if isinstance(verdict, Unknown):
                yield verdict
            if verdict is not True:
                return
        if self.when is None:
            yield "type", self.type
            return
        for where, value in places_at(props, self.when.path):
            if isinstance(value, Unknown):
                yield value
            elif self.when.fits(value):
                yield where, value


def places_at(props: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(where, value) for each place that a path leads to through lists; None where something on the way is missing."""
    found: list[tuple[str, Any]] = [("", props)]
    for quoted, bare in _SEGMENT.findall(path):
        found = [step for where, holder in found for step in _step(where, holder, quoted or bare)]
    for where, value in found:
        if isinstance(value, list) and value:
            yield from ((f"{where}[{index}]", item) for index, item in enumerate(value))
        else:
            yield where, value


def _step(where: str, holder: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(holder, list) and holder:
        for index, item in enumerate(holder):
            yield from _step(f"{where}[{index}]", item, name)
        return
    at = f'{where}["{name}"]' if "." in name else f"{where}.{name}".lstrip(".")
    if isinstance(holder, Unknown):
        yield where, holder
    else:
        yield at, holder.get(name) if isinstance(holder, dict) else None


def defaults_of(type_: str) -> tuple[SilentDefault, ...]:
    """The rows of a type; of a Kubernetes type in any version those of the newest that is listed."""
    known = _by_type()
    if type_ in known:
        return known[type_]
    match = _KUBERNETES.fullmatch(type_)
    if match is None:
        return ()
    versions = [
        one for one in known if (other := _KUBERNETES.fullmatch(one)) and other.groups() == match.groups()
    ]
    return known[max(versions)] if versions else ()


@functools.cache
def every_default() -> tuple[SilentDefault, ...]:
    """Every row of data/silent_defaults.csv."""
    return tuple(_read(row) for row in table("silent_defaults.csv"))


@functools.cache
def _by_type() -> dict[str, tuple[SilentDefault, ...]]:
    found: dict[str, tuple[SilentDefault, ...]] = {}
    for row in every_default():
        found[row.type] = (*found.get(row.type, ()), row)
    return found


def _read(row: dict[str, str]) -> SilentDefault:
    kind, _, value = row["when"].partition(":")
    when = None if kind == "always" else Condition(row["property"], kind, (value,) if value else ())
    conditions = tuple(map(_condition, filter(None, row["only_if"].split(" & "))))
    return SilentDefault(
        row["type"],
        when,
        conditions,
        row["unless"],
        row["does"],
        row["place"],
        row["expected"],
        row["soft"] == "true",
    )


def _condition(text: str) -> Condition:
    for word in (" present", " absent"):
        if text.endswith(word):
            return Condition(text.removesuffix(word), word.strip())
    path, _, values = text.partition("=")
    if path.endswith("!"):
        return Condition(path[:-1], "differs", tuple(values.split("|")))
    return Condition(path, "equals", tuple(values.split("|")))


def _word(value: Any) -> str:
    return str(value).lower()
