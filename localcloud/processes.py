"""Processes that outlive a command: started with a log, known by their ids, ended only if they are still ours."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

# Below those that systems hand out to connections: Linux from 32768, macOS from 49152.
SERVER_PORTS = range(20_000, 32_768)


@dataclass(frozen=True)
class Process:
    """An id alone may be given out again by the system: with its start time it is one process for ever."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Process:
        """The running process with a pid."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The live process, or None once it has ended (or its id belongs to another)."""
        try:
            process = psutil.Process(self.pid)
            ours = abs(process.create_time() - self.started) < 1
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def start(command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None) -> Process:
    """Start a process in a session of its own, so that it outlives this command and its terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    return Process.of(child.pid)


def stop(process: Process, grace: float = 10) -> None:
    """End a process and its children, gently first. Nothing happens if it has ended already."""
    root = process.find()
    if root is None:
        return
    family = [root, *root.children(recursive=True)]
    for send in (signal.SIGTERM, signal.SIGKILL):
        for member in family:
            _signal(member, send)
        _, family = psutil.wait_procs(family, timeout=grace)
        if not family:
            return


def _signal(member: psutil.Process, number: signal.Signals) -> None:
    try:
        member.send_signal(number)
    except psutil.NoSuchProcess:
        return


def free_port() -> int:
    """A port that nobody has now, and that no outgoing connection is given before the caller listens on it."""
    for port in random.sample(SERVER_PORTS, len(SERVER_PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port
    raise RuntimeError(f"no port of {SERVER_PORTS[0]} to {SERVER_PORTS[-1]} is free")


def wait_until_listening(port: int, process: Process, log: Path, timeout: float = 60) -> None:
    """Wait until something listens on the port; if the process ends first, say so with the end of its log."""
    wait_until(lambda: _listens(port), f"nothing listens on port {port}", process, log, timeout)


def wait_until(holds: Callable[[], bool], unless: str, process: Process, log: Path, timeout: float) -> None:
    """Wait until something holds of a process. Raises RuntimeError with the end of its log if it ends first, or does
    not come so far in time."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if holds():
            return
        if process.find() is None:
            break
        time.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise RuntimeError(f"{unless}; the end of {log}:\n{tail}")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
