"""In which region a NodePool's nodes are priced: by what the pool says of its zones."""

from __future__ import annotations

from typing import Any

import pytest

from infra.contracts import labels
from infra.pricing.nodes import NODE_POOL, nodes_of
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.stack import Usage


def node_pool(annotations: dict[str, str], zones: list[Any]) -> Resource:
    asked = {labels.INSTANCE_TYPE_LABEL: ["g6.xlarge"], labels.ZONE_LABEL: zones}
    requirements = [{"key": key, "operator": "In", "values": values} for key, values in asked.items()]
    spec = {"template": {"spec": {"requirements": requirements}}}
    return Resource(NODE_POOL, "urn::pool", {"metadata": {"annotations": annotations}, "spec": spec})


@pytest.mark.parametrize(
    ("annotations", "zones", "region"),
    [
        ({labels.ZONE_IDS: "aps2-az1 aps2-az2"}, ["ap-south-1a"], "ap-south-2"),
        ({}, ["ap-south-2b"], "ap-south-2"),
        ({}, [None], "ap-south-1"),
        ({}, [], "ap-south-1"),
        ({}, ["us-east-1a"], "ap-south-1"),
        ({labels.ZONE_IDS: "use1-az1"}, [], "ap-south-1"),
    ],
)
def test_a_node_pool_is_priced_where_its_zones_are_or_else_where_the_stack_is(
    annotations: dict[str, str], zones: list[Any], region: str
) -> None:
    home = Resource("pulumi:providers:aws", "urn:pulumi:providers:aws::aws", {"region": "ap-south-1"})
    (found,) = nodes_of(ResourceGraph([home, node_pool(annotations, zones)], Usage()))
    assert found.region == region
    assert found.machine is None or found.machine.region == region
