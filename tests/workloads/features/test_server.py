"""The server as a client meets it: Feast's own client reads from it, and what it exports is what alerts ask for."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests

from localcloud.processes import free_port
from tests.workloads.features.conftest import FEATURES, Store
from workloads.features.needs import ALERTS

pytestmark = pytest.mark.slow
SECONDS = 300


class _Line(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("features")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


class Server:
    def __init__(self, path: Path, metrics: int) -> None:
        self._path, self._metrics = path, metrics

    def do(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        line = _Line(self._path)
        line.request(method, path, json.dumps(body) if body is not None else None)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())

    def metrics(self) -> str:
        return requests.get(f"http://127.0.0.1:{self._metrics}/metrics", timeout=SECONDS).text


@pytest.fixture
def server(store: Store, python: Path) -> Iterator[Server]:
    store.done("register")
    port = free_port()
    variables = {**os.environ, **store.variables, "PYTHONPATH": str(FEATURES), "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory(prefix="fs-") as home:
        path = Path(home) / "s"
        words = [python, "-m", "programs", "serve", "--socket", str(path), "--metrics-port", str(port)]
        process = subprocess.Popen(words, env=variables)
        try:
            until = time.monotonic() + SECONDS
            while not path.exists():
                assert process.poll() is None and time.monotonic() < until
                time.sleep(0.1)
            yield Server(path, port)
        finally:
            process.terminate()
            process.wait(SECONDS)


def test_what_a_client_gets_from_before_the_first_materialisation_on(store: Store, server: Server):
    assert server.do("GET", "/health")[0] == 200
    assert server.do("GET", "/ready")[0] == 503
    # Of now: what was generated for last October is too old, and the model is told so.
    store.done("generate", "--first", "2026-10-01", "--days", "4", "--accounts", "8")
    store.done("materialise", "--end", "2026-10-04T19:00:00+00:00")
    assert server.do("GET", "/ready")[0] == 200
    asked = {"entities": {"account_id": ["acc-0000001", "nobody"]}, "feature_service": "loan_risk"}
    code, answer = server.do("POST", "/get-online-features", asked)
    assert code == 200
    names = answer["metadata"]["feature_names"]
    assert names[0] == "account_id" and len(names) == 12
    count = answer["results"][names.index("count_7d")]
    assert count["values"] == [None, None]
    assert count["statuses"] == ["OUTSIDE_MAX_AGE", "NOT_FOUND"]
    for body, said in (
        ({"entities": {"account_id": ["a"]}}, "ask for `features`, or for a `feature_service`"),
        ({"entities": {"account_id": ["a"]}, "feature_service": "lone_risk"}, "lone_risk"),
        ({"entities": {"account_id": ["a"]}, "features": ["no_view:count"]}, "no_view"),
        ({"entities": {"account_id": []}, "features": ["transactions_7d:count_7d"]}, "1 to 1000"),
        ({"features": ["transactions_7d:count_7d"]}, "entities"),
    ):
        code, answer = server.do("POST", "/get-online-features", body)
        assert code == 422 and said in json.dumps(answer)
    assert store.run("materialise", "--end", "2026-10-04T00:00:00+00:00").code == 64
    exported = server.metrics()
    assert "features_materialisation_failed{project=" in exported
    assert re.search(r"features_materialisation_failed\{.*\} 1\.0", exported)
    assert 'features_values_total{status="OUTSIDE_MAX_AGE",view="transactions_7d"} 3.0' in exported
    names = {line.partition("{")[0] for line in exported.splitlines() if not line.startswith("#")}
    asked_for = {name for alert in ALERTS for name in re.findall(r"features_\w+", alert.expression)}
    assert asked_for <= names
