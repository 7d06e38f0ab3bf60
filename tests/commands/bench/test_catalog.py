"""What `make bench` says of a stack's pools: each has a price, chosen and naive."""

from __future__ import annotations

import pytest

from commands.bench import catalog as bench_catalog
from commands.stacks import settings_of
from localcloud.directories import PROJECT

SHIPPED = sorted(file.name.split(".")[1] for file in PROJECT.glob("Pulumi.*.yaml"))


@pytest.mark.parametrize("stack", SHIPPED)
def test_every_pool_has_a_figure(stack: str) -> None:
    """Also one that nobody sells on demand. Nothing is cheaper than what is chosen for the same pool."""
    stated = settings_of(stack)
    pools = [pool for cloud in (stated.aws, stated.gcp) if cloud for pool in cloud.cluster.pools]
    ways = bench_catalog._ways(stated, with_skypilot=False)
    assert sorted(ways) == sorted(pool.name for pool in pools)
    for usd in ways.values():
        chosen, naive = usd["chosen"], usd["naive"]
        assert usd["skypilot"] is None
        assert chosen and naive and 0 < chosen <= naive
