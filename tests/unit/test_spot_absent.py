"""Spot that has none of a machine: what must stand fails as on EKS, what grows from zero is made and waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import localcloud
from infra.settings import Settings
from infra.settings.pools import AwsPool
from localcloud.providers import aws_plays
from localcloud.providers.serve import ResourceFailed
from localcloud.stacks import settings_of

ZONES = SimpleNamespace(call=lambda *_: {"Subnets": [{"AvailabilityZone": "ap-south-1a"}]})


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The nodes that came, on a local cloud whose spot has no p5.48xlarge."""
    came: list[Any] = []
    nodes = SimpleNamespace(remove_nodes=lambda *_: None, add_nodes=lambda *args: came.append(args))
    for name, module in (("clusters", SimpleNamespace(ClusterFailed=RuntimeError)), ("nodes", nodes)):
        monkeypatch.setitem(__import__("sys").modules, f"localcloud.{name}", module)
        monkeypatch.setattr(localcloud, name, module, raising=False)
    monkeypatch.setenv(aws_plays.NO_SPOT, "p5.48xlarge, p4d.24xlarge")
    return came


def group(types: list[str], desired: int, capacity: str = "SPOT") -> dict[str, Any]:
    inputs = {
        "clusterName": "c",
        "nodeGroupName": "train",
        "instanceTypes": types,
        "capacityType": capacity,
        "scalingConfig": {"desiredSize": desired},
        "subnetIds": ["subnet-1"],
    }
    return {"inputs": inputs, "region": "ap-south-1"}


def test_a_group_that_must_stand_fails_in_the_words_of_eks(added: list[Any]) -> None:
    with pytest.raises(ResourceFailed, match=r"CREATE_FAILED.*AsgInstanceLaunchFailures.*Spot.*p5\.48xlarge"):
        aws_plays._scale(ZONES, group(["p5.48xlarge"], 2))  # pyright: ignore[reportArgumentType]
    assert added == []


@pytest.mark.parametrize(
    "scope",
    [
        group(["p5.48xlarge"], 0),
        group(["p5.48xlarge"], 2, "ON_DEMAND"),
        group(["g6.xlarge"], 2),
        group(["p5.48xlarge", "p5e.48xlarge"], 2),
    ],
    ids=["nothing stands", "on demand", "another machine", "a second type"],
)
def test_any_other_group_is_made(added: list[Any], scope: dict[str, Any]) -> None:
    aws_plays._scale(ZONES, scope)  # pyright: ignore[reportArgumentType]
    assert sum(args[5] for args in added) == scope["inputs"]["scalingConfig"]["desiredSize"]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_no_shipped_stack_waits_for_spot(stack: str) -> None:
    assert [pool.name for pool in _pools(settings_of(stack)) if pool.stands_on_spot] == []


def _pools(read: Settings) -> list[Any]:
    return [pool for cloud in (read.aws, read.gcp) if cloud for pool in cloud.cluster.pools]


@pytest.mark.parametrize(
    ("over", "stands"),
    [
        ({"fabric": "efa"}, True),
        ({"fabric": "efa", "minNodes": 1}, True),
        ({"placementGroup": True}, True),
        ({"fabric": "efa", "minNodes": 0}, False),
        ({"fabric": "efa", "elastic": True}, False),
        ({"fabric": "efa", "purchase": "on-demand"}, False),
        ({}, False),
    ],
)
def test_which_pools_stand_on_spot(over: dict[str, Any], stands: bool) -> None:
    pool = {"name": "p", "gpu": "H100", "gpusPerNode": 8, "maxNodes": 2, **over}
    assert AwsPool.model_validate(pool).stands_on_spot is stands
