"""How many nodes of a pool a month is counted on to have: what its people say, or what the stack's own pods ask for."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from infra.contracts import labels
from infra.pricing.resources import Resource, ResourceGraph

# Pods by what makes them: where their number stands.
PODS = {
    "kubernetes:apps/v1:Deployment": "replicas",
    "kubernetes:apps/v1:StatefulSet": "replicas",
    "kubernetes:batch/v1:Job": "parallelism",
}


def of_node_pool(pool: Resource, graph: ResourceGraph, per_node: int) -> float | None:
    """Nodes of a Karpenter NodePool, with so many GPUs a node; None where they can't be known yet."""
    metadata = pool.inputs.get("metadata") or {}
    expected = (metadata.get("annotations") or {}).get(labels.EXPECTED_NODES)
    if expected is not None:
        return number(expected)
    return asked(graph, metadata.get("name"), per_node)


def asked(graph: ResourceGraph, pool: object, per_node: int) -> float | None:
    """Nodes that the stack's own pods need of a pool, whole ones."""
    gpus = graph.once(_gpus_by_pool).get(pool, 0.0) if isinstance(pool, str) else 0.0
    return None if gpus is None else ceil(gpus / per_node)


def _gpus_by_pool(graph: ResourceGraph) -> Mapping[str, float | None]:
    """GPUs that the pods of Deployments, StatefulSets and Jobs need of each pool; None where one is not known yet."""
    sums: dict[str, float | None] = {}
    for made in (found for type_ in PODS for found in graph.of(type_)):
        spec = made.inputs.get("spec") or {}
        pod = (spec.get("template") or {}).get("spec") or {}
        pool = (pod.get("nodeSelector") or {}).get(labels.POOL_LABEL)
        # A Job with a deadline, such as a proof, is over within hours: a month doesn't see it.
        if not isinstance(pool, str) or spec.get("activeDeadlineSeconds") is not None:
            continue
        before, gpus = sums.get(pool, 0.0), _gpus(spec.get(PODS[made.type], 1), pod)
        sums[pool] = None if before is None or gpus is None else before + gpus
    return sums


def _gpus(replicas: Any, pod: Mapping[str, Any]) -> float | None:
    limits = [
        (container.get("resources") or {}).get("limits") or {} for container in pod.get("containers") or ()
    ]
    figures = [number(replicas), *(number(limit.get(labels.GPU_RESOURCE, 0)) for limit in limits)]
    known = [figure for figure in figures if figure is not None]
    return known[0] * sum(known[1:]) if len(known) == len(figures) else None


def number(given: Any) -> float | None:
    """A number, also as text, as Kubernetes has its quantities; None for what is not there or can't be known."""
    try:
        return float(given)
    except (TypeError, ValueError):
        return None
