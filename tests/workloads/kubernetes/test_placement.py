"""Pods on a pool whose GPUs are shared: a part each, and its part of what a GPU's pod asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from workloads.kubernetes.placement import capacity, pool_for, resources
from workloads.serving.component import ModelServer
from workloads.serving.pod import ModelServerArgs

SHARED = replace(SERVE, gpus_per_node=4, gpu_parts=4, gpu_memory_share=0.25, limits={"nvidia.com/gpu": "4"})


def test_a_pod_gets_one_part_and_asks_for_its_part_of_the_node() -> None:
    asked = resources(SHARED, 1)
    assert asked.limits == {"nvidia.com/gpu": "1"}
    assert asked.requests == {"cpu": "500m", "memory": "2048Mi"}
    assert resources(SERVE, 1).requests == {"cpu": "2", "memory": "8Gi"}
    assert capacity(SHARED, 1) == 16


def test_four_servers_fit_four_nodes_of_four_parts_and_none_takes_two(deploy: Any) -> None:
    said = []

    def program() -> None:
        cluster = gpu_cluster(SHARED)
        assert pool_for(cluster, "serve", gpus=1, pods=16) is SHARED
        for gpus, pods in ((2, 1), (1, 17)):
            with pytest.raises(ValueError) as refused:
                pool_for(cluster, "serve", gpus=gpus, pods=pods)
            said.append(str(refused.value))
        ModelServer("chat", ModelServerArgs(cluster=cluster, pool="serve", model="m", replicas=16))

    made = deploy(program)
    assert "shared by 4 pods" in said[0] and "which hold 16" in said[1]
    (container,) = made.one("v1:Deployment").inputs["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
