"""Why the pods of a workload don't come, in the words of the scheduler, of Karpenter and of the controllers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from localcloud.kubernetes.api import Api, Object

# Karpenter looks again at every pending pod each ten seconds: a refusal that stands this long is its answer.
REFUSED_SECONDS = 15
# Where no Karpenter has spoken, one may still be starting, or a node group may be on its way.
UNSCHEDULABLE_SECONDS = 30
# A node that Karpenter promised comes within seconds, or never.
PROMISED_SECONDS = 60
# A pod that admission refuses may lack a service account or quota that the same update is about to make.
NOT_CREATED_SECONDS = 12


def problems(api: Api, workload: Object) -> list[str]:
    """What keeps this workload's pods from running and will not pass by itself; empty while there is hope."""
    return _not_created(api, workload) + _not_scheduled(api, workload)


def _not_scheduled(api: Api, workload: Object) -> list[str]:
    now = datetime.now(UTC)
    pods: dict[str, list[str]] = {}
    for pod in _pods(api, workload):
        since = _unschedulable_since(pod)
        if since and (now - since).total_seconds() >= REFUSED_SECONDS:
            words = _refusal(_events(api, pod), now, since)
            if words:
                pods.setdefault(words, []).append(pod["metadata"]["name"])
    return [f"{_some(names)} cannot be scheduled: {words}" for words, names in pods.items()]


def _not_created(api: Api, workload: Object) -> list[str]:
    """Refusals of the controller that should make the pods: a quota, Pod Security, a missing service account."""
    if not _selector(workload):
        return []
    now = datetime.now(UTC)
    for condition in workload.get("status", {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            old = (now - _time(condition["lastTransitionTime"])).total_seconds() >= NOT_CREATED_SECONDS
            return [f"pods are not created: {condition['message']}"] if old else []
    failed = [event for event in _events(api, workload) if event["reason"] == "FailedCreate"]
    if not failed or _has_pods(workload):
        return []
    old = (now - min(map(_first_seen, failed))).total_seconds() >= NOT_CREATED_SECONDS
    return [f"pods are not created: {failed[-1]['message']}"] if old else []


def _refusal(events: list[Object], now: datetime, since: datetime) -> str:
    """What the scheduler and Karpenter said of a pod, once it is clear that they will not change their mind."""
    said = {
        source: [
            event for event in events if event["reason"] == "FailedScheduling" and _source(event) == source
        ]
        for source in ("default-scheduler", "karpenter")
    }
    refused = max(map(_last_seen, said["karpenter"]), default=None)
    promised = max((_last_seen(event) for event in events if event["reason"] == "Nominated"), default=None)
    if promised and (refused is None or promised >= refused):
        patience, start = PROMISED_SECONDS, promised
    elif refused:
        patience, start = REFUSED_SECONDS, min(map(_first_seen, said["karpenter"]))
    else:
        patience, start = UNSCHEDULABLE_SECONDS, since
    if (now - start).total_seconds() < patience:
        return ""
    last = {source: max(found, key=_last_seen) for source, found in said.items() if found}
    return "; ".join(f"{source}: {event['message']}" for source, event in last.items())


def _pods(api: Api, workload: Object) -> list[Object]:
    if workload["kind"] == "Pod":
        return [workload]
    selector = _selector(workload)
    if not selector:
        return []
    pods = api.list("v1", "Pod", workload["metadata"]["namespace"], labelSelector=selector)
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def _selector(workload: Object) -> str:
    """The workload's pod selector in the form of a query; empty for a kind that has none."""
    selector = workload.get("spec", {}).get("selector") or {}
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ""
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for term in selector.get("matchExpressions") or ():
        values = ",".join(term.get("values") or ())
        forms = {"In": "{0} in ({1})", "NotIn": "{0} notin ({1})", "Exists": "{0}", "DoesNotExist": "!{0}"}
        terms.append(forms[term["operator"]].format(term["key"], values))
    return ",".join(terms)


def _has_pods(workload: Object) -> bool:
    status = workload.get("status", {})
    return any(status.get(key) for key in ("active", "replicas", "currentNumberScheduled"))


def _unschedulable_since(pod: Object) -> datetime | None:
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            return _time(condition["lastTransitionTime"])
    return None


def _events(api: Api, about: Object) -> list[Object]:
    metadata = about["metadata"]
    wanted = f"involvedObject.uid={metadata['uid']}"
    return api.list("v1", "Event", metadata["namespace"], fieldSelector=wanted)


def _source(event: Object) -> str:
    return event.get("reportingComponent") or event.get("source", {}).get("component") or ""


def _first_seen(event: Object) -> datetime:
    return _time(
        event.get("firstTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    )


def _last_seen(event: Object) -> datetime:
    series: dict[str, Any] = event.get("series") or {}
    return _time(
        series.get("lastObservedTime") or event.get("lastTimestamp") or _first_seen(event).isoformat()
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"pod {sorted(names)[0]}{more}"
