"""How many nodes of a pool a month is counted on to have: what its people say, or what the stack's own pods ask for."""

from __future__ import annotations

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
    said = (metadata.get("annotations") or {}).get(labels.EXPECTED_NODES)
    if said is not None:
        return number(said)
    return asked(graph, metadata.get("name"), per_node)


def asked(graph: ResourceGraph, pool: object, per_node: int) -> float | None:
    """Nodes that the stack's own pods need of a pool, whole ones."""
    gpus = 0.0
    for made in (found for type_ in PODS for found in graph.of(type_)):
        wanted = _gpus(made, pool)
        if wanted is None:
            return None
        gpus += wanted
    return ceil(gpus / per_node)


def _gpus(made: Resource, pool: object) -> float | None:
    """GPUs that the pods of a Deployment, StatefulSet or Job ask of one pool.

    A Job with a deadline, such as a proof, is over within hours: a month doesn't see it.
    """
    spec = made.inputs.get("spec") or {}
    if spec.get("activeDeadlineSeconds") is not None:
        return 0
    pod = (spec.get("template") or {}).get("spec") or {}
    if (pod.get("nodeSelector") or {}).get(labels.POOL_LABEL) != pool:
        return 0
    limits = [(one.get("resources") or {}).get("limits") or {} for one in pod.get("containers") or ()]
    figures = [
        number(spec.get(PODS[made.type], 1)),
        *(number(limit.get(labels.GPU_RESOURCE, 0)) for limit in limits),
    ]
    known = [figure for figure in figures if figure is not None]
    return known[0] * sum(known[1:]) if len(known) == len(figures) else None


def number(given: Any) -> float | None:
    """A number, also as text, as Kubernetes has its quantities; None for what is not there or can't be known."""
    try:
        return float(given)
    except (TypeError, ValueError):
        return None
