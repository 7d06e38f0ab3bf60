"""A moto on loopback, as a process: in a test's own process all motos hold the same, and each test that begins with an
empty one would empty those of others."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.processes import free_port, start, stop, wait_until_listening

SECONDS = 120


@contextmanager
def moto() -> Iterator[str]:
    """Its address; it holds nothing yet."""
    port, program = free_port(), Path(sys.executable).with_name("moto_server")
    with tempfile.TemporaryDirectory(prefix="moto-") as folder:
        log = Path(folder) / "log"
        server = start([program, "--host", "127.0.0.1", "--port", str(port)], log)
        try:
            wait_until_listening(port, server, log, SECONDS)
            yield f"http://127.0.0.1:{port}"
        finally:
            stop(server)
