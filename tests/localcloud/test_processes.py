"""Processes are known by id and start time, and ended with their children."""

from __future__ import annotations

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
