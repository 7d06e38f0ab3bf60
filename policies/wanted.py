"""One property and the value that is wanted there: what most controls ask, as rows of data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.control import Finding
from policies.unknowns import Unknown, dig, each

Good = Callable[[Any], bool]


@dataclass(frozen=True)
class Wanted:
    """`path` is dotted; `default` is what the cloud takes where nothing is said."""

    path: str
    what: str
    expected: str
    good: Good
    default: Any = None

    def value(self, props: Mapping[str, Any]) -> Any:
        found = dig(dict(props), *self.path.split("."))
        return self.default if found is None else found

    def asked(self, props: Mapping[str, Any]) -> Iterator[Finding | Unknown]:
        """Nothing if the value is good, a finding if it is not, the unknown if it can't be known."""
        value = self.value(props)
        if isinstance(value, Unknown):
            yield value
        elif not self.good(value):
            yield Finding(self.what, self.path, value, self.expected)


def on(value: Any) -> bool:
    return value is True


def text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def number(value: Any) -> float | None:
    """Providers write some numbers as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def at_least(floor: float) -> Good:
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
