"""Notices of AWS, of Google and of Kubernetes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from workloads.training.trainer.interruption import Aws, Google, Interruption, Notice, metadata

pytestmark = pytest.mark.slow


class Service(ThreadingHTTPServer):
    """A metadata service on loopback: documents by path, behind the header of its cloud."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}
        self.token = "first"
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    @property
    def service(self) -> Service:
        assert isinstance(self.server, Service)
        return self.server

    def do_PUT(self) -> None:
        self.answer(200, self.service.token)

    def do_GET(self) -> None:
        aws = self.headers.get("X-aws-ec2-metadata-token") == self.service.token
        google = self.headers.get("Metadata-Flavor") == "Google"
        if not (google if self.path.startswith("/computeMetadata") else aws):
            self.answer(401, "")
            return
        document = self.service.documents.get(self.path)
        self.answer(404 if document is None else 200, document or "")

    def answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = Service()
    threading.Thread(target=service.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://{service.address}/")
    monkeypatch.setenv("GCE_METADATA_HOST", service.address)
    yield service
    service.shutdown()
    service.server_close()


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_aws_announces_a_rebalance_and_then_the_interruption(service: Service) -> None:
    aws = Aws()
    assert aws.notice() is None
    service.documents["/latest/meta-data/events/recommendations/rebalance"] = '{"noticeTime": "x"}'
    assert aws.notice() == Notice("AWS recommends a rebalance", final=False)
    service.documents["/latest/meta-data/spot/instance-action"] = '{"action": "terminate", "time": "x"}'
    assert aws.notice() == Notice("AWS announces a spot interruption", final=True)


def test_a_token_that_is_too_old_is_renewed(service: Service) -> None:
    aws = Aws()
    assert aws.notice() is None
    service.token = "second"
    service.documents["/latest/meta-data/spot/instance-action"] = "{}"
    assert aws.notice() == Notice("AWS announces a spot interruption", final=True)


@pytest.mark.parametrize(
    ("path", "quiet", "final"),
    [
        ("preempted", "FALSE", "TRUE"),
        ("maintenance-event", "MIGRATE_ON_HOST_MAINTENANCE", "TERMINATE_ON_HOST_MAINTENANCE"),
    ],
)
def test_google_announces_an_end(service: Service, path: str, quiet: str, final: str) -> None:
    google = Google()
    assert google.notice() is None
    service.documents[f"/computeMetadata/v1/instance/{path}"] = quiet
    assert google.notice() is None
    service.documents[f"/computeMetadata/v1/instance/{path}"] = final
    notice = google.notice()
    assert notice and notice.final


def wait_until(true: object) -> None:
    until = time.monotonic() + 30
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_process_hears_its_cloud(service: Service) -> None:
    lines: list[str] = []
    interruption = Interruption(metadata("aws"), lines.append)
    service.documents["/latest/meta-data/events/recommendations/rebalance"] = "{}"
    wait_until(lambda: interruption.at_risk)
    assert not interruption.stopping
    service.documents["/latest/meta-data/spot/instance-action"] = "{}"
    wait_until(lambda: interruption.stopping)
    assert interruption.reason == "AWS announces a spot interruption"
    assert lines == []


def test_a_service_that_is_away_is_said_once_and_the_signal_still_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:9")
    lines: list[str] = []
    interruption = Interruption(metadata("google"), lines.append)
    wait_until(lambda: lines)
    assert lines[0].startswith("event=metadata-silent")
    assert not interruption.at_risk
    os.kill(os.getpid(), signal.SIGTERM)
    assert interruption.stopping
    assert interruption.reason == "SIGTERM"


def test_a_recipe_without_a_cloud_asks_nobody() -> None:
    assert metadata("") is None
