"""A gate in front of an object store: it reads each request, and lets it through or refuses it."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What belongs to one connection and not to the message (RFC 9110, 7.6.1), and what the server counts itself.
_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came, its body whole."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class HttpResponse:
    """A response, its body whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


Answer = Callable[[HttpRequest], HttpResponse]


class Gate:
    """An HTTP server on loopback, which gives every request to `answer`. `with` starts and stops it."""

    def __init__(self, answer: Answer, host: str = "127.0.0.1", port: int = 0) -> None:
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
        self._server = ThreadingHTTPServer((host, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self._server.server_address[0]}:{self._server.server_port}"

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def forward(asked: HttpRequest, address: str) -> HttpResponse:
    """What the server at `address` (host and port) answers to the same request."""
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request(asked.method, asked.target, asked.body or None, _passed_on(asked.headers))
        answer = connection.getresponse()
        return HttpResponse(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """Without `Expect`, which the gate has answered already."""
    return {
        name: value for name, value in headers.items() if name.lower() not in {*_OF_THE_CONNECTION, "expect"}
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Answer

    def _do(self) -> None:
        # AWS's C runtime, with which weights are streamed, writes the whole address (RFC 9112, 3.2.2).
        target = re.sub(r"^https?://[^/]+", "", self.path)
        answered = self.answer(HttpRequest(self.command, target, dict(self.headers.items()), self._body()))
        self.send_response(answered.status)
        for name, value in answered.headers.items():
            if name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        # The length of what a HEAD asks about is not that of its answer.
        known = {name.lower(): value for name, value in answered.headers.items()}
        length = known.get("content-length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(answered.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answered.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _do

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: what came is in the record."""
