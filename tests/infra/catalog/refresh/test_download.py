"""The bounds of a download, against a server on this machine's loopback."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from infra.catalog.refresh import download as module
from infra.catalog.refresh.answers import FeedError
from infra.catalog.refresh.download import download

pytestmark = pytest.mark.slow

LARGE = 2**20 + 1


class _Feed(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code = {"/moved": 302, "/gone": 404, "/broken": 500}.get(self.path, 200)
        body = {"/large": b" " * LARGE, "/bomb": gzip.compress(b" " * LARGE)}.get(self.path, b"[1]")
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/good")
        if self.path == "/bomb":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) + (10 if self.path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@pytest.fixture(autouse=True)
def no_way_out() -> None:
    """Loopback is asked here, and nothing else."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Feed)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_body_is_what_was_sent(address: str) -> None:
    assert download(f"{address}/good", 100) == b"[1]"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/moved", "answered 302"),
        ("/gone", "answered 404"),
        ("/broken", "answered 500"),
        ("/large", "sent more than 1 MiB"),
        ("/bomb", "sent more than 1 MiB"),
        ("/short", r"could not be reached \(\w+Error\)"),
    ],
)
def test_anything_else_is_one_line(address: str, path: str, says: str) -> None:
    with pytest.raises(FeedError, match=says) as refused:
        download(f"{address}{path}", 2**20)
    assert "\n" not in str(refused.value)


def test_nobody_listens(address: str) -> None:
    with pytest.raises(FeedError, match="could not be reached"):
        download("http://127.0.0.1:9/", 100)


def test_a_server_that_dawdles_is_left(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALL_SECONDS", -1)
    with pytest.raises(FeedError, match="took more than -1 seconds"):
        download(f"{address}/good", 100)
