"""When a commitment of one or three years pays: for the nodes of a stack that are there all month."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from infra.catalog.commitments import AT_MOST, YEARS, CommitmentRow, commitment
from infra.catalog.machines import MONTH_HOURS
from infra.pricing.lines import CostRange
from infra.pricing.nodes import Nodes, all_pools
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.purchase import CAPACITY_BLOCK, ON_DEMAND
from infra.settings.stack import Usage


@dataclass(frozen=True)
class Term:
    """A commitment for the hours of a month, used or not, beside an hourly price.

    `hours`: from so many hours a month on it costs no more; above `MONTH_HOURS` it never pays. `saved_usd` of all the
    nodes in a month that they stand. Where the share is an upper bound, `hours` is the least and `saved_usd` the most.
    """

    row: CommitmentRow
    hours: float
    saved_usd: float

    @property
    def pays(self) -> bool:
        """Whether a commitment costs less than on demand for a machine that runs all month."""
        return self.hours < MONTH_HOURS

    @property
    def at_most(self) -> bool:
        """Whether the rate is a bound that the true one does not exceed."""
        return self.row.bound == AT_MOST


@dataclass(frozen=True)
class AllMonth:
    """Nodes of one kind that a component has all month, their USD for it, and each of `YEARS` committed: None where
    no figure was found."""

    component: str
    what: str
    nodes: float
    usd: float
    terms: tuple[Term | None, ...]


def break_even(resources: Iterable[Resource], usage: Usage) -> tuple[AllMonth, ...]:
    """Nodes that are there all month, the dearest first: static pools, system nodes, and those expected on demand."""
    graph = ResourceGraph(resources, usage)
    found: dict[tuple[str, str], AllMonth] = {}
    for made, nodes in all_pools(graph):
        for line in _of_pool(graph.component(made), nodes):
            key = (line.component, line.what)
            found[key] = _added(found[key], line) if key in found else line
    return tuple(sorted(found.values(), key=lambda line: -line.usd))


def _of_pool(component: str, nodes: Nodes) -> Iterator[AllMonth]:
    first, plain = nodes.first, nodes.on_demand
    count = _all_month(nodes.count, nodes.purchase)
    if not (count and first and first.quote and plain and plain.quote):
        return
    terms = []
    for years in YEARS:
        row = commitment(plain.machine, years)
        terms.append(_term(row, plain.quote.usd, first.quote.usd, count) if row else None)
    what = f"{first.machine.machine_type} {first.purchase}"
    yield AllMonth(component, what, count, first.quote.usd * MONTH_HOURS * count, tuple(terms))


def _all_month(count: CostRange | None, purchase: str) -> float:
    """Nodes that are there all month: those that stand, and on demand those that are expected. A block is paid when it
    is bought: nothing more can be committed to."""
    if count is None or purchase == CAPACITY_BLOCK:
        return 0
    return max(count.low, count.expected) if purchase == ON_DEMAND else count.low


def _term(row: CommitmentRow, on_demand_usd: float, paid_usd: float, nodes: float) -> Term:
    """Beside `paid_usd` an hour, which may be a spot price."""
    committed = on_demand_usd * (1 - row.share)
    return Term(row, MONTH_HOURS * committed / paid_usd, (paid_usd - committed) * MONTH_HOURS * nodes)


def _added(line: AllMonth, more: AllMonth) -> AllMonth:
    """Two pools of the same machine, bought alike."""
    terms = (
        one and other and replace(one, saved_usd=one.saved_usd + other.saved_usd)
        for one, other in zip(line.terms, more.terms, strict=True)
    )
    return replace(line, nodes=line.nodes + more.nodes, usd=line.usd + more.usd, terms=tuple(terms))
