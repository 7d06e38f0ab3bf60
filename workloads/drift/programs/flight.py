"""Whether a training may start, and its start: one at a time, within a budget, after a rest. No clock, no network.

Who guards what, whatever crashes and whoever is late:
- one at a time, and the rest: the Job's name, which is always the same, and its `ttlSecondsAfterFinished`, which is the
  rest. While it is there the API server takes no second one.
- the budget: the Lease's annotation, written before the Job is made and only on the version that was read. So a start
  that is paid and never comes costs its estimate; one that comes was paid. Each payment is made use of at most once.
- the time is the API server's own (its header Date), so that no clock of a pod matters.

`start` is a generator that yields what it asks of the API server, and is sent the answers.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

LEASE = "drift-retraining"
PREFIX = "drift.india-ai-infra/"
SPENT = f"{PREFIX}spent"
WINDOW = f"{PREFIX}window"
# Written by the component from the pool's price (workloads/training/retraining.py).
ESTIMATE = "india-ai-infra/estimate-inr"
MONTH = timedelta(days=30)
# A program that runs longer is ended (`activeDeadlineSeconds` of its own Job), so no start is later than its payment by
# more than this.
DEADLINE = timedelta(minutes=30)
Object = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """What the API server is asked: `get`, `create` or `update` of one object, whose kind is `Lease`, `Job` or
    `CronJob`."""

    verb: str
    kind: str
    namespace: str
    name: str
    body: Object | None = None


@dataclass(frozen=True)
class Answer:
    """What it says: the HTTP status, the object where there is one, and its time."""

    status: int
    body: Object
    now: datetime


@dataclass(frozen=True)
class Wanted:
    """A training that drift asks for."""

    model: str
    window: str
    commit: str
    cron_job: str
    namespace: str
    own_namespace: str
    budget_inr: float
    cooldown: timedelta
    evaluation: tuple[str, str] | None = None
    """Namespace and name of the suspended CronJob of a golden set."""

    @property
    def key(self) -> str:
        """What one drift is asked for by, once."""
        return f"{self.model}/{self.window}"


@dataclass(frozen=True)
class Decision:
    """What came of it: `started`, or why not."""

    started: bool
    reason: str


class FlightError(Exception):
    """The API server refused, or an object is not as it must be; the message says which and what to do."""


Asking = Generator[Ask, Answer, Any]


def follow(wanted: Wanted) -> Asking:
    """Starts the golden set once, where the last training has ended well. Returns what it did, in words, or ``."""
    job = yield from _get("Job", wanted.namespace, wanted.cron_job)
    if job is None or not _ended(job, "Complete") or wanted.evaluation is None:
        return ""
    namespace, name = wanted.evaluation
    template = yield from _get("CronJob", namespace, name)
    if template is None:
        raise FlightError(
            f"there is no CronJob {name} in {namespace}, which has the golden set; make it, or unset it"
        )
    of = job["metadata"]["annotations"][WINDOW]
    # Named after the training that it judges: a second one of the same name is refused.
    body = _job(
        template, f"{name}-{_slug(of)}"[:63].rstrip("-"), namespace, {WINDOW: of}, {"CANDIDATE_OF": of}
    )
    answer = yield Ask("create", "Job", namespace, body["metadata"]["name"], body)
    if answer.status not in (201, 409):
        raise _refused("create", "Job", body["metadata"]["name"], answer)
    return f"golden set of {of} started" if answer.status == 201 else ""


def start(wanted: Wanted) -> Asking:
    """Starts the training if it may. Returns a Decision."""
    lease, now = yield from _lease(wanted)
    job = yield from _get("Job", wanted.namespace, wanted.cron_job)
    if job is not None:
        ended = _ended(job, "Complete", "Failed")
        return Decision(
            False, "the last training ended less than the cooldown ago" if ended else "one is in flight"
        )
    template = yield from _get("CronJob", wanted.namespace, wanted.cron_job)
    if template is None:
        raise FlightError(
            f"there is no CronJob {wanted.cron_job} in {wanted.namespace}: set workloads.training.retraining"
        )
    estimate = _estimate(template)
    payments = _payments(lease)
    if reason := _refusal(wanted, payments, estimate, now):
        return Decision(False, reason)
    paid = _paid(lease, wanted, [*payments, (now, estimate, wanted.key)], now)
    answer = yield Ask("update", "Lease", wanted.own_namespace, LEASE, paid)
    if answer.status == 409:
        return Decision(False, "another one decides at this moment")
    if answer.status != 200:
        raise _refused("update", "Lease", LEASE, answer)
    body = _job(
        template,
        wanted.cron_job,
        wanted.namespace,
        {WINDOW: wanted.key},
        {"DATA_COMMIT": wanted.commit, "RETRAINING": _slug(wanted.key)},
    )
    body["spec"]["ttlSecondsAfterFinished"] = int(wanted.cooldown.total_seconds())
    answer = yield Ask("create", "Job", wanted.namespace, wanted.cron_job, body)
    if answer.status == 409:
        return Decision(False, "one is in flight")
    if answer.status != 201:
        raise _refused("create", "Job", wanted.cron_job, answer)
    return Decision(True, f"training on commit {wanted.commit}, at most ₹{estimate:,.0f}")


def _refusal(
    wanted: Wanted, payments: list[tuple[datetime, float, str]], estimate: float, now: datetime
) -> str:
    if any(key == wanted.key for _, _, key in payments):
        return f"{wanted.key} has had its training"
    if payments and now - max(at for at, _, _ in payments) < wanted.cooldown:
        return "the last training started less than the cooldown ago"
    spent = sum(inr for at, inr, _ in payments if now - at < MONTH + DEADLINE)
    if spent + estimate > wanted.budget_inr:
        return f"₹{spent:,.0f} of ₹{wanted.budget_inr:,.0f} are spent in 30 days, and it would cost ₹{estimate:,.0f}"
    return ""


def _lease(wanted: Wanted) -> Generator[Ask, Answer, tuple[Object, datetime]]:
    """The Lease, made where there is none, and the API server's time."""
    for _ in range(2):
        answer = yield Ask("get", "Lease", wanted.own_namespace, LEASE)
        if answer.status == 200:
            return answer.body, answer.now
        if answer.status != 404:
            raise _refused("get", "Lease", LEASE, answer)
        empty = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": LEASE},
            "spec": {},
        }
        answer = yield Ask("create", "Lease", wanted.own_namespace, LEASE, empty)
        if answer.status not in (201, 409):
            raise _refused("create", "Lease", LEASE, answer)
    raise FlightError(f"Lease {LEASE} in {wanted.own_namespace} is made and gone again; see who deletes it")


