"""Lines of an estimate: so many of something at a price, over a range of pool sizes, and what the price rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from infra.catalog.machines import Price
from infra.pricing import services
from infra.pricing.resources import Resource, ResourceGraph
from infra.pricing.services import Meter

# What a price may rest on, the surest first; `Basis` of the catalogue's tables in the three words that people read.
OBSERVED, DERIVED, UNVERIFIED = "observed", "derived", "unverified"
STRENGTH = (OBSERVED, DERIVED, UNVERIFIED)


@dataclass(frozen=True)
class CostRange:
    """A figure with the pools at their minimum, as expected, and at their maximum."""

    low: float
    expected: float
    high: float

    @classmethod
    def always(cls, figure: float) -> CostRange:
        return cls(figure, figure, figure)

    def __add__(self, other: CostRange) -> CostRange:
        return CostRange(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def __mul__(self, other: CostRange) -> CostRange:
        return CostRange(self.low * other.low, self.expected * other.expected, self.high * other.high)

    def times(self, factor: float) -> CostRange:
        return CostRange(self.low * factor, self.expected * factor, self.high * factor)


NOTHING = CostRange.always(0)


@dataclass(frozen=True)
class Fact:
    """What a price rests on: observed, derived or unverified; the day it was true, and where it was read."""

    basis: str
    as_of: date
    source: str

    @classmethod
    def of(cls, price: Price | Meter) -> Fact:
        basis = price.basis if price.basis in (OBSERVED, UNVERIFIED) else DERIVED
        return cls(basis, price.as_of, price.source)


@dataclass(frozen=True)
class Line:
    """So many of something, each at `usd` a month (`on_demand_usd` if all were bought so), by the prices of `facts`.
    None: no price is known, or a number that the preview can't know. `hour` is of a node: in its cheapest zone, as
    counted on, and in its dearest."""

    what: str
    count: CostRange | None
    usd: CostRange | None
    on_demand_usd: float | None
    facts: tuple[Fact, ...] = ()
    hour: CostRange | None = None


@dataclass(frozen=True)
class Metered:
    """So many units of a meter, whose tiers are for all that the stack takes of it; None where that can't be known."""

    meter: Meter
    count: CostRange | None

    def priced(self, of_stack: CostRange) -> Line:
        """At the price that a unit has on average, when the stack takes so many."""
        each = CostRange(
            *(self._average(units) for units in (of_stack.low, of_stack.expected, of_stack.high))
        )
        return Line(self.meter.what, self.count, each, each.expected, (Fact.of(self.meter),))

    def _average(self, units: float) -> float:
        return self.meter.cost(units) / units if units else 0.0


def metered_line(
    graph: ResourceGraph, resource: Resource, meter: str, count: CostRange | None
) -> Iterator[Line | Metered]:
    """A line of so many units of a meter at its price in the resource's region; none for none."""
    if count == NOTHING:
        return
    found = services.meter(meter, graph.region(resource))
    yield Metered(found, count) if found else Line(meter, count, None, None)
