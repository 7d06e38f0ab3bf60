"""Calls of the AWS API, when the one who answers has failed inside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from localcloud.providers.aws.api import ENDPOINT, Api, RefusedError

pytestmark = pytest.mark.slow

# As moto answers where a thread has changed what another reads, whatever the protocol of the service.
FAILED = b"<!doctype html>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n"
USERS = (
    b'<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUsersResult>'
    b"<IsTruncated>false</IsTruncated><Users/></ListUsersResult></ListUsersResponse>"
)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], list[str]]]:
    """An endpoint that fails so many times before it answers; the requests that reached it."""
    servers: list[ThreadingHTTPServer] = []

    def serve(times: int) -> list[str]:
        seen: list[str] = []

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                seen.append(self.path)
                status, body = (500, FAILED) if len(seen) <= times else (200, USERS)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on the tests' screen."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{server.server_port}")
        return seen

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_call_that_failed_inside_is_made_again(failing: Callable[[int], list[str]]) -> None:
    seen = failing(2)
    assert Api().call("iam", "ap-south-1", "ListUsers", {})["Users"] == []
    assert len(seen) == 3


def test_one_that_always_fails_ends_in_a_refusal(failing: Callable[[int], list[str]]) -> None:
    failing(100)
    with pytest.raises(RefusedError, match="ListUsers was refused: ResponseParserError: Unable to parse"):
        Api().call("iam", "ap-south-1", "ListUsers", {})
