"""The service under the real `bentoml serve`: it answers, refuses what is no row, and counts what its alert reads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.environments import environment
from localcloud.processes import free_port
from tests.workloads.linear_model import linear
from workloads.bento.needs import ALERTS

pytestmark = pytest.mark.slow

HOME = Path(__file__).parents[3] / "workloads" / "bento"
SECONDS = 180


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "model.onnx").write_bytes(linear([[1, 0], [0, 1], [1, 1], [0, 0]], [0.5, -0.5]))
    bentoml, port = environment(HOME / "requirements.txt").with_name("bentoml"), free_port()
    command = [str(bentoml), "serve", "service:Classifier", "--host", "127.0.0.1", "--port", str(port)]
    own = {"HOME": str(tmp_path), "BENTOML_HOME": str(tmp_path), "BENTOML_DO_NOT_TRACK": "True"}
    environ = {**own, "MODEL": str(tmp_path), "PATH": os.environ["PATH"]}
    log = tmp_path / "log"
    with log.open("w") as said:
        served = subprocess.Popen(command, cwd=HOME, env=environ, stdout=said, stderr=subprocess.STDOUT)
        try:
            _wait(f"http://127.0.0.1:{port}/readyz", served, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            served.terminate()
            served.wait(SECONDS)


def _wait(url: str, served: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and served.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def post(url: str, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(f"{url}/predict", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_answers_and_refuses_and_counts(url: str) -> None:
    assert post(url, b'{"rows": [[1, 2, 3, 4], [0, 0, 0, 0]]}') == (200, [[4.5, 4.5], [0.5, -0.5]])
    for wrong in (b'{"rows": [[1, 2, 3]]}', b'{"rows": [[1, 2, 3, 4], [1]]}', b'{"rows": []}'):
        status, why = post(url, wrong)
        assert (status, "each of 4 numbers" in why) == (400, True), (wrong, why)
    for wrong in (b'{"rows": "x"}', b'{"rows": [["a", 1, 2, 3]]}', b"{}", b"nonsense"):
        assert post(url, wrong)[0] == 400, wrong
    with urllib.request.urlopen(f"{url}/metrics", timeout=SECONDS) as answer:
        metrics = answer.read().decode()
    (alert,) = ALERTS
    (name,) = set(re.findall(r"bentoml_\w+", alert.expression))
    assert re.search(rf'^{name}{{[^}}]*http_response_code="200"', metrics, re.MULTILINE)
    assert re.search(rf'^{name}{{[^}}]*service_name="Classifier"', metrics, re.MULTILINE)
