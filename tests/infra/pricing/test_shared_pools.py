"""Nodes of a pool whose GPUs are shared: pods are counted by parts, nodes by their price."""

from __future__ import annotations

from typing import Any

import pytest

from infra.contracts import labels
from infra.pricing.nodes import GKE_POOL, NODE_POOL, google_nodes, nodes_of
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.stack import Usage

HOME = Resource("pulumi:providers:aws", "urn:pulumi:providers:aws::aws", {"region": "ap-south-1"})


def servers(replicas: int) -> Resource:
    container = {"resources": {"limits": {labels.GPU_RESOURCE: "1"}}}
    pod = {"nodeSelector": {labels.POOL_LABEL: "serve"}, "containers": [container]}
    spec = {"replicas": replicas, "template": {"spec": pod}}
    return Resource("kubernetes:apps/v1:Deployment", "urn::servers", {"spec": spec})


@pytest.mark.parametrize(
    ("shares", "replicas", "expected", "most"),
    [(None, 4, 4, 8), (4, 4, 1, 8), (4, 5, 2, 8), (4, 1, 1, 8)],
)
def test_parts_fill_nodes(shares: int | None, replicas: int, expected: int, most: int) -> None:
    on_nodes = {labels.GPU_SHARES: str(shares)} if shares else {}
    template: dict[str, Any] = {
        "metadata": {"labels": on_nodes},
        "spec": {
            "requirements": [{"key": labels.INSTANCE_TYPE_LABEL, "operator": "In", "values": ["g6.xlarge"]}]
        },
    }
    karpenter = {
        "metadata": {"name": "serve", "annotations": {labels.ZONE_IDS: "aps1-az1"}},
        "spec": {"template": template, "limits": {labels.GPU_RESOURCE: str(8 * (shares or 1))}},
    }
    (aws,) = nodes_of(
        ResourceGraph([HOME, Resource(NODE_POOL, "urn::pool", karpenter), servers(replicas)], Usage())
    )
    gke = {
        "nodeLocations": ["asia-south1-a"],
        "autoscaling": {"totalMinNodeCount": 0, "totalMaxNodeCount": 8},
        "nodeConfig": {"machineType": "g2-standard-4", "labels": {labels.POOL_LABEL: "serve", **on_nodes}},
    }
    (google,) = google_nodes(ResourceGraph([Resource(GKE_POOL, "urn::gke", gke), servers(replicas)], Usage()))
    for count in (aws.count, google):
        assert count and (count.expected, count.high) == (expected, most)
