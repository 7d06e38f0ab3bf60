"""A pool is resolved once: what is chosen, where it is, why; and nobody downstream chooses again."""

from __future__ import annotations

import ast
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import geography
from infra.catalog import resolved
from infra.catalog.choose import Choice, NoMachineError
from infra.catalog.machines import everywhere
from infra.catalog.resolved import ResolvedPool, resolve, resolver
from infra.settings.aws_pools import AwsPool
from infra.settings.google_pools import GooglePool
from infra.settings.pools import GpuPool
from tests.program.whole_stacks import config_of, run_anew

ROOT = Path(__file__).parents[3]
# Those whose question is a choice of their own: the command, its neighbours, and the advice on a model.
# `burst` asks which other regions have what the pool has.
CHOOSERS = ("infra/catalog/", "infra/advice/", "commands/choose/", "commands/bench/", "commands/burst/")
SHAPES = sorted({(found.gpu, found.gpu_count) for found in everywhere() if found.gpu_count})


def _pool(region: str, gpu: str, gpus: int, purchases: list[str], *, fabric: bool, elastic: bool) -> GpuPool:
    on_aws = geography.region(region).cloud == "aws"
    kind, fast = (AwsPool, "efa") if on_aws else (GooglePool, {"H100": "tcpx"}.get(gpu, "rdma"))
    return kind.model_validate(
        {
            "name": "any",
            "gpu": gpu,
            "gpusPerNode": gpus,
            "maxNodes": 2,
            "minSpotSaving": 0,
            "fabric": fast if fabric else "none",
            "elastic": elastic and fabric,
            "purchase": purchases[:1] if fabric and not elastic else purchases,
        }
    )


def anywhere(draw: random.Random) -> ResolvedPool[GpuPool] | None:
    """A pool somewhere in India as it is resolved, None where no machine serves it."""
    region, (gpu, gpus) = draw.choice(list(geography.REGIONS)), draw.choice(SHAPES)
    purchases = draw.choice([["spot"], ["on-demand"], ["spot", "on-demand"]])
    asked = _pool(region, gpu, gpus, purchases, fabric=draw.random() < 0.4, elastic=draw.random() < 0.5)
    try:
        return resolve(region, asked)
    except NoMachineError:
        return None


@given(st.randoms(use_true_random=False))
def test_what_a_pool_is_resolved_into_serves_it(draw: random.Random) -> None:
    found = anywhere(draw)
    if found is None:
        return
    asked = found.settings
    assert {machine.gpu for machine in found.machines} == {asked.gpu}
    assert all(machine.gpu_count == asked.gpus_per_node for machine in found.machines)
    assert found.machine == found.choice.offers[0].machine, "the cheapest useful hour"
    assert len(found.machines) == 1 or geography.region(found.region).cloud == "aws"
    assert {*found.zones} <= {zone for machine in found.machines for zone in machine.zones}
    assert (found.zone is not None) == asked.colocated
    assert found.zone is None or found.zones == (found.zone,)
    assert found.zone is None or all(found.zone in machine.zones for machine in found.machines)
    assert tuple(link.purchase for link in found.chain) == asked.purchase
    for link in found.chain:
        quotes = [machine.quote(link.purchase, found.zones) for machine in found.machines]
        prices = [quote.usd for quote in quotes if quote]
        assert link.machine in found.machines
        assert (link.quote.usd if link.quote else None) == min(prices, default=None)
    others = {machine.machine_type for machine in everywhere() if machine.region == found.region}
    told = {one.machine.machine_type for one in (*found.choice.offers, *found.choice.rejected)}
    assert told == others, "of every machine is known why it was chosen or was not"


@given(st.randoms(use_true_random=False))
def test_a_network_leaves_a_pool_the_zones_that_both_have(draw: random.Random) -> None:
    found = anywhere(draw)
    if found is None:
        return
    zones = geography.region(found.region).zones
    some = draw.sample(zones, draw.randint(1, len(zones)))
    both = {*some} & {*found.allowed_zones}
    if not both:
        with pytest.raises(LookupError, match="the network has"):
            found.within(some)
        return
    there = found.within(some)
    assert {*there.allowed_zones} == both
    assert there.settings == found.settings and there.choice == found.choice
    if there.zone is None:
        assert list(there.zones) == [zone for zone in some if zone in both], "in the network's order"
        assert there.machines == found.machines
    else:
        assert there.zone == next(zone for zone in found.allowed_zones if zone in both), "the cheapest"
        assert all(there.zone in machine.zones for machine in there.machines)
        assert len({machine.efa_interfaces for machine in there.machines}) == 1


def test_spot_that_saves_too_little_is_no_better_for_what_comes_behind_it() -> None:
    asked = AwsPool(name="a", gpu="A100", gpus_per_node=8, max_nodes=1, purchase=("spot", "on-demand"))
    with pytest.raises(NoMachineError, match="spot saves"):
        resolve("ap-south-1", asked)


def test_a_resolver_remembers() -> None:
    one, other = (GpuPool(name=name, gpu="L4", max_nodes=1) for name in ("a", "b"))
    found = resolver()
    assert found("ap-south-1", one) is found("ap-south-1", one.model_copy())
    assert found("ap-south-1", one) is not found("ap-south-1", other)
    assert found("ap-south-1", one) is not resolver()("ap-south-1", one), (
        "what one run knows is not another's"
    )


@pytest.mark.slow
@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_a_run_of_the_program_resolves_each_pool_once(
    stack: str, deploy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[tuple[str, str]] = Counter()
    choose = resolved._choice

    def counted(region: str, pool: GpuPool) -> Choice:
        asked[region, pool.name] += 1
        return choose(region, pool)

    monkeypatch.setattr(resolved, "_choice", counted)
    config = config_of(stack)
    run_anew(deploy, config)
    clouds = [config.get(f"india-ai-infra:{cloud}") or {} for cloud in ("aws", "gcp")]
    pools = [
        (cloud["region"], pool["name"]) for cloud in clouds if cloud for pool in cloud["cluster"]["pools"]
    ]
    assert asked == Counter(pools)


def choosers(source: str) -> bool:
    """Whether a program takes the chooser of machines."""
    taken = {
        name.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("infra.catalog")
        for name in node.names
    }
    return not taken.isdisjoint({"choose", "Asked"})


@pytest.mark.slow
def test_nobody_who_is_handed_a_pool_chooses_again() -> None:
    """The counting test sees what resolves a pool: a second choice would go around it."""
    programs = [path for name in ("infra", "commands", "workloads") for path in (ROOT / name).rglob("*.py")]
    found = {
        at
        for path in (*programs, ROOT / "program.py")
        if not (at := path.relative_to(ROOT).as_posix()).startswith(CHOOSERS)
        and choosers(path.read_text(encoding="utf-8"))
    }
    assert found == set(), "take a ResolvedPool"
    assert choosers("from infra.catalog import Asked, choose")
