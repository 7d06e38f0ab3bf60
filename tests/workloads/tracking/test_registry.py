"""The program `registry` on a real MLflow: register, promote, roll back, lineage, and what may go wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from commands import promote
from tests import browser
from tests.workloads.tracking.conftest import Lake, Server
from tests.workloads.tracking.gate import GOLDEN, Gate, settings
from workloads.evaluation.programs import weights

pytestmark = pytest.mark.slow

DATA, CODE = "1" * 40, "2" * 40
IMAGE = f"registry.example.in/training@sha256:{'3' * 64}"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (path := tmp_path / "recipe.json").write_text('{"steps": 3}')
    return path


def origin(recipe: Path, **other: str) -> list[str | Path]:
    given = {"data-commit": DATA, "code-commit": CODE, "image": IMAGE, "seed": "7", **other}
    return [*(word for name, value in given.items() for word in (f"--{name}", value)), "--recipe", recipe]


def registered(server: Server, lake: Lake, recipe: Path, model: str, count: int) -> list[str]:
    """The digests of versions 1 to `count` of a new model."""
    found = []
    for number in range(1, count + 1):
        folder = lake.export(f"{model}-{number}", f"{model}{number}".encode())
        made = server.told("register", model, folder, *origin(recipe))
        assert made["version"] == number
        found.append(made["digest"])
    return found


def aliases(server: Server, model: str) -> dict[str, int]:
    """As everybody else sees them."""
    answer = requests.get(
        f"{server.url}/api/2.0/mlflow/registered-models/get", params={"name": model}, timeout=60
    )
    listed = answer.json()["registered_model"].get("aliases", [])
    return {each["alias"]: int(each["version"]) for each in listed}


def test_from_a_run_to_production_and_back(server: Server, lake: Lake, recipe: Path, tmp_path: Path) -> None:
    run = server.script(
        "import json, mlflow; mlflow.set_experiment('fraud')\n"
        "with mlflow.start_run(run_name='night') as run: mlflow.log_metric('loss', 0.25)\n"
        "print(json.dumps(run.info.run_id))"
    )
    folder = lake.export("fraud-1", b"one")
    made = server.told("register", "fraud", folder, *origin(recipe), "--run", run)
    # Again, as after an answer that was lost: the same version.
    assert server.told("register", "fraud", folder, *origin(recipe), "--run", run) == made
    assert aliases(server, "fraud") == {"candidate": 1}
    first_verdict = server.gate.write(tmp_path, model=made["digest"])
    server.told("promote", "fraud", "1", "--verdict", first_verdict)
    second = server.told("register", "fraud", lake.export("fraud-2", b"two"), *origin(recipe, seed="8"))
    assert aliases(server, "fraud") == {"candidate": 2, "production": 1}
    passes = server.gate.write(tmp_path, model=second["digest"], baseline=made["digest"])
    assert server.told("promote", "fraud", "2", "--verdict", passes)["stages"] == aliases(server, "fraud")
    assert aliases(server, "fraud") == {"production": 2, "previous": 1}
    server.told("deployed", "fraud", "2", "--at", "prod/serving/serve")
    server.told("rollback", "fraud")
    assert aliases(server, "fraud") == {"production": 1}
    page = tmp_path / "lineage.html"
    found = server.told("lineage", "fraud", "--html", page)
    newest, first = found["versions"]
    assert first["stage"] == "production"
    assert first["data"] == {"commit": DATA}
    assert first["run"]["id"] == run
    assert first["run"]["metrics"] == {"loss": 0.25}
    assert (first["run"]["codeCommit"], first["run"]["image"], first["run"]["seed"]) == (CODE, IMAGE, "7")
    assert newest["deployments"][0]["at"] == "prod/serving/serve"
    assert [(each["action"], each["version"]) for each in found["changes"]] == [
        ("rollback", 1),
        ("promote", 2),
        ("promote", 1),
    ]
    rolled_back, _, promoted = found["changes"]
    assert rolled_back["verdict"] is None
    assert promoted["verdict"]["goldenSet"] == GOLDEN
    assert promoted["verdict"]["signedBy"] == server.gate.fingerprint
    _look(page, tmp_path)
    # With the file of a verdict alone nothing can be told of another model of the same files.
    server.told("register", "cards", folder, *origin(recipe))
    again = server.registry("promote", "cards", "1", "--verdict", first_verdict)
    assert "the verdict has promoted a version of fraud" in again.stderr


def _look(page: Path, folder: Path) -> None:
    assert "http://" not in page.read_text()
    assert "<script" not in page.read_text()
    try:
        window = browser.find(folder / "profile")
    except browser.NoBrowserError as error:
        pytest.skip(str(error))
    text = window.text(page)
    assert (
        "Version 1 production Data commit 111111111111 Run run night status FINISHED code 222222222222"
        in text
    )
    assert "prod/serving/serve" in text
    assert "by support 1.0.0 dddddddddddd , 2026-11-28 05:00 UTC, signed by" in text
    assert window.colours(window.picture(page, folder / "lineage.png")) > 20


def test_of_two_writers_at_once_one_promotes_and_the_other_is_told(
    server: Server, lake: Lake, recipe: Path, tmp_path: Path
) -> None:
    first, second, third = registered(server, lake, recipe, "race", 3)
    server.told("promote", "race", "1", "--verdict", server.gate.write(tmp_path, model=first))
    verdicts = {
        2: server.gate.write(tmp_path, model=second, baseline=first),
        3: server.gate.write(tmp_path, model=third, baseline=first),
    }
    both = [
        server.begin("promote", "race", str(version), "--verdict", path) for version, path in verdicts.items()
    ]
    ended = {version: running.end() for version, running in zip((2, 3), both, strict=True)}
    won = [version for version, done in ended.items() if done.returncode == 0]
    assert len(won) == 1, ended
    (lost,) = {2, 3} - {*won}
    assert "is in production" in ended[lost].stderr
    assert aliases(server, "race")["production"] == won[0]
    assert aliases(server, "race")["previous"] == 1


@contextmanager
def before_aliases(server: Server) -> Iterator[tuple[str, threading.Event]]:
    """A door before the server that kills it when the first alias is about to be set; its address, and the news."""
    killed = threading.Event()

    class Door(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            if self.path.endswith("/alias"):
                server.kill()
                killed.set()
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {"Content-Type": self.headers.get("Content-Type", "")}
            answer = requests.request(
                self.command, f"{server.url}{self.path}", data=body, headers=headers, timeout=120
            )
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = do_PATCH = _pass_on

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing of it is of interest."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as door:
        threading.Thread(target=door.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{door.server_port}", killed
        door.shutdown()


def test_a_server_that_dies_in_a_promotion_comes_back_with_it(
    server: Server, lake: Lake, recipe: Path, tmp_path: Path
) -> None:
    (digest,) = registered(server, lake, recipe, "killed", 1)
    words = ["promote", "killed", "1", "--verdict", server.gate.write(tmp_path, model=digest)]
    with before_aliases(server) as (door, killed):
        ended = server.begin(*words, MLFLOW_TRACKING_URI=door, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1").end()
    assert killed.is_set()
    assert ended.returncode == 64
    assert "does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr
    server.start()
    # Recorded, and not yet shown.
    assert aliases(server, "killed") == {"candidate": 1}
    assert server.told(*words)["stages"] == {"production": 1}
    assert aliases(server, "killed") == {"production": 1}
    assert len(server.told("lineage", "killed")["changes"]) == 1


FORGE = """
import json, sys
from mlflow import MlflowClient
name, source, records = json.loads(sys.argv[1])
for tags in records:
    MlflowClient().create_model_version(f"{name}.promotions", source, tags=tags)