def _paid(
    lease: Object, wanted: Wanted, payments: list[tuple[datetime, float, str]], now: datetime
) -> Object:
    """The Lease with the payment. Old ones go, but never the newest of all."""
    kept = [payment for payment in payments if now - payment[0] < 2 * MONTH]
    written = [{"at": at.isoformat(), "inr": inr, "key": key} for at, inr, key in kept]
    after = copy.deepcopy(lease)
    after["metadata"].setdefault("annotations", {})[SPENT] = json.dumps(written)
    time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    after["spec"] = {
        "holderIdentity": wanted.key,
        "acquireTime": time,
        "renewTime": time,
        "leaseDurationSeconds": int(wanted.cooldown.total_seconds()),
    }
    return after


def _payments(lease: Object) -> list[tuple[datetime, float, str]]:
    text = lease["metadata"].get("annotations", {}).get(SPENT, "[]")
    try:
        return [
            (datetime.fromisoformat(each["at"]), float(each["inr"]), str(each["key"]))
            for each in json.loads(text)
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise FlightError(
            f"annotation {SPENT} of Lease {LEASE} can't be read: {text!r}; mend it by hand"
        ) from error


def _estimate(template: Object) -> float:
    text = template["metadata"].get("annotations", {}).get(ESTIMATE, "")
    if re.fullmatch(r"\d+(\.\d+)?", text) and (inr := float(text)) > 0:
        return inr
    name = template["metadata"]["name"]
    raise FlightError(f"annotation {ESTIMATE} of CronJob {name} is {text!r}; rupees above 0 are needed")


def _job(
    template: Object, name: str, namespace: str, annotations: dict[str, str], environment: dict[str, str]
) -> Object:
    """The Job of a CronJob, with more that its containers are told."""
    of = copy.deepcopy(template["spec"]["jobTemplate"])
    metadata = of.get("metadata", {})
    told = [{"name": key, "value": value} for key, value in environment.items()]
    for container in of["spec"]["template"]["spec"]["containers"]:
        container["env"] = [*told, *container.get("env", ())]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": metadata.get("labels", {}),
            "annotations": {**metadata.get("annotations", {}), **annotations},
        },
        "spec": of["spec"],
    }


def _get(kind: str, namespace: str, name: str) -> Generator[Ask, Answer, Object | None]:
    answer = yield Ask("get", kind, namespace, name)
    if answer.status == 404:
        return None
    if answer.status != 200:
        raise _refused("get", kind, name, answer)
    return answer.body


def _ended(job: Object, *types: str) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(each["type"] in types and each["status"] == "True" for each in conditions)


def _refused(verb: str, kind: str, name: str, answer: Answer) -> FlightError:
    said = answer.body.get("message", "no reason")
    return FlightError(f"the API server refuses to {verb} {kind} {name} ({answer.status}): {said}")


def _slug(key: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")
