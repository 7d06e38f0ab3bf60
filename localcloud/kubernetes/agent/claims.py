"""Which pods run on this machine, and why the others are simulated."""

from __future__ import annotations

import os
from typing import Any

from infra.contracts.labels import SIMULATED
from localcloud.kubernetes.agent import databases, namespaces, probes, volumes
from localcloud.kubernetes.agent.images import table
from localcloud.kubernetes.api import Object

# Programs with torch are for the tests and for who asks: they fill memory and cores for as long as the cluster is up.
HEAVY = "INDIA_AI_INFRA_HEAVY_PODS"


def in_table(pod: Object) -> bool:
    """Whether kwok leaves the pod to the agent: all its containers have images of the table, and nobody said that it is
    simulated. `kwok_selector` says the same to kwok."""
    annotations = pod["metadata"].get("annotations") or {}
    images = [container["image"] for container in pod["spec"]["containers"]]
    return SIMULATED not in annotations and all(table().of(image) for image in images)


def kwok_selector() -> dict[str, Any]:
    """The expression that keeps the pods of `in_table` out of a stage of kwok."""
    forms = "|".join(f"({form})" for form in table().images)
    fits = f'all(.spec.containers[]; .image | test("^({forms})$"))'.replace("\\", "\\\\")
    simulated = f'.metadata.annotations["{SIMULATED}"] != null'
    return {"key": f"({fits}) and (({simulated}) | not)", "operator": "NotIn", "values": ["true"]}


def why_simulated(pod: Object) -> str:
    """Why a pod of the table is simulated all the same; empty if it can run."""
    if refused := namespaces.refused():
        return refused
    for container in pod["spec"]["containers"]:
        environment = table().of(container["image"])
        if environment and environment.requirements and not os.environ.get(HEAVY):
            return (
                f"{container['image']} is heavy: make environments, and then make up {HEAVY}=1 on a new cloud"
            )
        if environment and not environment.ready:
            return f"the environment of {container['image']} is not built: make environments"
    return volumes.unsupported(pod) or probes.unsupported(pod) or databases.unsupported(pod)
