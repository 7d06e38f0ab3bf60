"""What a stack costs a month, from the resources that the engine registers, so that nothing is forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from infra.pricing import services
from infra.pricing.lines import NOTHING, STRENGTH, UNVERIFIED, AveragePrice, CostRange, Fact, Line, Metered
from infra.pricing.meters import METERED
from infra.pricing.resources import Resource, ResourceGraph
from infra.pricing.services import Meter
from infra.settings.stack import Usage


@dataclass(frozen=True)
class Item:
    """Lines of one component for the same thing, added up: USD a month; None where a price or a number is not known."""

    component: str
    what: str
    count: CostRange
    usd: CostRange | None
    on_demand_usd: CostRange | None
    facts: tuple[Fact, ...] = ()
    hour: CostRange | None = None

    @property
    def basis(self) -> str:
        """The weakest of what its prices rest on; unverified where there is none."""
        return max((fact.basis for fact in self.facts), key=STRENGTH.index, default=UNVERIFIED)

    @property
    def as_of(self) -> date | None:
        """The day of its oldest price."""
        return min((fact.as_of for fact in self.facts), default=None)

    @property
    def sources(self) -> tuple[str, ...]:
        """Where its prices were read."""
        return tuple(dict.fromkeys(fact.source for fact in self.facts))


@dataclass(frozen=True)
class Estimate:
    """A stack's month. `unpriced` are types that no table knows; `by_use` those that are paid by use, next to
    nothing."""

    items: tuple[Item, ...]
    unpriced: Mapping[str, int]
    by_use: Mapping[str, int]

    @property
    def total(self) -> CostRange:
        """USD a month of all items that have a price."""
        return sum((item.usd for item in self.items if item.usd), NOTHING)

    @property
    def on_demand(self) -> CostRange:
        """USD a month if everything were bought on demand."""
        return sum((item.on_demand_usd for item in self.items if item.on_demand_usd), NOTHING)

    @property
    def by_basis(self) -> Mapping[str, float]:
        """USD a month, as expected, by what the prices rest on, the surest first."""
        sums: dict[str, float] = dict.fromkeys(STRENGTH, 0.0)
        for item in self.items:
            if item.usd:
                sums[item.basis] += item.usd.expected
        return sums

    @property
    def components(self) -> Mapping[str, CostRange]:
        """USD a month of each component, the dearest first."""
        sums: dict[str, CostRange] = {}
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


def estimate(
    resources: Iterable[Resource],
    usage: Usage,
    component: Callable[[ResourceGraph, Resource], str] = ResourceGraph.component,
) -> Estimate:
    """The bill of a stack, in dollars without tax, the items in the order in which they were registered.

    `component` is what an item's line is added up by: another function splits the same sum in another way.
    """
    graph = ResourceGraph(resources, usage)
    found: list[tuple[str, Line | Metered]] = []
    unpriced: Counter[str] = Counter()
    use: Counter[str] = Counter()
    for resource in graph.by_urn.values():
        if metered := METERED.get(resource.type):
            of = component(graph, resource)
            found += [(of, line) for line in metered(resource, graph)]
        elif resource.type in services.by_use():
            use[resource.type] += 1
        elif not (services.is_free(resource.type) or _is_component(resource)):
            unpriced[resource.type] += 1
    lines: dict[tuple[str, str], list[Line]] = {}
    for of, line in _priced(found):
        lines.setdefault((of, line.what), []).append(line)
    items = tuple(_item(of, what, same) for (of, what), same in lines.items())
    return Estimate(items, unpriced, use)


def _priced(found: Sequence[tuple[str, Line | Metered]]) -> Iterator[tuple[str, Line]]:
    """Every line with its price, which for a meter with tiers depends on all that the stack takes of it."""
    taken: dict[Meter, CostRange] = {}
    for _, line in found:
        if isinstance(line, Metered):
            taken[line.meter] = taken.get(line.meter, NOTHING) + (line.count or NOTHING)
    prices = {meter: AveragePrice.of(meter, units) for meter, units in taken.items()}
    for component, line in found:
        yield component, line.priced(prices[line.meter]) if isinstance(line, Metered) else line


def _is_component(resource: Resource) -> bool:
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
        _sum((line.count, _always(line.on_demand_usd)) for line in lines),
        tuple(dict.fromkeys(fact for line in lines for fact in line.facts)),
        _span([line.hour for line in lines if line.hour]),
    )


def _span(hours: Sequence[CostRange]) -> CostRange | None:
    """From the cheapest zone of any pool to the dearest; what is counted on is the first's."""
    if not hours:
        return None
    return CostRange(min(hour.low for hour in hours), hours[0].expected, max(hour.high for hour in hours))


def _always(usd: float | None) -> CostRange | None:
    return None if usd is None else CostRange.always(usd)


def _sum(parts: Iterable[tuple[CostRange | None, CostRange | None]]) -> CostRange | None:
    low = expected = high = 0.0
    for count, usd in parts:
        if count is None or usd is None:
            return None
        low += count.low * usd.low
        expected += count.expected * usd.expected
        high += count.high * usd.high
    return CostRange(low, expected, high)
