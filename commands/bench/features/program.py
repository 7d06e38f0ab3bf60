"""Measures in Feast's environment, with the servers that its variables name: prints one JSON object.

Each pair takes turns in one process, since a machine may slow down.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from programs.generate import Plan, generate
from programs.keys import keys_of
from programs.materialise import defined, materialise, redis_of, register
from programs.online import OnlineReader
from programs.options import Options
from programs.store import open_store

DAYS = 8
# Of yesterday, so that what is read is not too old; midnight in India is 18:30 UTC.
END = datetime.now(UTC).replace(hour=19, minute=0, second=0, microsecond=0) - timedelta(days=1)
FIRST = END.date() - timedelta(days=DAYS - 1)
READS, WARM = 3000, 200


def main(accounts: int) -> dict[str, Any]:
    """The figures of a lake of so many accounts."""
    options = Options.read()
    generate(options.lake, Plan(FIRST, DAYS, accounts, 0))
    filled = _materialised(options, accounts)
    return {"accounts": accounts, "materialisation": filled, "reads": _reads(options, accounts)}


def _materialised(options: Options, accounts: int) -> dict[str, float]:
    """Rows a second into an empty Redis: Feast's own, ours, and ours when one day is new."""
    bare = replace(options, project=f"{options.project}_bare")
    definitions = register(bare)
    store = open_store(bare)
    names = [view.name for view in definitions.online]
    begun = time.perf_counter()
    store.materialize(END - timedelta(days=30), END, names)
    feasts = time.perf_counter() - begun
    begun = time.perf_counter()
    first = materialise(options, END - timedelta(days=1))
    whole = time.perf_counter() - begun
    begun = time.perf_counter()
    second = materialise(options, END)
    rows = len(names) * accounts
    return {
        "feast_rows_a_second": rows / feasts,
        "whole_rows_a_second": sum(first.written.values()) / whole,
        "day_rows_a_second": sum(second.written.values()) / (time.perf_counter() - begun),
    }


def _reads(options: Options, accounts: int) -> dict[str, dict[str, float]]:
    """Milliseconds of a read of one account, every feature of the service."""
    store = open_store(options)
    client, reader = redis_of(store), OnlineReader(store)
    service = store.get_feature_service("loan_risk")
    (view, *_) = defined(options).online
    names = [f"acc-{number * 7919 % accounts:07d}" for number in range(WARM + READS)]
    keys = list(keys_of(view, options.project, ((name,) for name in names)))
    with tempfile.TemporaryDirectory(prefix="fb-") as home, _server(Path(home) / "s") as ask:
        ways: dict[str, Callable[[int], Any]] = {
            "hgetall": lambda at: client.hgetall(keys[at]),
            "feast": lambda at: store.get_online_features(service, {"account_id": [names[at]]}),
            "reader": lambda at: reader.read(service, {"account_id": [names[at]]}, END),
            "server": lambda at: ask(names[at]),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for at in range(WARM + READS):
            for name, way in ways.items():
                begun = time.perf_counter()
                way(at)
                taken[name].append(1000 * (time.perf_counter() - begun))
    return {name: _quantiles(each[WARM:]) for name, each in taken.items()}


class _server:
    """The server on a socket, and a question to it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Callable[[str], Any]:
        import socket

        words = [
            sys.executable,
            "-m",
            "programs",
            "serve",
            "--socket",
            str(self._path),
            "--metrics-port",
            "0",
        ]
        self._process = subprocess.Popen(words)
        while not self._path.exists():
            assert self._process.poll() is None, "the server ended"
            time.sleep(0.1)
        line = HTTPConnection("features")
        line.sock = socket.socket(socket.AF_UNIX)
        line.sock.connect(str(self._path))

        def ask(name: str) -> Any:
            line.request(
                "POST",
                "/get-online-features",
                json.dumps({"entities": {"account_id": [name]}, "feature_service": "loan_risk"}),
            )
            answer = line.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            return body

        return ask

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


def _quantiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": cuts[49], "p99": cuts[98]}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
