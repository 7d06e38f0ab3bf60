"""How the gate in front of an object store reads a request."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from localcloud.permissions.gate import Gate, HttpRequest, HttpResponse


@pytest.mark.slow
@pytest.mark.parametrize("host", ["", "http://bucket.example:80"])
def test_a_client_may_write_the_whole_address(host: str) -> None:
    """As AWS's C runtime does (RFC 9112, 3.2.2)."""
    seen: list[HttpRequest] = []

    def answer(asked: HttpRequest) -> HttpResponse:
        seen.append(asked)
        return HttpResponse(200, {}, b"here")

    with Gate(answer) as gate:
        at = urlsplit(gate.url)
        with socket.create_connection((at.hostname, at.port), timeout=60) as connection:
            connection.sendall(
                f"GET {host}/lake/key?a=http://b/c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
            )
            said = b"".join(iter(lambda: connection.recv(4096), b""))
    assert said.endswith(b"here")
    assert [asked.target for asked in seen] == ["/lake/key?a=http://b/c"]
