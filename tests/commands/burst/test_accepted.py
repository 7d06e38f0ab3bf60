"""SkyPilot, RunPod's worker and Modal, at the versions that the pages name, take what is written for them."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from commands.burst import modal, runpod, skypilot
from commands.burst.programs import runpod_handler as worker
from commands.burst.providers import providers
from localcloud.environments import environment
from tests.commands.burst.asking import asked

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SECONDS = 300


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def run(
    requirements: str, arguments: list[str], home: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A program of an environment, with a home of its own and none of our variables."""
    python = environment(HERE / requirements)
    own = {"HOME": str(home), "PATH": os.environ["PATH"], "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    return subprocess.run(
        [str(python), *arguments],
        cwd=home,
        env={**own, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_skypilot_reads_what_is_written_and_checks_no_region(tmp_path: Path) -> None:
    job = skypilot.written(asked(tmp_path, "local", "training"), providers()["skypilot"], ())
    server = skypilot.written(asked(tmp_path, "prod", "serving"), providers()["skypilot"], ())
    nowhere = {**job, "task.yaml": job["task.yaml"].replace("ap-south-1", "ap-south-9")}
    names = {"job": job, "server": server, "nowhere": nowhere}
    tasks = [str(write(tmp_path / name, files) / "task.yaml") for name, files in names.items()]
    ran = run("skypilot.txt", [str(HERE / "skypilot_reads.py"), *tasks], tmp_path / "job")
    assert ran.returncode == 0, ran.stderr
    of_job, of_server, of_nowhere = map(json.loads, ran.stdout.splitlines())
    assert (of_job["infra"], of_job["spot"], of_job["nodes"]) == (["aws/ap-south-1"], [True], 2)
    assert of_job["recovery"][0] == {
        "strategy": "FAILOVER",
        "max_restarts_on_errors": 0,
        "recover_on_exit_codes": [75],
    }
    assert (of_server["gpus"], of_server["serves"]) == ([{"L40S": 1}], True)
    # The reason for a check of our own.
    assert of_nowhere["infra"] == ["aws/ap-south-9"]


class _Server(BaseHTTPRequestHandler):
    """A model server that answers with what it was asked."""

    def do_GET(self) -> None:
        self._answer(200, {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        broken = asked.get("prompt") == "break"
        self._answer(500 if broken else 200, {"path": self.path, "asked": asked})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Server) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


def test_runpods_worker_hands_jobs_to_the_server(tmp_path: Path, server: str) -> None:
    files = runpod.written(
        asked(tmp_path, "prod", "serving"), providers()["runpod"], (), "img.example.in/serve:1"
    )
    told = json.loads(files["template.json"])["env"]
    folder = write(tmp_path / "worker", files)

    def job(given: dict[str, Any], **variables: str) -> subprocess.CompletedProcess[str]:
        words = ["handler.py", "--test_input", json.dumps({"input": given})]
        return run("serverless.txt", words, folder, **{**told, "SERVER": server, **variables})

    body = {"model": "m", "prompt": "नमस्ते"}
    good = {"path": "/v1/completions", "body": body}
    ran = job(good, RUNPOD_DC_ID="AP-IN-1")
    assert ran.returncode == 0, ran.stdout
    answer = {"output": {"path": "/v1/completions", "asked": body}}
    assert f"Job result: {answer}" in ran.stdout
    # Personal data, on a worker that RunPod has put elsewhere.
    abroad = job(good, RUNPOD_DC_ID="EU-RO-1")
    assert abroad.returncode == 1
    assert "this worker is in EU-RO-1, and may only answer in AP-IN-1" in abroad.stdout


def test_a_server_that_fails_or_is_gone_fails_the_job(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"input": {"path": "/v1/completions", "body": {"prompt": "break"}}}
    monkeypatch.setattr(worker, "SERVER", server)
    assert worker.handler(broken)["error"].startswith("500: ")
    monkeypatch.setattr(worker, "SERVER", "http://127.0.0.1:1")
    assert "does not answer" in worker.handler(broken)["error"]


def test_modal_takes_the_app(tmp_path: Path) -> None:
    files = modal.written(asked(tmp_path, "prod", "serving", "public"), providers()["modal"], ())
    folder = write(tmp_path / "app", files)
    look = "import modal_app; print(modal_app.app.name, type(modal_app.Server).__name__)"
    ran = run("serverless.txt", ["-c", look], folder, PYTHONPATH=str(folder))
    assert (ran.returncode, ran.stdout.split()) == (0, ["serve", "Server"]), ran.stderr
    # Modal itself takes any GPU and region: what is refused is refused here.
    odd = files["burst.json"].replace("L40S:1", "L99:1").replace("ap-south", "mars-1")
    (folder / "burst.json").write_text(odd)
    assert run("serverless.txt", ["-c", look], folder, PYTHONPATH=str(folder)).returncode == 0
