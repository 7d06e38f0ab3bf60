"""What the meters of all clouds share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from infra.pricing.lines import CostRange, Line, Metered, metered_line
from infra.pricing.resources import Resource, ResourceGraph

# By resource type: the lines that a resource makes.
Meters = Mapping[str, Callable[[Resource, ResourceGraph], Iterator[Line | Metered]]]
DAYS_A_MONTH = 365 / 12


def each(meter: str, resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """One of it, all month."""
    return metered_line(graph, resource, meter, CostRange.always(1))


def share(whole: float, among: Collection[Resource | str]) -> CostRange:
    """What each of some resources has of what they carry together."""
    return CostRange.always(whole / len(among))


def by_days(a_month: CostRange, days: Any) -> CostRange | None:
    """What lies there of what comes in every month and stays for so many days; None where those can't be known."""
    return a_month.times(days / DAYS_A_MONTH) if isinstance(days, int | float) else None


def growing(first: Any, most: Any, copies: float) -> CostRange | None:
    """GiB of a disk that grows by itself, in so many copies: as made, and as large as it may become."""
    if not isinstance(first, int | float) or not isinstance(most, int | float):
        return None
    return CostRange(first, first, max(first, most)).times(copies)


def size(given: Any) -> CostRange | None:
    """A number of units; None where it can't be known."""
    return CostRange.always(given) if isinstance(given, int | float) else None
