"""Processes are known by id and start time, and ended with their children."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from localcloud import processes
from localcloud.processes import Process

pytestmark = pytest.mark.slow

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_started_process_lives_until_it_is_stopped(tmp_path: Path) -> None:
    process = processes.start(SLEEP, tmp_path / "log")
    assert process.find() is not None
    processes.stop(process)
    assert process.find() is None
    processes.stop(process)  # a second time is no error


def test_an_id_given_out_again_is_another_process(tmp_path: Path) -> None:
    process = processes.start(SLEEP, tmp_path / "log")
    stranger = Process(process.pid, process.started - 100)
    assert stranger.find() is None
    processes.stop(stranger)
    assert process.find() is not None, "a process that is not ours was ended"
    processes.stop(process)


def test_children_are_ended_too(tmp_path: Path) -> None:
    parent = processes.start(
        [sys.executable, "-c", f"import subprocess; subprocess.run({SLEEP!r})"], tmp_path / "log"
    )
    root = parent.find()
    assert root is not None
    while not (children := root.children()):
        pass
    processes.stop(parent)
    assert not any(child.is_running() for child in children)


def test_a_server_that_dies_at_once_is_quoted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = processes.start([sys.executable, "-c", "raise SystemExit('no such option')"], log)
    with pytest.raises(RuntimeError, match="no such option"):
        processes.wait_until_listening(processes.free_port(), process, log, timeout=20)


def test_a_free_port_is_one_that_no_connection_is_given() -> None:
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    ports = [processes.free_port() for _ in range(50)]
    assert not [port for port in ports if int(first) <= port <= int(last)]
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "SERVER_PORTS", [taken.getsockname()[1]])
        with pytest.raises(RuntimeError, match="is free"):
            processes.free_port()
