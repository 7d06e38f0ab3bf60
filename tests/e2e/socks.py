"""A SOCKS5 proxy on loopback, as `ssh -D` is one: it connects where it is asked to, and remembers where that was."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """`asked` are the hosts and ports that clients named."""

    port: int
    asked: list[tuple[str, int]] = field(default_factory=list)


@contextmanager
def proxy() -> Iterator[Proxy]:
    """A proxy that runs for a while, without authentication (RFC 1928)."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = Proxy(listening.getsockname()[1])
        threading.Thread(target=_accept, args=(listening, running), daemon=True).start()
        try:
            yield running
        finally:
            # A thread that accepts keeps a socket open that was only closed.
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, running: Proxy) -> None:
    with suppress(OSError):  # it was closed: nobody asks any more
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_serve, args=(client, running), daemon=True).start()


def _serve(client: socket.socket, running: Proxy) -> None:
    with client, client.makefile("rb") as asked:
        _, methods = asked.read(2)
        asked.read(methods)
        client.sendall(b"\x05\x00")
        _, command, _, kind = asked.read(4)
        assert command == 1, "CONNECT"
        host = socket.inet_ntoa(asked.read(4)) if kind == 1 else asked.read(asked.read(1)[0]).decode()
        port = int.from_bytes(asked.read(2), "big")
        running.asked.append((host, port))
        with socket.create_connection((host, port)) as server:
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while some := source.recv(65536):
            target.sendall(some)
        target.shutdown(socket.SHUT_WR)
