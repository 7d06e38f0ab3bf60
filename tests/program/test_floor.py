"""The whole program with a server whose replicas are on spot but for a floor, on both clouds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from infra.pricing.nodes import all_pools
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.stack import Usage
from tests.program import whole_stacks

pytestmark = pytest.mark.slow
PREFIX = "india-ai-infra:"
POOLS = [
    {"name": "serve", "gpu": "L4", "purchase": ["spot", "on-demand"], "maxNodes": 4},
    {"name": "steady", "gpu": "L4", "purchase": "on-demand", "maxNodes": 2},
]
SERVING = {
    "pool": "serve",
    "model": "Qwen/Qwen3-0.6B",
    "replicas": 3,
    "onDemandFloor": {"pool": "steady", "replicas": 1},
}
GOOGLE = {
    "project": "unit-project",
    "region": "asia-south1",
    "audit": {"alertEmails": ["soc@example.in"]},
    "cluster": {"access": {"dnsEndpoint": True}, "pools": POOLS},
}


def config(cloud: str) -> dict[str, Any]:
    """A stack on one cloud, with nothing but the server."""
    found = whole_stacks.config_of("local")
    found[f"{PREFIX}workloads"] = {"serving": SERVING}
    if cloud == "gcp":
        del found[f"{PREFIX}aws"]
        return {**found, f"{PREFIX}gcp": GOOGLE}
    found[f"{PREFIX}aws"]["cluster"]["pools"] = POOLS
    return found


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_month_has_the_floor_at_its_price_on_demand(deploy: Callable[..., Any], cloud: str) -> None:
    made = whole_stacks.run(deploy, config(cloud))
    selected = {
        name: found.inputs["spec"]["template"]["spec"]["nodeSelector"]["india-ai-infra/pool"]
        for name, found in made.of("apps/v1:Deployment").items()
    }
    assert selected == {"serve": "serve", "serve-on-demand": "steady"}
    resources = [
        Resource(each.type, each.urn, each.inputs, each.parent, each.provider.rpartition("::")[0])
        for each in made.resources
    ]
    counted = {
        (resource.inputs.get("name") or resource.inputs["metadata"]["name"]): (
            nodes.purchase,
            nodes.count.expected,
        )
        for resource, nodes in all_pools(ResourceGraph(resources, Usage()))
        if nodes.count and nodes.machine and nodes.machine.gpu_count
    }
    first = {
        "aws": {"serve": ("spot", 2)},
        "gcp": {"serve-spot": ("spot", 2), "serve-on-demand": ("on-demand", 0)},
    }
    assert counted == {**first[cloud], "steady": ("on-demand", 1)}
