"""Jobs of the cluster: one that is awaited, one that is made of another's pod, and what its pods said."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence

from commands.console import step
from commands.demo.platform import DemoError, Platform
from localcloud.kubernetes import clusters
from localcloud.kubernetes.api import Object

POLL_SECONDS = 0.5
# A machine with other work takes many times what an idle one does; who waits sees what is waited for.
LONGEST_SECONDS = 1800


def job_of(platform: Platform, namespace: str, name: str) -> Object | None:
    """The Job, if it is there."""
    return platform.api.get(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"namespace": namespace, "name": name}}
    )


def succeeded(platform: Platform, namespace: str, name: str, title: str, said: Callable[[], str] = str) -> None:
    """Wait for the end of a Job, with what `said` tells of it meanwhile.

    Raises:
        DemoError: it failed, with its pods' last words, or it does not end.
    """
    with step(title) as report:
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            job = job_of(platform, namespace, name)
            status = (job or {}).get("status", {})
            wanted = (job or {}).get("spec", {}).get("completions", 1)
            conditions = {each["type"]: each for each in status.get("conditions", ()) if each["status"] == "True"}
            if "Complete" in conditions:
                return
            if failed := conditions.get("Failed"):
                raise DemoError(
                    f"the Job {namespace}/{name} failed: {failed.get('message', '')}\n{log(platform, namespace, name)[-3000:]}"
                )
            report(status.get("succeeded", 0), wanted, said())
            time.sleep(POLL_SECONDS)
        raise DemoError(f"the Job {namespace}/{name} did not end within {LONGEST_SECONDS} s:\n{log(platform, namespace, name)[-3000:]}")


def log(platform: Platform, namespace: str, name: str) -> str:
    """All that the pods of a Job wrote, those that are gone too."""
    files = (clusters.folder(platform.cluster.name) / "pods").glob(f"{namespace}_{name}-*/logs/*/*.log")
    return "\n".join(file.read_text() for file in sorted(files))


def like(platform: Platform, namespace: str, name: str, new: str, command: Sequence[str]) -> None:
    """Make a Job of one pod as those of the Job `name` are, with another command: as an ML engineer may."""
    source = job_of(platform, namespace, name)
    if source is None:
        raise DemoError(f"there is no Job {namespace}/{name}")
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
    found = platform.api.get(
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"namespace": namespace, "name": cron}}
    )
    if found is None:
        raise DemoError(f"there is no CronJob {namespace}/{cron}")
    template = found["spec"]["jobTemplate"]
    platform.api.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"namespace": namespace, "name": name, **template.get("metadata", {})},
            "spec": template["spec"],
        }
    )
