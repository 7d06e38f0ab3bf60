"""Pods, wherever a Kubernetes object writes one down: its own spec, a template, a list of workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policies.framework.unknowns import Unknown, dotted

PodSpec = tuple[str, dict[str, Any]]
_LISTS = ("containers", "initContainers", "ephemeralContainers")
# The levels above a pod's spec, in Kubernetes itself and in the operators of training and serving. Unknown, they may
# hide one.
ABOVE = frozenset(
    {
        "spec", "template", "jobTemplate", "podTemplate", "head", "worker", "headGroupSpec", "workerGroupSpecs",
        "rayClusterSpec", "rayClusterConfig", "leaderWorkerTemplate", "leaderTemplate", "workerTemplate",
        "pytorchReplicaSpecs", "mpiReplicaSpecs", "tfReplicaSpecs", "replicatedJobs", "predictor", "transformer",
    }
)  # fmt: skip


def pod_specs(props: Any) -> Iterator[PodSpec | Unknown]:
    """(where, spec) for every pod in an object, and the unknown levels that may hide one."""
    todo: list[tuple[tuple[str | int, ...], str, Any]] = [((), "", props)]
    while todo:
        path, name, value = todo.pop()
        if isinstance(value, Unknown):
            if name in ABOVE:
                yield value
        elif isinstance(value, dict):
            if isinstance(value.get("containers"), list | Unknown):
                yield dotted(path), value
            else:
                todo.extend(((*path, key), str(key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            todo.extend(((*path, index), name, inner) for index, inner in enumerate(value))


def containers(where: str, spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]] | Unknown]:
    """(where, container) for every kind of container in a pod."""
    for name in _LISTS:
        found = spec.get(name)
        if isinstance(found, Unknown):
            yield found
            continue
        for index, container in enumerate(found if isinstance(found, list) else []):
            if isinstance(container, Unknown):
                yield container
            elif isinstance(container, dict):
                yield f"{where}.{name}[{index}]".lstrip("."), container
