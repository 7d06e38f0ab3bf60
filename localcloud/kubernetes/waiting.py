"""Jobs and model servers that wait for nodes: an update awaits none whose pool may be without any.

Which pools these are is said in workloads/kubernetes/placement.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from infra.contracts.labels import POOL_LABEL
from localcloud.kubernetes import clusters
from localcloud.kubernetes.api import Api, Object

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Waiting:
    """A workload of a pool of which `ready` of `wanted` pods are ready. One that failed for good has its reason."""

    kind: str
    namespace: str
    name: str
    pool: str
    ready: int
    wanted: int
    failed: str = ""


def waiting(api: Api) -> list[Waiting]:
    """The workloads of GPU pools that have not all their pods; a Job that is complete waits for none."""
    found = [*_each(api, "batch/v1", "Job"), *_each(api, "apps/v1", "Deployment")]
    return sorted((each for each in found if each.failed or each.ready < each.wanted), key=lambda w: w.name)


def settle(names: Sequence[str], seconds: float) -> list[Waiting]:
    """What still waits in the clusters called `names`, after all have had `seconds` to get their nodes."""
    deadline = time.monotonic() + seconds
    while True:
        running = [found for name in names if (found := clusters.named(name))]
        left = [each for cluster in running for each in waiting(cluster.api())]
        if all(each.failed for each in left) or time.monotonic() > deadline:
            return left
        time.sleep(POLL_SECONDS)


def _each(api: Api, version: str, kind: str) -> Iterator[Waiting]:
    for item in api.list(version, kind):
        pool = (item["spec"]["template"]["spec"].get("nodeSelector") or {}).get(POOL_LABEL)
        if pool:
            meta = item["metadata"]
            count = _job if kind == "Job" else _deployment
            yield Waiting(kind.lower(), meta["namespace"], meta["name"], pool, *count(item))


def _job(item: Object) -> tuple[int, int, str]:
    """Pods that are ready, those that should be, and why it failed."""
    spec, status = item["spec"], item.get("status") or {}
    conditions: dict[str, Any] = {
        each["type"]: each for each in status.get("conditions") or () if each["status"] == "True"
    }
    if failed := conditions.get("Failed"):
        return 0, 0, f"{failed.get('reason')}: {failed.get('message')}"
    if "Complete" in conditions:
        return 0, 0, ""
    left = spec.get("completions", 1) - status.get("succeeded", 0)
    return status.get("ready", 0), min(spec.get("parallelism", 1), left), ""


def _deployment(item: Object) -> tuple[int, int, str]:
    return (item.get("status") or {}).get("readyReplicas", 0), item["spec"].get("replicas", 1), ""
