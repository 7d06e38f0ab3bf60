"""Pools that stand on spot, and so fail an update while spot has none of their machines: which ones, and where not."""

from __future__ import annotations

from typing import Any

import pytest

from commands.stacks import settings_of
from infra.settings.aws_pools import AwsPool
from infra.settings.stack import Settings


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_no_shipped_stack_waits_for_spot(stack: str) -> None:
    assert [pool.name for pool in _pools(settings_of(stack)) if pool.static_on_spot] == []


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
    assert AwsPool.model_validate(pool).static_on_spot is stands
