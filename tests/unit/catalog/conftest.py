"""A copy of the shipped tables to refresh, a day on which that is done, and no way out of this machine."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.catalog.refresh import command
from infra.catalog.tables import DATA

NOW = datetime(2026, 12, 1, 6, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def now() -> datetime:
    """When the tests' clouds are asked."""
    return NOW


@pytest.fixture
def tables_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that `make catalog` writes to, with the shipped tables in it."""
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    monkeypatch.setattr(command, "DATA", folder)
    return folder


@pytest.fixture(autouse=True)
def no_way_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A real cloud that is asked by mistake fails the test."""
    called: list[object] = []

    def refuse(host: object, *_: object, **__: object) -> None:
        called.append(host)
        raise OSError("tests call nobody")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert called == []
