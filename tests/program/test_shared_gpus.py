"""The whole program with a server that scales on shared GPUs: what each part of it is told is one story."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.program import whole_stacks

pytestmark = pytest.mark.slow
PREFIX = "india-ai-infra:"


def test_a_server_scales_over_the_parts_of_its_pools_gpus(deploy: Callable[..., Any]) -> None:
    config = whole_stacks.config_of("local")
    pools = config[f"{PREFIX}aws"]["cluster"]["pools"]
    next(pool for pool in pools if pool["name"] == "serve")["sharing"] = {
        "mode": "time-slicing",
        "parts": 2,
    }
    serving = {"pool": "serve", "model": "Qwen/Qwen3-0.6B", "scale": {"minimum": 2, "maximum": 8}}
    config[f"{PREFIX}workloads"] = {"serving": serving}
    made = whole_stacks.run(deploy, config)
    deployment = made.one("apps/v1:Deployment")
    (container,) = deployment.inputs["spec"]["template"]["spec"]["containers"]
    assert deployment.ignore_changes == ("spec.replicas",) and deployment.inputs["spec"]["replicas"] == 2
    assert "--gpu-memory-utilization=0.45" in container["args"], "0.9 of what two servers see"
    assert made.one("ScaledObject").inputs["spec"]["maxReplicaCount"] == 8
    assert made.one("NodeOverlay").inputs["spec"]["capacity"] == {"nvidia.com/gpu": "2"}
    operators = {
        name: made.one("helm.sh/v3:Release", name).inputs["values"] for name in ("karpenter", "gpu-operator")
    }
    assert operators["karpenter"]["settings"]["featureGates"] == {"nodeOverlay": True}
    assert "time-slicing-2" in operators["gpu-operator"]["devicePlugin"]["config"]["data"]
