"""A real PostgreSQL on a socket of its own, for programs that run in processes of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = "unit"


@contextmanager
def postgresql() -> Iterator[Mapping[str, str]]:
    """libpq's variables of an empty server. Skips where this machine has none: Debian's package is `postgresql`."""
    programs = _programs()
    # Short: the path of a socket has 107 bytes at most.
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    home.chmod(0o755)
    # The server refuses to run as root.
    owner = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    os.chown(home, owner, -1)

    def run(program: str, *words: str) -> None:
        command = [programs / program, "-D", home / "data", *words]
        subprocess.run(command, cwd=home, user=owner, check=True, capture_output=True, timeout=300)

    # Durable it need not be: it ends with the test.
    options = f"-k {home} -c listen_addresses= -c fsync=off -c full_page_writes=off -c shared_buffers=16MB"
    try:
        run("initdb", "--auth=trust", f"--username={USER}", "--no-sync", "--encoding=UTF8", "--locale=C")
        run("pg_ctl", "start", "--wait", "--timeout=240", "-l", str(home / "log"), "-o", options)
        try:
            yield {"PGHOST": str(home), "PGUSER": USER, "PGDATABASE": "postgres"}
        finally:
            run("pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _programs() -> Path:
    """Where `initdb` and `pg_ctl` are: Debian keeps them out of the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which("initdb")
    if found and shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    if not debian:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql to have it tested")
    return debian[-1]
