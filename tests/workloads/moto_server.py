"""A moto on loopback, in this process, for programs that run in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from moto.server import ThreadedMotoServer


@contextmanager
def moto() -> Iterator[str]:
    """Its address. It begins with nothing: what moto holds belongs to the process, and an earlier test may have left
    some."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    try:
        requests.post(f"{endpoint}/moto-api/reset", timeout=60).raise_for_status()
        yield endpoint
    finally:
        server.stop()
