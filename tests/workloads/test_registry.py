"""The registry of workloads: who may know their names, and that their needs reach the platform."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.contracts.needs import WorkloadNeeds
from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.stack import Settings
from infra.settings.valid_parts import parts_of
from infra.settings.workloads import Workloads, kinds
from localcloud.directories import PROJECT
from tests.program import whole_stacks
from tests.workloads.registered import NEEDS
from workloads import registry
from workloads.registry import WORKLOADS, check_places

pytestmark = pytest.mark.slow

NAMES = {each.needs.name for each in WORKLOADS}
# A gateway is of networks too, and features are a bucket of the lake: those are not to find another word for theirs.
TELLING = NAMES - {"gateway", "features"}
# Tells of the arithmetic of training and serving a model, whichever workload does it.
ADVICE = PROJECT / "infra" / "advice"
# Measures the program of one workload beside others.
BENCH = PROJECT / "commands" / "bench"
# Joins the workloads: what one leaves the next takes.
DEMO = PROJECT / "commands" / "demo"
# Writes Parquet, whose columns have a compression.
PARQUET = PROJECT / "commands" / "erase" / "programs" / "parquet.py"


def test_every_field_of_the_settings_has_a_workload() -> None:
    assert set(Workloads.model_fields) == NAMES
    assert all(re.fullmatch("[a-z]+", name) for name in NAMES), "names become labels of Kubernetes"
    assert len(WORKLOADS) == len(NAMES)


def _sources() -> Iterator[Path]:
    for room in ("infra", "commands"):
        yield from sorted((PROJECT / room).rglob("*.py"))
    yield PROJECT / "program.py"


def _words(node: ast.AST) -> Iterator[str]:
    """Identifiers, and the words of texts that are no prose: a path, a label, a name alone."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        alone = not re.search(r"\s", node.value.strip())
        yield from re.split(r"[^A-Za-z0-9_]+", node.value) if alone else ()
    for name in ("id", "attr", "arg", "name", "module"):
        if isinstance(found := getattr(node, name, None), str):
            yield from found.split(".")


def _named(source: Path) -> set[str]:
    return TELLING & {word for node in ast.walk(ast.parse(source.read_text())) for word in _words(node)}


def test_nothing_below_the_workloads_knows_the_name_of_one() -> None:
    settings = PROJECT / "infra" / "settings"
    own = (*settings.glob("workloads*.py"), *(settings / "workloads").glob("*.py"))
    exempt = {*own, *ADVICE.glob("*.py"), *BENCH.rglob("*.py"), *DEMO.rglob("*.py"), PARQUET}
    named = {source: names for source in _sources() if source not in exempt and (names := _named(source))}
    assert named == {}


@pytest.mark.parametrize(
    "code",
    [
        'namespace == "serving"',
        "parts.training",
        "def training(): ...",
        'f"workloads.{x}"; path = "workloads.proof.nodes"',
        "make(proof=1)",
        "from workloads.serving.component import IMAGE",
        'labels = {"team/serving-client": "true"}',
    ],
)
def test_a_name_is_seen_wherever_it_may_hide(code: str, tmp_path: Path) -> None:
    (source := tmp_path / "seen.py").write_text(code)
    assert _named(source)


def test_the_order_is_that_of_what_waits_for_what() -> None:
    order = [each.needs.name for each in WORKLOADS]
    assert order.index("proof") < order.index("training")


def _resources(deploy: Callable[..., Any], stack: str) -> list[str]:
    made = whole_stacks.run(deploy, whole_stacks.config_of(stack))
    return sorted(resource.urn.split("::", 2)[2] for resource in made.resources)


@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_a_stack_that_is_up_keeps_every_resource(deploy: Callable[..., Any], stack: str) -> None:
    """A name that changes here is deleted and made anew on stacks that are up: whoever means it, and says how those
    come through, writes the list again with INDIA_AI_INFRA_RECORD=1."""
    record = Path(__file__).with_name("resources") / f"{stack}.txt"
    found = "\n".join(_resources(deploy, stack)) + "\n"
    if os.environ.get("INDIA_AI_INFRA_RECORD"):
        record.write_text(found)
    assert found.splitlines() == record.read_text().splitlines()


def _bare(stack: str) -> Settings:
    said = {
        key.partition(":")[2]: value
        for key, value in whole_stacks.config_of(stack).items()
        if key.startswith("india-ai-infra:")
    }
    return reading.parse({**said, "workloads": {}})


def test_a_workload_that_nobody_asks_for_needs_nothing_unless_it_always_does() -> None:
    optional = [replace(each, needs=replace(each.needs, always=False)) for each in WORKLOADS]
    assert registry.needs_of(_bare("local"), optional) == []
    always = {each.name for each in NEEDS if each.always}
    assert {each.name for each in registry.needs_of(_bare("local"))} == always


def test_a_workload_on_a_pool_where_it_does_not_run_is_refused() -> None:
    def only(needs: WorkloadNeeds) -> WorkloadNeeds:
        return replace(needs, runs_on=frozenset({"gcp"}))

    elsewhere = [replace(each, needs=only(each.needs)) for each in WORKLOADS]
    said = {
        key.partition(":")[2]: value
        for key, value in whole_stacks.config_of("prod").items()
        if key.startswith("india-ai-infra:")
    }
    reading.parse(said, check_places())
    with pytest.raises(SettingsError) as refused:
        reading.parse(said, check_places(elsewhere))
    found = {problem.path: problem.nearest for problem in refused.value.problems}
    assert found == {
        f"{path}.pool": "google-serve"
        for path in kinds()
        if path in ("workloads.training", "workloads.serving")
    }


def test_a_workload_with_a_database_is_not_on_premises_and_is_told_what_that_would_take() -> None:
    chosen = next(each for each in WORKLOADS if each.needs.name == "training")
    needs = replace(chosen.needs, database=True)
    parts = parts_of(
        {
            "aws": {
                "region": "ap-south-1",
                "cluster": {"pools": [{"name": "cloud", "gpu": "L4", "maxNodes": 1}]},
            },
            "onPremises": {"pools": [{"name": "hall", "gpu": "H100", "nodes": 2}]},
            "workloads": {"training": {"pool": "hall", "image": "example.in/training:1"}},
        }
    )
    (problem,) = check_places([replace(chosen, needs=needs)])(parts)
    assert (problem.path, problem.given, problem.nearest) == ("workloads.training.pool", "hall", "cloud")
    for word in ("Secret database in the namespace training", "PGHOST", "PGPASSWORD", "ca.pem"):
        assert word in problem.allowed
    assert check_places([chosen])(parts) == []
