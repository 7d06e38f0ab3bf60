"""A fact is written once: no program spells again what another module has as a name.

Labels, annotations and extended resources by their whole name are in contracts/test_labels.py. Sources are searched,
not tests, which say what they expect; nor are tables, nor the policies' own list of places, which is apart on purpose.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra import geography
from infra.contracts import grants, labels
from infra.settings import pools, purchase
from policies.readers import locations
from workloads.registry import WORKLOADS

ROOT = Path(__file__).parents[2]
FOLDERS = ("commands", "infra", "localcloud", "policies", "workloads")
PRIORITIES = [each.needs for each in WORKLOADS if each.needs.priority]


@dataclass(frozen=True)
class Fact:
    """What only `home` may write. `copies` finds the nodes of a program that do; `example` is one that it finds."""

    home: str
    copies: Callable[[ast.Module], Iterator[ast.AST]]
    example: str
    but: frozenset[str] = frozenset()
    """Folders that may have their own."""


def texts(tree: ast.Module) -> Iterator[ast.Constant]:
    """The strings of a program, those in f-strings too, without what only documents it."""
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node


def with_word(*words: str) -> Callable[[ast.Module], Iterator[ast.AST]]:
    """Names that have one of the words in them; sentences may."""
    return lambda tree: (
        node
        for node in texts(tree)
        if any(word in str(node.value) for word in words) and " " not in str(node.value)
    )


def equal_to(*words: str) -> Callable[[ast.Module], Iterator[ast.AST]]:
    """Strings that are one of the words."""
    return lambda tree: (node for node in texts(tree) if node.value in words)


def lists_with(*known: tuple[str, ...]) -> Callable[[ast.Module], Iterator[ast.AST]]:
    """Lists, tuples, sets and Literals that have every word of one of the known lists."""

    def found(tree: ast.Module) -> Iterator[ast.AST]:
        for node in ast.walk(tree):
            if isinstance(node, ast.List | ast.Tuple | ast.Set):
                written = {part.value for part in node.elts if isinstance(part, ast.Constant)}
                if any(written >= set(words) for words in known):
                    yield node

    return found


def priorities(tree: ast.Module) -> Iterator[ast.AST]:
    """The name of a workload's PriorityClass, or its value where a value or a priority is given."""
    values = {needs.priority.value for needs in PRIORITIES if needs.priority}
    yield from equal_to(*(str(needs.priority_class) for needs in PRIORITIES))(tree)
    for node in ast.walk(tree):
        given = [(word.arg, word.value) for word in node.keywords] if isinstance(node, ast.Call) else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and "Priority" in node.func.id:
            given += [("priority", part) for part in node.args]
        if isinstance(node, ast.Dict):
            keys = (key.value if isinstance(key, ast.Constant) else None for key in node.keys)
            given = list(zip(keys, node.values, strict=True))
        yield from (
            value
            for name, value in given
            if name in ("value", "priority") and isinstance(value, ast.Constant) and value.value in values
        )


ZONES = tuple(place.zones for place in geography.REGIONS.values())
FACTS = {
    "extended resources": Fact(
        "infra/contracts/labels.py",
        with_word(labels.GPU_RESOURCE, labels.EFA_RESOURCES, labels.GKE_NETWORK_RESOURCES, labels.HUGE_PAGES),
        f'quota = {{"limits.{labels.GPU_RESOURCE}": "8"}}',
    ),
    "taints": Fact(
        "infra/contracts/labels.py",
        equal_to(*labels.EFFECTS.keys(), *labels.EFFECTS.values()),
        'taint = {"key": "a", "effect": "NoSchedule"}',
    ),
    "priorities": Fact("workloads/*/needs.py", priorities, "PriorityClass('a', value=10_000)"),
    "groups": Fact(
        "infra/contracts/grants.py",
        equal_to(*grants.KUBERNETES_GROUPS, *grants.KUBERNETES_GROUPS.values()),
        'subject = {"kind": "Group", "name": "ml-engineers"}',
    ),
    "regions": Fact(
        "infra/geography.py",
        lists_with(geography.regions_of("aws"), geography.regions_of("gcp"), *ZONES),
        'REGIONS = ["ap-south-2", "ap-south-1"]',
        frozenset({"policies"}),
    ),
    "fabrics": Fact(
        "infra/settings/pools.py",
        lists_with(pools.FABRICS, pools.AWS_FABRICS, pools.GOOGLE_FABRICS),
        'Fabric = Literal["efa", "none"]',
    ),
    "ways of buying": Fact(
        "infra/settings/purchase.py",
        lists_with(purchase.PURCHASES, purchase.MARKETS),
        'PURCHASES = ("on-demand", "spot")',
    ),
}


def programs(fact: Fact) -> Iterator[Path]:
    for folder in FOLDERS:
        if folder not in fact.but:
            yield from (path for path in (ROOT / folder).rglob("*.py") if not path.match(fact.home))
    yield ROOT / "program.py"


@pytest.mark.slow
@pytest.mark.parametrize("name", FACTS)
def test_no_program_writes_a_fact_again(name: str) -> None:
    fact = FACTS[name]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in programs(fact)
        for node in fact.copies(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.expr)
    ]
    assert found == [], f"take it from {fact.home}"


@pytest.mark.parametrize("name", FACTS)
def test_a_second_copy_would_be_found_and_the_first_is(name: str) -> None:
    fact = FACTS[name]
    assert list(fact.copies(ast.parse(fact.example)))
    homes = list(ROOT.glob(fact.home))
    assert homes and any(list(fact.copies(ast.parse(path.read_text(encoding="utf-8")))) for path in homes)


def test_the_policies_own_list_of_indian_regions_is_that_of_the_platform() -> None:
    of_policies = {"aws": locations.AWS_REGIONS, "gcp": locations.GCP_REGIONS}
    cities = {place.name: place.city for place in geography.REGIONS.values()}
    for cloud, regions in of_policies.items():
        assert dict(regions) == {
            name: cities[name] for name in cities if geography.REGIONS[name].cloud == cloud
        }
    for place in geography.REGIONS.values():
        for zone in place.zones:
            found = locations.place(zone)
            assert found and (found.region, found.kind) == (place.name, "zone"), zone


def test_no_two_workloads_have_one_priority() -> None:
    values = [needs.priority.value for needs in PRIORITIES if needs.priority]
    assert len(set(values)) == len(values)
