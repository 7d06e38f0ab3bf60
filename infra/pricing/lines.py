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
        """A range whose three figures are the same."""
        return cls(figure, figure, figure)

    def __add__(self, other: CostRange) -> CostRange:
        return CostRange(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def __mul__(self, other: CostRange) -> CostRange:
        return CostRange(self.low * other.low, self.expected * other.expected, self.high * other.high)

    def times(self, factor: float) -> CostRange:
        """Every figure times a factor."""
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
        """The basis, date and source of a price."""
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
class AveragePrice:
    """USD that a unit of a meter costs on average, when a stack takes so many of all tiers."""

    usd: CostRange
    fact: Fact

    @classmethod
    def of(cls, meter: Meter, units: CostRange) -> AveragePrice:
        """The average price of one unit of a meter, for a number of units."""
        figures = (units.low, units.expected, units.high)
        each = (meter.cost(figure) / figure if figure else 0.0 for figure in figures)
        return cls(CostRange(*each), Fact.of(meter))


@dataclass(frozen=True)
class Metered:
    """So many units of a meter, whose tiers are for all that the stack takes of it; None where that can't be known."""

    meter: Meter
    count: CostRange | None

    def priced(self, price: AveragePrice) -> Line:
        """The line of the bill at an average price of the unit."""
        return Line(self.meter.what, self.count, price.usd, price.usd.expected, (price.fact,))


def metered_line(
    graph: ResourceGraph, resource: Resource, meter: str, count: CostRange | None
) -> Iterator[Line | Metered]:
    """A line of `count` units of a meter at its price in the resource's region; nothing where the count is 0."""
    if count == NOTHING:
        return
    found = services.meter(meter, graph.region(resource))
    yield Metered(found, count) if found else Line(meter, count, None, None)
