"""What stands: the stack's resources by region and kind."""

from __future__ import annotations

import csv
import functools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from commands.page.document import Section, Table, columns, row
from commands.page.state import Places, State, place
from infra.pricing.resources import Resource, ResourceGraph

KINDS = Path(__file__).parent / "data" / "kinds.csv"
OTHER = "other"
# Resources by kind, region and type.
Kinds = Sequence[tuple[str, Mapping[str, Counter[str]]]]


def standing(state: State, graph: ResourceGraph) -> Section:
    """How many of each kind each region has; and, folded, of which types."""
    places = Places(graph)
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for resource in made(state):
        found[kind(resource.type)][places.of(resource)][short(resource.type)] += 1
    kinds = sorted(found.items(), key=lambda pair: (-_count(pair[1].values()), pair[0]))
    regions = sorted({region for by_region in found.values() for region in by_region})
    return Section("stands", "What stands", [], [_counts(kinds, regions), _types(kinds)])


def regions(state: State, graph: ResourceGraph) -> set[str]:
    """The regions that have a resource of the stack."""
    places = Places(graph)
    return {places.of(resource) for resource in made(state)}


def made(state: State) -> list[Resource]:
    """The resources that a provider made: no components, and no providers."""
    custom = {one["urn"] for one in state.resources if one.get("custom")}
    return [one for one in state.priced if one.urn in custom and not one.type.startswith("pulumi:")]


def kind(type_: str) -> str:
    """What a type is, by the longest prefix of data/kinds.csv."""
    return next((kind for prefix, kind in _kinds() if type_.startswith(prefix)), OTHER)


def short(type_: str) -> str:
    """A type without its package: `NodeGroup`."""
    return type_.rpartition(":")[2]


@functools.cache
def _kinds() -> list[tuple[str, str]]:
    with KINDS.open(newline="") as file:
        rows = [(line["prefix"], line["kind"]) for line in csv.DictReader(file)]
    return sorted(rows, key=lambda pair: -len(pair[0]))


def _count(counters: Iterable[Counter[str]]) -> int:
    return sum(types.total() for types in counters)


def _counts(kinds: Kinds, regions: Sequence[str]) -> Table:
    rows = [row(name, *(str(by_region[region].total()) for region in regions)) for name, by_region in kinds]
    sums = [str(_count(by_region[region] for _, by_region in kinds)) for region in regions]
    names = columns("kind", *(f"#{place(region)}" for region in regions))
    return Table("Resources by kind and region", names, [*rows, row("in all", *sums)], last_is_sum=True)


def _types(kinds: Kinds) -> Table:
    rows = [
        row(name, place(region), ", ".join(f"{type_} {count}" for type_, count in types.most_common()))
        for name, by_region in kinds
        for region, types in sorted(by_region.items())
        if types
    ]
    return Table("The same by type", columns("kind", "region", "types"), rows, folded=True)
