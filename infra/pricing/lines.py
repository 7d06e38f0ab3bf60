"""Lines of an estimate: so many of something at a price, over a range of pool sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from infra.pricing import services
from infra.pricing.resources import Resource, ResourceGraph


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

    def times(self, factor: float) -> CostRange:
        return CostRange(self.low * factor, self.expected * factor, self.high * factor)


NOTHING = CostRange.always(0)


@dataclass(frozen=True)
class Line:
    """So many of something, each at `usd` a month (`on_demand_usd` if all were bought so); None: no price is known, or
    a
    number that the preview can't know."""

    what: str
    count: CostRange | None
    usd: float | None
    on_demand_usd: float | None


def metered_line(
    graph: ResourceGraph, resource: Resource, meter: str, count: CostRange | None
) -> Iterator[Line]:
    """A line of so many units of a meter at its price in the resource's region; none for none."""
    if count == NOTHING:
        return
    found = services.meter(meter, graph.region(resource))
    usd = found.usd if found else None
    yield Line(found.what if found else meter, count, usd, usd)
