"""Settings of every test, and what a test without a marker may not do."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import examples

pytest_plugins = ["tests.mock_engine"]

examples.load()

# What starts a process or a server, as Python's own audit hooks name it.
_FORBIDDEN = ("subprocess.Popen", "os.posix_spawn", "os.fork", "socket.bind")
_unmarked: list[str] = []


def _audit(event: str, _arguments: tuple[Any, ...]) -> None:
    if _unmarked and event in _FORBIDDEN:
        raise RuntimeError(f"{_unmarked[0]} starts a process or a server ({event}): mark it `slow`")


sys.addaudithook(_audit)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where no slow test is wanted, a file of slow tests alone is not imported: moto and torch take seconds."""
    if config.getoption("markexpr") != "not slow" or collection_path.suffix != ".py":
        return None
    return True if "\npytestmark = pytest.mark.slow\n" in collection_path.read_text() else None


def pytest_collection_finish() -> None:
    """Do not look for cycles among all modules, tables and tests again and again: a worker holds over a gigabyte."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """`make unit` runs what is not marked, so that it is quick and works anywhere."""
    with _watched(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """The same. What is torn down after a test may be a server of tests before it, at the end of their folder."""
    with _watched(item):
        return (yield)


@contextmanager
def _watched(item: pytest.Item) -> Iterator[None]:
    if not (item.get_closest_marker("slow") or item.get_closest_marker("e2e")):
        _unmarked.append(item.nodeid)
    try:
        yield
    finally:
        _unmarked.clear()
