"""A real MLflow on a real PostgreSQL, with artifacts in moto's S3, and the program `registry` as a process."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud.environments import environment
from localcloud.processes import Process, free_port, start, stop, wait_until_listening
from tests.workloads.moto_server import moto
from tests.workloads.postgresql import postgresql
from tests.workloads.tracking.gate import Gate

TRACKING = Path(__file__).parents[3] / "workloads" / "tracking"
BUCKET = "mumbai-models"
SECONDS = 300
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
SHELL = """
import contextlib, io, json, sys
from registry.__main__ import main
for line in sys.stdin:
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        code = main(json.loads(line))
    print(json.dumps([code, out.getvalue(), error.getvalue()]), flush=True)
"""
KEYS = {"AWS_ACCESS_KEY_ID": "unit", "AWS_SECRET_ACCESS_KEY": "unit", "AWS_DEFAULT_REGION": "ap-south-1"}


@dataclass
class Server:
    """MLflow's server, started as the pod starts it. `env` is its environment, and that of its clients. `gate`: whose
    verdicts count."""

    python: Path
    home: Path
    env: Mapping[str, str]
    gate: Gate = field(default_factory=Gate)
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def migrate(self) -> subprocess.Popen[str]:
        """Begin what the init container does."""
        return subprocess.Popen(
            [self.python, TRACKING / "migrate.py"],
            env={**os.environ, **self.env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [
            "server", "--host=127.0.0.1", f"--port={self.port}", "--workers=1",
            "--backend-store-uri=postgresql+psycopg2://", "--serve-artifacts",
            f"--artifacts-destination=s3://{BUCKET}/tracking", f"--expose-prometheus={self.home}/metrics",
        ]  # fmt: skip
        # Of the pod's other names, the client's is this address.
        hosts = {"MLFLOW_SERVER_ALLOWED_HOSTS": f"tracking.tracking.svc:5000,127.0.0.1:{self.port}"}
        log = self.home / "log"
        self.process: Process = start([self.python, "-m", "mlflow", *words], log, {**self.env, **hosts})
        wait_until_listening(self.port, self.process, log, SECONDS)

    def kill(self) -> None:
        """The machine under it is gone."""
        if root := self.process.find():
            for member in (*root.children(recursive=True), root):
                member.send_signal(signal.SIGKILL)
            root.wait(60)

    @functools.cached_property
    def _shell(self) -> subprocess.Popen[str]:
        # Half of a command is the import of MLflow.
        return subprocess.Popen(
            [self.python, "-c", SHELL],
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def registry(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """What the program `registry` does, one command after the other in one process."""
        read, write = self._shell.stdout, self._shell.stdin
        assert read
        assert write
        write.write(json.dumps([*map(str, words)]) + "\n")
        write.flush()
        code, out, error = json.loads(read.readline())
        return subprocess.CompletedProcess(words, code, out, error)

    def _environment(self, **more: str) -> dict[str, str]:
        (key := self.home / "gate.pub").write_text(self.gate.public)
        own = {"MLFLOW_TRACKING_URI": self.url, "PYTHONPATH": str(TRACKING), "REGISTRY_WRITER": "unit"}
        return {**os.environ, **self.env, **own, "REGISTRY_VERDICT_KEY": str(key), **more}

    def end(self) -> None:
        """End what runs."""
        if shell := self.__dict__.pop("_shell", None):
            shell.communicate(timeout=SECONDS)
        stop(self.process)

    def begin(self, *words: str | Path, **env: str) -> Running:
        """The program `registry`, begun as a process of its own."""
        return Running(
            subprocess.Popen(
                [self.python, "-m", "registry", *map(str, words)],
                env=self._environment(**env),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    def told(self, *words: str | Path) -> Any:
        """The JSON that `registry` prints."""
        done = self.registry(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def script(self, text: str, *words: str) -> Any:
        """The JSON that a few lines on MLflow's own client print, which has no keys of the lake's."""
        keyless = {name: value for name, value in self._environment().items() if not name.startswith("AWS_")}
        done = subprocess.run(
            [self.python, "-c", text, *words],
            env=keyless,
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # MLflow says where runs are to be seen, too.
        return json.loads(done.stdout.splitlines()[-1])


@dataclass(frozen=True)
class Running:
    """A program that runs."""

    process: subprocess.Popen[str]

    def end(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        out, error = self.process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, error)


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all tests: each has models of its own. Two replicas migrate its database at once."""
    python = environment(TRACKING / "requirements.txt")
    with postgresql() as database, moto() as store:
        s3 = boto3.client("s3", endpoint_url=store, region_name="ap-south-1", aws_access_key_id="unit",
                          aws_secret_access_key="unit")  # fmt: skip
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
        env = {**database, **QUIET, **KEYS, "AWS_ENDPOINT_URL": store}
        made = Server(python, tmp_path_factory.mktemp("mlflow"), env)
        for replica in [made.migrate(), made.migrate()]:
            out, error = replica.communicate(timeout=SECONDS)
            assert replica.returncode == 0, error
            assert out.startswith("event=migrated mlflow=3.17.2")
        made.start()
        try:
            yield made
        finally:
            made.end()


@dataclass(frozen=True)
class Lake:
    """The bucket `models`."""

    s3: Any

    def export(self, name: str, weights: bytes) -> str:
        """A folder as the trainer exports it; its address."""
        files: Sequence[tuple[str, bytes]] = (("config.json", b"{}"), ("model.safetensors", weights))
        for file, body in files:
            self.s3.put_object(Bucket=BUCKET, Key=f"candidates/{name}/{file}", Body=body)
        return f"s3://{BUCKET}/candidates/{name}"


@pytest.fixture(scope="package")
def lake(server: Server) -> Lake:
    keys = {"aws_access_key_id": "unit", "aws_secret_access_key": "unit", "region_name": "ap-south-1"}
    return Lake(boto3.client("s3", endpoint_url=server.env["AWS_ENDPOINT_URL"], **keys))
