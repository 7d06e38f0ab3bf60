"""The status of a pod, from what its containers do, as a kubelet writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localcloud.kubernetes.agent.container import Container, now
from localcloud.kubernetes.api import Object


def phase(init: Sequence[Container], main: Sequence[Container], *, final: bool) -> str:
    """The pod's phase. `final`: nothing of it runs, or will again."""
    if not final:
        return "Running" if _begun(main) else "Pending"
    # Sidecars are told to end when the others have, and how they do does not count.
    return "Succeeded" if all(each.exit_code == 0 for each in main) else "Failed"


def status(
    pod: Object,
    address: str,
    init: Sequence[Container],
    main: Sequence[Container],
    *,
    final: bool,
    begun: str,
) -> dict[str, Any]:
    """The status, to be merged into the pod's."""
    # Whose program has begun was initialized, whatever its sidecars have done since.
    initialized = _begun(main) or _complete(init)
    ready = not final and initialized and all(each.ready for each in main)
    now_is = phase(init, main, final=final)
    reason = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(now_is, "ContainersNotReady")
    reason = "" if ready else reason
    conditions = [
        _condition("PodReadyToStartContainers", not final, ""),
        _condition("Initialized", initialized, "" if initialized else "ContainersNotInitialized"),
        _condition("ContainersReady", ready, reason),
        _condition("Ready", ready, reason),
    ]
    return {
        "phase": now_is,
        "startTime": begun,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": _since(conditions, pod),
        "initContainerStatuses": [_container(each, done_is_ready=not sidecar(each.spec)) for each in init],
        "containerStatuses": [_container(each, done_is_ready=False) for each in main],
    }


def sidecar(container: Object) -> bool:
    """Whether an init container runs beside the others."""
    return container.get("restartPolicy") == "Always"


def _begun(main: Sequence[Container]) -> bool:
    return any("running" in each.state or each.attempt or each.exit_code is not None for each in main)


def _complete(init: Sequence[Container]) -> bool:
    return all(each.started if sidecar(each.spec) else each.exit_code == 0 for each in init)


def _container(container: Container, *, done_is_ready: bool) -> dict[str, Any]:
    # A merge keeps what is not named: a state that was must be taken off.
    states: dict[str, Any] = dict.fromkeys(("running", "waiting", "terminated"))
    image = container.spec["image"]
    return {
        "name": container.name,
        "image": image,
        "imageID": "",
        "containerID": f"process://{container.pid}" if container.pid else "",
        "ready": container.ready or (done_is_ready and container.exit_code == 0),
        "started": container.started,
        "restartCount": container.attempt,
        "state": states | container.state,
        "lastState": states | container.last_state,
    }


def _condition(kind: str, true: bool, reason: str) -> dict[str, Any]:
    return {"type": kind, "status": str(true), "reason": reason or None, "lastTransitionTime": now()}


def _since(conditions: list[dict[str, Any]], pod: Object) -> list[dict[str, Any]]:
    """With the time of the last change, where there was none now."""
    before = {each["type"]: each for each in (pod.get("status") or {}).get("conditions") or ()}
    for each in conditions:
        known = before.get(each["type"], {})
        if known.get("status") == each["status"] and known.get("lastTransitionTime"):
            each["lastTransitionTime"] = known["lastTransitionTime"]
    return conditions