print(json.dumps(len(records)))
"""


def test_a_promotion_written_beside_the_program_counts_for_nobody(
    server: Server, lake: Lake, recipe: Path, tmp_path: Path
) -> None:
    first, second = registered(server, lake, recipe, "forged", 2)
    server.told("promote", "forged", "1", "--verdict", server.gate.write(tmp_path, model=first))
    record = {"action": "promote", "version": "2", "expects": "1", "by": "me", "at": "2026-11-28T05:00:00"}
    forged = Gate().verdict(model=second, baseline=first).tags
    records = [record, {**record, **forged}]
    assert (
        server.script(FORGE, json.dumps(["forged", "s3://mumbai-models/candidates/forged-2", records])) == 2
    )
    assert server.told("settle", "forged")["stages"] == {"candidate": 2, "production": 1}
    newest, other, real = server.told("lineage", "forged")["changes"]
    assert newest["refused"] == other["refused"] == "no verdict that the gate signed"
    assert real["refused"] == ""
    # With a key that is not the gate's nothing is taken away.
    (wrong := tmp_path / "wrong.pub").write_text(Gate().public)
    done = server.registry("--key", wrong, "settle", "forged")
    assert "by --key nothing of forged is in production, and there are promotions" in done.stderr
    assert aliases(server, "forged") == {"candidate": 2, "production": 1}
    # The gate's own does, and by another golden set only where that is said.
    changed = {**GOLDEN, "version": "2.0.0", "digest": "e" * 64}
    passes = server.gate.write(tmp_path, model=second, baseline=first, goldenSet=changed)
    refused = server.registry("promote", "forged", "2", "--verdict", passes)
    assert "that of the promotion before by support 1.0.0" in refused.stderr
    server.told("promote", "forged", "2", "--verdict", passes, "--golden-set", changed["digest"])
    assert aliases(server, "forged") == {"production": 2, "previous": 1}


def test_files_that_were_changed_after_they_were_judged_are_not_promoted(
    server: Server, lake: Lake, recipe: Path, tmp_path: Path
) -> None:
    (digest,) = registered(server, lake, recipe, "swapped", 1)
    # The gate comes to the same digest.
    (copy := tmp_path / "copy").mkdir()
    (copy / "config.json").write_text("{}")
    (copy / "model.safetensors").write_text("swapped1")
    assert weights.digest(str(copy)) == digest
    passes = server.gate.write(tmp_path, model=digest)
    lake.export("swapped-1", b"other weights")
    done = server.registry("promote", "swapped", "1", "--verdict", passes)
    assert done.returncode == 64
    assert "is no longer what version 1 was registered with" in done.stderr
    lake.export("swapped-1", b"swapped1")
    assert server.told("promote", "swapped", "1", "--verdict", passes)["stages"] == {"production": 1}


def test_make_promote_believes_the_gate_of_the_stacks_file(
    server: Server, lake: Lake, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (digest,) = registered(server, lake, recipe, "made", 1)
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REGISTRY_VERDICT_KEY", "/nowhere")
    monkeypatch.setattr(promote, "settings_of", lambda stack: settings(verdictKey=server.gate.public))
    promote.promote("made", 1, server.gate.write(tmp_path, model=digest), address=server.url)
    assert aliases(server, "made") == {"production": 1}


def test_each_bad_input_is_one_message(server: Server, lake: Lake, recipe: Path, tmp_path: Path) -> None:
    (digest,) = registered(server, lake, recipe, "bad", 1)
    folder = lake.export("bad-1", b"bad1")
    lake.s3.put_object(Bucket="mumbai-models", Key="candidates/half/config.json", Body=b"{}")
    good = server.gate.write(tmp_path, model=digest)
    other = server.gate.write(tmp_path, model="9" * 64)
    edited = server.gate.write(tmp_path, model=digest, passed=False)
    edited.write_text(edited.read_text().replace("false", "true"))
    forged = Gate().write(tmp_path, model=digest)
    (absent := tmp_path / "absent").mkdir()
    refusals: dict[str, list[str | Path]] = {
        "is no folder of the lake": ["register", "bad", "/tmp/x", *origin(recipe)],
        "is empty, or not there": ["register", "bad", f"{folder}-absent", *origin(recipe)],
        "has no *.safetensors": ["register", "bad", "s3://mumbai-models/candidates/half", *origin(recipe)],
        "the image by its digest": ["register", "bad", folder, *origin(recipe, image="training:latest")],
        "two truths": ["register", "bad", folder, *origin(recipe, seed="8")],
        "is no name of a model": ["register", "bad.promotions", folder, *origin(recipe)],
        "MLflow refuses it": ["register", "other", folder, *origin(recipe), "--run", "0" * 32],
        "has no version 7: it has 1": ["promote", "bad", "7", "--verdict", good],
        f"{absent}/verdict.json can't be read": ["promote", "bad", "1", "--verdict", absent / "verdict.json"],
        "the verdict is of the model 999999999999": ["promote", "bad", "1", "--verdict", other],
        "is not signed by the gate": ["promote", "bad", "1", "--verdict", edited],
        f"is not signed by the gate ({server.gate.fingerprint[:12]})": [
            "promote",
            "bad",
            "1",
            "--verdict",
            forged,
        ],
        "by the golden set support 1.0.0": [
            "promote",
            "bad",
            "1",
            "--verdict",
            good,
            "--golden-set",
            "f" * 64,
        ],
        "no key of the gate": ["--key", "", "lineage", "bad"],
        "has no version to go back to": ["rollback", "bad"],
        "is no place": ["deployed", "bad", "1", "--at", "a b"],
        "Registered Model with name=absent not found": ["lineage", "absent"],
        "is no MLflow server that answers": ["--server", "http://127.0.0.1:9", "lineage", "bad"],
    }
    for said, words in refusals.items():
        done = server.registry(*words)
        assert done.returncode == 64, (said, done.stdout)
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: "), done.stderr
        assert said in line
    assert aliases(server, "bad") == {"candidate": 1}


def test_a_server_newer_than_the_program_is_named_and_refused(server: Server) -> None:
    class Newer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"4.0.1")

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing of it is of interest."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Newer) as newer:
        threading.Thread(target=newer.serve_forever, daemon=True).start()
        done = server.registry("--server", f"http://127.0.0.1:{newer.server_port}", "rollback", "x")
        newer.shutdown()
    assert done.returncode == 64
    assert "is MLflow 4.0.1, and this program has 3.17.2: run it in the image of the server" in done.stderr
