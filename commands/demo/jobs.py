"""Jobs of the cluster: one that is awaited, one that is made of another's pod, and what its pods said."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from commands.console import step
from commands.demo.platform import DemoError, Platform
from localcloud.kubernetes import clusters
from localcloud.kubernetes.api import Object

Found = TypeVar("Found")
POLL_SECONDS = 0.5
# A machine with other work takes many times what an idle one does; who waits sees what is waited for.
LONGEST_SECONDS = 1800
ENDS = ("Complete", "Failed")
LAST_LINES = 12


def job_of(platform: Platform, namespace: str, name: str) -> Object:
    """The Job. DemoError if it is not there."""
    return _found(platform, "Job", namespace, name)


def _found(platform: Platform, kind: str, namespace: str, name: str) -> Object:
    version = "apps/v1" if kind == "Deployment" else "batch/v1"
    asked = {"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}}
    found = platform.api.get(asked)
    if found is None:
        raise DemoError(f"there is no {kind} {namespace}/{name}: `make down STACK=demo`, then `make demo`")
    return found


def until(holds: Callable[[], Found], title: str, said: Callable[[], str] = str) -> Found:
    """Wait for what `holds` finds, with what `said` tells meanwhile. DemoError if it never does."""
    with step(title) as report:
        deadline = time.monotonic() + LONGEST_SECONDS
        while not (found := holds()):
            if time.monotonic() > deadline:
                raise DemoError(f"{title}: not within {LONGEST_SECONDS} s")
            report(0, 0, said())
            time.sleep(POLL_SECONDS)
        return found


def succeeded(
    platform: Platform, namespace: str, name: str, title: str, said: Callable[[], str] = str
) -> None:
    """Wait for the end of a Job.

    Raises:
        DemoError: it failed, with its pods' last words, or does not end.
    """
    how = until(lambda: ended(job_of(platform, namespace, name)), title, said)
    if how and how["type"] == "Failed":
        last = log(platform, namespace, name).strip().splitlines()[-LAST_LINES:]
        raise DemoError("\n".join([f"the Job {namespace}/{name} failed: {how.get('message', '')}", *last]))


def available(platform: Platform, namespace: str, name: str) -> None:
    """Wait until all replicas of a Deployment are the newest, and ready, and older ones gone: these answer to their
    end. DemoError if they do not come."""

    def stands() -> bool:
        found = _found(platform, "Deployment", namespace, name)
        wanted, status = found["spec"]["replicas"], found.get("status", {})
        seen = status.get("observedGeneration") == found["metadata"]["generation"]
        counts = [status.get(kind, 0) for kind in ("replicas", "updatedReplicas", "readyReplicas")]
        return seen and counts == [wanted] * 3 and not status.get("terminatingReplicas")

    until(stands, f"The pods of {name}")


def ended(job: Object) -> Object | None:
    """The condition that says how a Job ended; None while it runs."""
    conditions = job.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] in ENDS and each["status"] == "True"), None)


def log(platform: Platform, namespace: str, name: str) -> str:
    """All that the pods of a Job wrote, those that are gone too."""
    files = (clusters.folder(platform.cluster.name) / "pods").glob(f"{namespace}_{name}-*/logs/*/*.log")
    return "\n".join(file.read_text() for file in sorted(files))


def like(platform: Platform, namespace: str, name: str, new: str, command: Sequence[str]) -> None:
    """Make a Job of one pod as those of the Job `name` are, with another command: as an ML engineer may."""
    source = job_of(platform, namespace, name)
    pod = copy.deepcopy(source["spec"]["template"]["spec"])
    container = pod["containers"][0]
    container["command"], container["args"] = list(command[:3]), list(command[3:])
    container.pop("readinessProbe", None)
    platform.api.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"namespace": namespace, "name": new, "labels": source["metadata"].get("labels", {})},
            "spec": {"backoffLimit": 0, "template": {"spec": pod}},
        }
    )


def of_cron(platform: Platform, namespace: str, cron: str, name: str) -> None:
    """Make a Job of a CronJob now, as `kubectl create job --from` does."""
    template = _found(platform, "CronJob", namespace, cron)["spec"]["jobTemplate"]
    platform.api.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"namespace": namespace, "name": name, **template.get("metadata", {})},
            "spec": template["spec"],
        }
    )
