"""One line of JSON for each request: who asked what kind of thing, and how it went. No prompt, no key, no principal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import MutableMapping
from typing import Any

from . import metrics
from .http import Scope, Send


class Line:
    """What is told of one request, filled in while it is answered."""

    def __init__(self, scope: Scope, path: str) -> None:
        self.outcome = ""
        self.status = 0
        self.tenant = self.model = ""
        self.prompt = b""
        self._method, self._path = scope["method"], path
        self._began = time.perf_counter()
        self._first = 0.0

    def refused(self, status: int) -> None:
        """The cache itself refuses the request."""
        self.outcome, self.status = "refused", status

    def timed(self, send: Send) -> Send:
        """`send`, which notes when the answer begins."""

        async def noting(message: MutableMapping[str, Any]) -> None:
            if not self._first:
                self._first = time.perf_counter()
            await send(message)

        return noting

    def write(self, *, prompts: bool) -> None:
        """Count the request, and print its line."""
        now = time.perf_counter()
        if self.outcome in metrics.BY_OUTCOME:
            requests, seconds = metrics.BY_OUTCOME[self.outcome]
            requests.inc()
            seconds.observe((self._first or now) - self._began)
        said: dict[str, Any] = {
            "time": round(time.time(), 3),
            "method": self._method,
            "path": self._path,
            "status": self.status,
            "outcome": self.outcome,
            "tenant": self.tenant,
            "model": self.model,
            "seconds": round(now - self._began, 4),
        }
        if prompts and self.prompt:
            said["prompt"] = self.prompt.decode("utf-8", "replace")
        sys.stdout.write(json.dumps({name: value for name, value in said.items() if value != ""}) + "\n")
