"""What of an API server matters for a start: versions, names that are taken, Jobs that go when their rest is over."""

from __future__ import annotations

import copy
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from workloads.drift.programs.flight import Answer, Ask

START = datetime(2026, 11, 1, tzinfo=UTC)
RUNNING: dict[str, Any] = {"active": 1}


@dataclass
class ApiServer:
    """Its objects by kind, namespace and name; `made` are the Jobs that it took, and when; `ended` when each ended."""

    now: datetime = START
    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    made: list[tuple[datetime, dict[str, Any]]] = field(default_factory=list)
    ended: list[datetime] = field(default_factory=list)
    _version: int = 0

    def answer(self, ask: Ask) -> Answer:
        """One call, as a real one answers it."""
        key = (ask.kind, ask.namespace, ask.name)
        there = self.objects.get(key)
        if ask.verb == "create":
            return self._said(409) if there else self._said(201, self._kept(key, ask.body))
        if there is None:
            return self._said(404)
        if ask.verb == "get":
            return self._said(200, copy.deepcopy(there))
        assert ask.body is not None
        if ask.body["metadata"].get("resourceVersion") != there["metadata"]["resourceVersion"]:
            return self._said(409)
        return self._said(200, self._kept(key, ask.body))

    def _said(self, status: int, body: dict[str, Any] | None = None) -> Answer:
        return Answer(status, body or {"message": str(status)}, self.now)

    def _kept(self, key: tuple[str, str, str], body: dict[str, Any] | None) -> dict[str, Any]:
        assert body is not None
        self._version += 1
        kept = copy.deepcopy(body)
        kept["metadata"] |= {"resourceVersion": str(self._version)}
        self.objects[key] = kept
        if key[0] == "Job":
            kept["status"] = dict(RUNNING)
            self.made.append((self.now, kept))
        return copy.deepcopy(kept)

    def run(self, asking: Generator[Ask, Answer, Any]) -> Any:
        """What a program returns that nothing interrupts."""
        try:
            ask = next(asking)
            while True:
                ask = asking.send(self.answer(ask))
        except StopIteration as end:
            return end.value

    def end_job(self, key: tuple[str, str, str], condition: str = "Complete") -> None:
        """The Job comes to its end."""
        self.objects[key]["status"] = {"conditions": [{"type": condition, "status": "True"}], "at": self.now}
        self.ended.append(self.now)

    def pass_time(self, by: timedelta) -> None:
        """Time goes by, and with it Jobs whose `ttlSecondsAfterFinished` is over."""
        self.now += by
        for key, job in list(self.objects.items()):
            at = job.get("status", {}).get("at")
            ttl = job["spec"].get("ttlSecondsAfterFinished") if key[0] == "Job" else None
            if at and ttl is not None and self.now >= at + timedelta(seconds=ttl):
                del self.objects[key]
