"""Each test has its own PATH, cache and table of tools; nothing outside this machine is asked."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from localcloud.toolchain import build, find, releases, tools
from localcloud.toolchain.tools import Tool
from tests.localcloud.toolchain.release_site import GO, Machine, Site


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    for name in ("INDIA_AI_INFRA_BIN", "KUBEBUILDER_ASSETS", "XDG_DATA_HOME", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path / "run"))
    monkeypatch.setenv("HERE", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    # No test may ask a site that is not on this machine.
    monkeypatch.setenv(releases.MIRROR, "none")
    made.program("go", "go", GO)
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(tmp_path / "go"), str(tmp_path / "own"), "/usr/bin", "/bin"])
    )
    return made


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tool]:
    """No tools but those that a test adds; the definitions of charts are there."""
    (tmp_path / "modules").mkdir()
    table: dict[str, Tool] = {}
    monkeypatch.setattr(tools, "MODULES", tmp_path / "modules")
    monkeypatch.setattr(tools, "tools", lambda: table)
    build.crds_cache().mkdir(parents=True)
    return table


@pytest.fixture
def site(modules: dict[str, Tool], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(404)
            self.end_headers()

        def do_GET(self) -> None:
            made.asked.append((self.path, self.headers.get("Range", "")))
            if self.path in made.answers:
                made.answers[self.path](self)
            else:
                self.send_error(404)

        def log_message(self, format: str, *args: object) -> None: ...

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            # Who has seen enough hangs up: no fault of the server's.
            if not isinstance(sys.exception(), ConnectionError):
                super().handle_error(request, client_address)  # type: ignore[arg-type]

    server = Server(("127.0.0.1", 0), Handler)
    made = Site(server.server_port)
    monkeypatch.setenv(releases.MIRROR, f"http://127.0.0.1:{made.port}")
    monkeypatch.setattr(releases, "table", lambda: made.rows)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, a program that is asked for its version is a failure."""

    def begin() -> None:
        def ran(*words: object, **_: object) -> None:
            raise AssertionError(f"{words} ran")

        monkeypatch.setattr(find.subprocess, "run", ran)

    return begin
