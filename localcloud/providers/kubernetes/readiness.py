"""Wait until an applied object is ready, as pulumi-kubernetes does, and give up early when it never will be.

Annotations: `pulumi.com/skipAwait: "true"` waits for nothing; `pulumi.com/waitFor` takes `jsonpath={.status.ready}=2`,
`condition=Ready` or a JSON list of these, and then stands in for the kind's own rule.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from localcloud.kubernetes.api import Api, Object
from localcloud.providers.kubernetes.pods import problems
from localcloud.providers.protocol import NotReadyError

SKIP_AWAIT = "pulumi.com/skipAwait"
WAIT_FOR = "pulumi.com/waitFor"
READY_SECONDS = 600  # pulumi-kubernetes' own default
POLL_SECONDS = 0.3
PROBLEM_POLL_SECONDS = 2


@dataclass(frozen=True)
class Progress:
    """Whether an object is ready, else what it waits for; `failed` says that it never will be."""

    ready: bool
    waiting_for: str = ""
    failed: str = ""


Rule = Callable[[Object], Progress]


class WaitForError(Exception):
    """The waitFor annotation cannot be read."""


def until_ready(api: Api, resource_id: str, live: Object, timeout: float) -> Object:
    """The object once it is ready.

    Raises:
        NotReadyError: it failed, its pods can't come, or `timeout` seconds (0: the default) went by.
    """
    rule = rule_for(live)
    if rule is None:
        return live
    started = time.monotonic()
    looked = started
    while True:
        progress = rule(live)
        if progress.ready:
            return live
        failed = failure_of(live) or progress.failed
        if failed:
            raise NotReadyError(resource_id, live, [failed])
        now = time.monotonic()
        if now - looked >= PROBLEM_POLL_SECONDS:
            looked = now
            reasons = problems(api, live)
            if reasons:
                raise NotReadyError(resource_id, live, reasons)
        if now - started > (timeout or READY_SECONDS):
            raise NotReadyError(resource_id, live, [f"timed out waiting for {progress.waiting_for}"])
        time.sleep(POLL_SECONDS)
        found = api.get(live)
        if found is None:
            raise NotReadyError(resource_id, live, ["it was deleted while it was awaited"])
        live = found


def rule_for(live: Object) -> Rule | None:
    """What readiness means for this object; None when there is nothing to wait for."""
    annotations = live["metadata"].get("annotations") or {}
    if annotations.get(SKIP_AWAIT) == "true":
        return None
    if WAIT_FOR in annotations:
        rules = parse_wait_for(annotations[WAIT_FOR])
        return functools.partial(_all, rules)
    group = live["apiVersion"].rpartition("/")[0]
    return _RULES.get((group, live["kind"]))


def parse_wait_for(text: str) -> list[Rule]:
    """The rules of a waitFor annotation.

    Raises:
        WaitForError: it has another form.
    """
    expressions = [text]
    if text.lstrip().startswith("["):
        try:
            expressions = json.loads(text)
        except ValueError as error:
            raise WaitForError(f"{WAIT_FOR}: {text!r} is not a JSON list: {error}") from None
    return [_parse_expression(expression) for expression in expressions]


def failure_of(live: Object) -> str:
    """The words of a Job, or of a pod, that failed for good."""
    if live["kind"] == "Job":
        condition = _condition(live, "Failed")
        if condition.get("status") == "True":
            return f"the job failed: {condition.get('reason')}: {condition.get('message')}"
    if live["kind"] == "Pod" and live.get("status", {}).get("phase") == "Failed":
        return f"the pod failed: {live['status'].get('reason') or 'a container ended with an error'}"
    return ""


def _parse_expression(text: str) -> Rule:
    if text.startswith("jsonpath="):
        return _jsonpath_rule(text.removeprefix("jsonpath="))
    if not text or "{" in text:
        raise WaitForError(f"{WAIT_FOR}: {text!r} is neither jsonpath={{.path}}=value nor condition=Type")
    name, _, status = text.removeprefix("condition=").partition("=")
    return functools.partial(_condition_rule, name, status or "True")


def _jsonpath_rule(text: str) -> Rule:
    from jsonpath_ng.exceptions import JSONPathError
    from jsonpath_ng.ext.parser import parse

    path, brace, rest = text.partition("}")
    if not path.startswith("{") or not brace or (rest and not rest.startswith("=")):
        raise WaitForError(
            f"{WAIT_FOR}: jsonpath={text} is not of the form jsonpath={{.path}} or jsonpath={{.path}}=value"
        )
    inner = path[1:]
    try:
        compiled = parse(inner if inner.startswith("$") else f"${inner}")
    except JSONPathError as error:
        raise WaitForError(f"{WAIT_FOR}: jsonpath={text}: {error}") from None
    wanted = rest.removeprefix("=").strip("\"'") if rest else None

    def rule(live: Object) -> Progress:
        found = [match.value for match in compiled.find(live) if match.value is not None]
        if wanted is None:
            return Progress(bool(found), f"{inner} to be set")
        # Of several the first counts (pulumi-kubernetes, provider/pkg/jsonpath).
        now = _text(found[0]) if found else "not set"
        return Progress(now == wanted, f"{inner} to be {wanted} (now {now})")

    return rule


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _all(rules: list[Rule], live: Object) -> Progress:
    missing = [progress for rule in rules if not (progress := rule(live)).ready]
    return Progress(not missing, ", ".join(progress.waiting_for for progress in missing))


def _condition_rule(name: str, status: str, live: Object) -> Progress:
    found = _condition(live, name)
    now = ": ".join(filter(None, (found.get("reason"), found.get("message")))) or "no such condition yet"
    return Progress(found.get("status") == status, f"condition {name} to be {status} ({now})")


def _condition(live: Object, name: str) -> Object:
    conditions = live.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == name), {})


def _counted(live: Object, wanted: int, *counts: str) -> Progress:
    """Ready when the controller has seen the newest spec and each of these status counts has reached `wanted`."""
    status = live.get("status", {})
    seen = status.get("observedGeneration", 0) >= live["metadata"].get("generation", 0)
    lacking = [
        f"{count} {status.get(count, 0)} of {wanted}" for count in counts if status.get(count, 0) < wanted
    ]
    return Progress(seen and not lacking, ", ".join(lacking) or "the controller to see the new spec")


def _deployment(live: Object) -> Progress:
    progressing = _condition(live, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Progress(False, failed=progressing["message"])
    wanted = live["spec"].get("replicas", 1)
    progress = _counted(live, wanted, "updatedReplicas", "availableReplicas")
    old = live.get("status", {}).get("replicas", 0) - live.get("status", {}).get("updatedReplicas", 0)
    return Progress(False, f"{old} old replicas to end") if progress.ready and old > 0 else progress


def _stateful_set(live: Object) -> Progress:
    return _counted(live, live["spec"].get("replicas", 1), "updatedReplicas", "readyReplicas")


def _daemon_set(live: Object) -> Progress:
    wanted = live.get("status", {}).get("desiredNumberScheduled", 0)
    return _counted(live, wanted, "updatedNumberScheduled", "numberAvailable")


def _pod(live: Object) -> Progress:
    if live.get("status", {}).get("phase") == "Succeeded":
        return Progress(True)
    return _condition_rule("Ready", "True", live)


_RULES: dict[tuple[str, str], Rule] = {
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): functools.partial(_condition_rule, "Complete", "True"),
    ("", "Pod"): _pod,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): functools.partial(
        _condition_rule, "Established", "True"
    ),
}
