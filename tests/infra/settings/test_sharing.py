"""GPUs that several pods share: what the settings refuse, and that everything that counts GPUs counts their parts."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.advice.check_fits import check_fits
from infra.catalog.gpus import gpus
from infra.catalog.mig import profiles
from infra.catalog.offered import check_offered
from infra.catalog.tables import DATA
from infra.settings import reading
from infra.settings.errors import Problem, SettingsError
from infra.settings.pools import GpuPool
from infra.settings.sharing import MIG, TIME_SLICING, Sharing

SLICED = {"mode": TIME_SLICING, "parts": 4}
CUT = {"mode": MIG, "parts": 7, "profile": "1g.10gb"}


def stack(cloud: str, pool: dict[str, Any], **workloads: Any) -> dict[str, Any]:
    access = {
        "aws": {"jumpHost": True, "deployers": ["role/deployer"]},
        "gcp": {"jumpHost": True, "deployers": ["serviceAccount:deployer@unit.iam.gserviceaccount.com"]},
    }
    place = {"aws": {"region": "ap-south-1"}, "gcp": {"region": "asia-south1", "project": "unit-project"}}
    pools = [
        {"name": "serve", "gpu": "L4", "maxNodes": 2, **pool},
        {"name": "whole", "gpu": "L4", "maxNodes": 2},
    ]
    return {
        "owner": "ml-platform",
        "environment": "dev",
        "purpose": "tests",
        "budget": {"monthlyInr": 100},
        "currency": {"usdInr": 88.5, "asOf": "2026-11-24"},
        cloud: {**place[cloud], "cluster": {"access": access[cloud], "pools": pools}},
        "workloads": workloads,
    }


def problems(values: dict[str, Any]) -> dict[str, Problem]:
    try:
        reading.parse(values, check_offered, check_fits)
    except SettingsError as error:
        return {problem.path.replace("gcp.", "aws."): problem for problem in error.problems}
    return {}


AT = "aws.cluster.pools[0].sharing"


@pytest.mark.parametrize(
    ("cloud", "pool", "path", "words", "nearest"),
    [
        ("aws", {"sharing": {"mode": "mps", "parts": 2}}, f"{AT}.mode", "time-slicing, mig", None),
        (
            "aws",
            {"sharing": {"mode": TIME_SLICING, "parts": 1}},
            f"{AT}.parts",
            "greater than or equal to 2",
            None,
        ),
        ("aws", {"sharing": {**SLICED, "profile": "1g.10gb"}}, f"{AT}.profile", "only with mode: mig", None),
        ("gcp", {"sharing": {"mode": MIG, "parts": 7}}, f"{AT}.profile", "how a GPU is cut", None),
        ("aws", {"gpu": "H100", "sharing": CUT}, AT, "mode: time-slicing", None),
        (
            "aws",
            {
                "gpu": "L4",
                "gpusPerNode": 4,
                "placementGroup": True,
                "purchase": "on-demand",
                "sharing": SLICED,
            },
            AT,
            "only without fabric, placementGroup and capacity-block",
            None,
        ),
        ("gcp", {"gpu": "L4", "sharing": CUT}, f"{AT}.mode", "only H100, H200 can be cut", TIME_SLICING),
        (
            "gcp",
            {"gpu": "H100", "sharing": {**CUT, "profile": "1g.18gb"}},
            f"{AT}.profile",
            "a profile of H100: 1g.10gb, 1g.20gb, 2g.20gb, 3g.40gb",
            "1g.10gb",
        ),
        (
            "gcp",
            {"gpu": "H100", "sharing": {**CUT, "parts": 4}},
            f"{AT}.parts",
            "1g.10gb makes of a H100",
            "7",
        ),
    ],
)
def test_what_cannot_be_shared_is_refused(
    cloud: str, pool: dict[str, Any], path: str, words: str, nearest: str | None
) -> None:
    found = problems(stack(cloud, pool))
    assert path in found
    assert words in found[path].allowed
    assert found[path].nearest == nearest or nearest is None


@pytest.mark.parametrize(
    ("cloud", "pool"),
    [("aws", {"sharing": SLICED}), ("gcp", {"sharing": SLICED}), ("gcp", {"gpu": "H100", "sharing": CUT})],
)
def test_what_can_is_not(cloud: str, pool: dict[str, Any]) -> None:
    served = {"pool": "serve", "model": "Qwen/Qwen3-0.6B", "maxModelLen": 1024}
    assert problems(stack(cloud, pool, serving=served)) == {}


@pytest.mark.parametrize(
    ("workload", "asked"),
    [
        ("training", {"image": "registry.example.in/training:1"}),
        ("serving", {"model": "Qwen/Qwen3-0.6B", "gpus": 2}),
    ],
)
def test_work_that_needs_whole_gpus_is_refused(workload: str, asked: dict[str, Any]) -> None:
    found = problems(
        stack("aws", {"gpusPerNode": 4, "sharing": SLICED}, **{workload: {"pool": "serve", **asked}})
    )
    (problem,) = found.values()
    assert problem.path == f"workloads.{workload}.pool"
    assert "a pool without sharing" in problem.allowed and problem.nearest == "whole"


def test_a_model_has_to_fit_the_part_of_a_gpu_that_its_pod_gets() -> None:
    served = {"pool": "serve", "model": "Qwen/Qwen3-8B", "maxModelLen": 4096}
    assert problems(stack("aws", {}, serving=served)) == {}
    (problem,) = problems(stack("aws", {"sharing": SLICED}, serving=served)).values()
    assert problem.path == "workloads.serving.pool"
    assert "5.1 GiB for vLLM" in problem.allowed  # 0.9 of a quarter of an L4's 22.5
    (cut,) = problems(stack("gcp", {"gpu": "H100", "sharing": CUT}, serving=served)).values()
    assert "8.4 GiB for vLLM" in cut.allowed  # 0.9 of 10 GB


@given(st.integers(1, 8), st.integers(2, 48), st.integers(1, 9), st.integers(1, 8))
def test_a_shared_pool_holds_a_pod_for_each_part_and_none_of_several_gpus(
    per_node: int, parts: int, nodes: int, gpus_each: int
) -> None:
    whole = GpuPool(name="p", gpu="L4", gpus_per_node=per_node, max_nodes=nodes)
    shared = whole.model_copy(update={"sharing": Sharing(mode=TIME_SLICING, parts=parts)})
    assert whole.holds(gpus_each) == nodes * (per_node // gpus_each)
    assert shared.holds(gpus_each) == (nodes * per_node * parts if gpus_each == 1 else 0)


def test_the_table_of_profiles_is_of_gpus_that_are_and_no_larger_than_they() -> None:
    with (DATA / "mig_profiles.csv").open() as lines:
        assert len(list(csv.DictReader(lines))) == sum(map(len, profiles().values()))
    for gpu, known in profiles().items():
        for profile, parts in known.items():
            part = Sharing(mode=MIG, parts=parts, profile=profile)
            assert part.memory_gib and part.memory_gib * parts <= gpus()[gpu].memory_gib
            assert int(profile[0]) * parts <= 7, "a GPU has seven compute slices"
