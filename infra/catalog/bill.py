"""The bill: what a stack costs a month, from the resources that the engine registers, so that nothing is forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from infra.catalog import services
from infra.settings.stack import Usage


@dataclass(frozen=True)
class Span:
    """A figure with the pools at their minimum, as expected, and at their maximum."""

    low: float
    expected: float
    high: float

    @classmethod
    def always(cls, figure: float) -> Span:
        return cls(figure, figure, figure)

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: float) -> Span:
        return Span(self.low * factor, self.expected * factor, self.high * factor)


NOTHING = Span.always(0)


@dataclass(frozen=True)
class Registered:
    """A resource as the engine knows it, in a preview, a state file or a policy pack; values may be unknown.

    `sources` are the URNs that each top-level property is made from.
    """

    type: str
    urn: str
    inputs: Mapping[str, Any]
    parent: str = ""
    provider: str = ""
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    @classmethod
    def of_state(cls, resource: Mapping[str, Any]) -> Registered:
        """From the form of state files and of `pulumi preview --json`."""
        return cls(
            resource["type"],
            resource["urn"],
            resource.get("inputs") or {},
            resource.get("parent") or "",
            (resource.get("provider") or "").rpartition("::")[0],
            resource.get("propertyDependencies") or {},
        )


@dataclass(frozen=True)
class Line:
    """So many of something, each at `usd` a month (`on_demand_usd` if all were bought so); None: no price is known, or
    a
    number that the preview can't know."""

    what: str
    count: Span | None
    usd: float | None
    on_demand_usd: float | None


@dataclass(frozen=True)
class Item:
    """Lines of one component for the same thing, added up: USD a month; None where a price or a number is not known."""

    component: str
    what: str
    count: Span
    usd: Span | None
    on_demand_usd: Span | None


@dataclass(frozen=True)
class Bill:
    """A stack's month. `unpriced` are types that no table knows; `by_use` those that are paid by use, next to
    nothing."""

    items: tuple[Item, ...]
    unpriced: Mapping[str, int]
    by_use: Mapping[str, int]

    @property
    def total(self) -> Span:
        return sum((item.usd for item in self.items if item.usd), NOTHING)

    @property
    def on_demand(self) -> Span:
        return sum((item.on_demand_usd for item in self.items if item.on_demand_usd), NOTHING)

    @property
    def components(self) -> Mapping[str, Span]:
        """USD a month of each component, the dearest first."""
        sums: dict[str, Span] = {}
        for item in self.items:
            sums[item.component] = sums.get(item.component, NOTHING) + (item.usd or NOTHING)
        return dict(sorted(sums.items(), key=lambda pair: -pair[1].expected))

    @property
    def dearest(self) -> list[Item]:
        """Items with a price, the dearest expected first."""
        priced = [(item.usd.expected, item) for item in self.items if item.usd]
        return [item for _, item in sorted(priced, key=lambda pair: -pair[0])]

    @property
    def unknown(self) -> list[Item]:
        """Items without a price."""
        return [item for item in self.items if item.usd is None]


class Stack:
    """All resources of a stack, and what its month is assumed to carry."""

    def __init__(self, resources: Iterable[Registered], usage: Usage) -> None:
        self.usage = usage
        self.by_urn = {resource.urn: resource for resource in resources}

    def of(self, type_: str) -> list[Registered]:
        return self._by_type.get(type_, [])

    def region(self, resource: Registered) -> str:
        """Of the resource itself, or its provider, or else the first cloud provider of the stack."""
        given = resource.inputs.get("region")
        if isinstance(given, str) and given:
            return given
        provider = self.by_urn.get(resource.provider)
        return _region(provider) or self._home

    def component(self, resource: Registered) -> str:
        """The outermost component that the resource is part of."""
        at = resource
        while (above := self.by_urn.get(at.parent)) and above.type != "pulumi:pulumi:Stack":
            at = above
        return at.name

    def behind(self, resource: Registered, prop: str, type_: str) -> Registered | None:
        """The resource of a type that a property is made from."""
        found = (self.by_urn.get(urn) for urn in resource.sources.get(prop) or ())
        return next((source for source in found if source and source.type == type_), None)

    @cached_property
    def _by_type(self) -> Mapping[str, list[Registered]]:
        found: dict[str, list[Registered]] = {}
        for resource in self.by_urn.values():
            found.setdefault(resource.type, []).append(resource)
        return found

    @cached_property
    def _home(self) -> str:
        providers = (self.by_urn[urn] for urn in self.by_urn if "pulumi:providers:" in urn)
        return next((place for place in map(_region, providers) if place), "")


def _region(provider: Registered | None) -> str:
    given = provider.inputs.get("region") if provider else None
    return given if isinstance(given, str) else ""


def bill(resources: Iterable[Registered], usage: Usage) -> Bill:
    """The bill of a stack, in dollars without tax, the items in the order in which they were registered."""
    from infra.catalog.metering import METERED

    stack = Stack(resources, usage)
    lines: dict[tuple[str, str], list[Line]] = {}
    unpriced: Counter[str] = Counter()
    use: Counter[str] = Counter()
    for resource in stack.by_urn.values():
        if metered := METERED.get(resource.type):
            for line in metered(resource, stack):
                lines.setdefault((stack.component(resource), line.what), []).append(line)
        elif resource.type in services.by_use():
            use[resource.type] += 1
        elif not (services.is_free(resource.type) or _is_component(resource)):
            unpriced[resource.type] += 1
    items = tuple(_item(component, what, same) for (component, what), same in lines.items())
    return Bill(items, unpriced, use)


def _is_component(resource: Registered) -> bool:
    """Components have no provider; they only hold others together."""
    return not resource.provider


def _item(component: str, what: str, lines: Sequence[Line]) -> Item:
    counts = [line.count for line in lines]
    count = sum((count for count in counts if count), NOTHING)
    return Item(
        component,
        what,
        count,
        _sum((line.count, line.usd) for line in lines),
        _sum((line.count, line.on_demand_usd) for line in lines),
    )


def _sum(parts: Iterable[tuple[Span | None, float | None]]) -> Span | None:
    total = NOTHING
    for count, usd in parts:
        if count is None or usd is None:
            return None
        total += count.times(usd)
    return total


def one(stack: Stack, resource: Registered, meter: str, count: Span | None) -> Iterator[Line]:
    """A line of so many units of a meter at its price in the resource's region; none for none."""
    if count == NOTHING:
        return
    found = services.meter(meter, stack.region(resource))
    usd = found.usd if found else None
    yield Line(found.what if found else meter, count, usd, usd)
