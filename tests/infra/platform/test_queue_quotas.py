"""Kueue's quota of a pool is what its pods can get, now or after the pool has grown."""

from __future__ import annotations

from dataclasses import replace

import pulumi
import pytest

from infra.platform.queues import create_queues
from tests.infra.platform.gpu_cluster import SERVE, TRAIN


@pytest.mark.parametrize(
    ("pool", "gpus"),
    [
        (replace(SERVE, max_nodes=4), 4),
        (replace(TRAIN, max_nodes=4, static_nodes=None), 32),
        (replace(TRAIN, max_nodes=4, static_nodes=4), 32),
        (replace(TRAIN, max_nodes=4, static_nodes=1), 8),
        # Nothing is admitted to nodes that nobody will start.
        (replace(TRAIN, max_nodes=4, static_nodes=0), 0),
    ],
)
def test_the_quota_is_what_can_come(deploy, pool, gpus):
    made = deploy(lambda: create_queues({pool.name: pool}, ["training"], pulumi.ResourceOptions()))
    (group,) = made.one("ClusterQueue").inputs["spec"]["resourceGroups"]
    (flavor,) = group["flavors"]
    assert flavor == {"name": pool.name, "resources": [{"name": "nvidia.com/gpu", "nominalQuota": gpus}]}
