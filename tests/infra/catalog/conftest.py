"""A copy of the shipped tables to refresh, a day on which that is done, and no way out of this machine."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commands import catalog as command
from infra.catalog.refresh.answers import FeedError
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
def public(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What public addresses send to `make catalog`, by the end of the address; no other can be reached."""
    sent: dict[str, bytes] = {}

    def download(url: str, most_bytes: int) -> bytes:
        body = next((body for end, body in sent.items() if url.endswith(end)), None)
        if body is None:
            raise FeedError("could not be reached (ConnectionError)")
        assert len(body) < most_bytes
        return body

    monkeypatch.setattr(command, "download", download)
    return sent


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
