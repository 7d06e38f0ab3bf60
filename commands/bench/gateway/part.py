"""Hits against a constant answer and against no cache, streams through everything, and what the gateway adds."""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.bench.gateway.processes import GATEWAY, KEY, REDIS_VALUE_BYTES, Running, running
from commands.console import console, step
from localcloud.directories import PROJECT, run_dir
from localcloud.environments import environment

ROUNDS = 3
AT_ONCE = 16
STREAMS = 1000
READY_SECONDS = 120

Numbers = Mapping[str, float]


class GatewayBenchError(Exception):
    """A program of the bench failed; the message has the end of what it printed."""


def run() -> None:
    """Measure, print, and keep the numbers in `.localcloud/bench-gateway.json`."""
    with step("the gateway's environment"):
        python = environment(GATEWAY / "requirements-tests.txt")
    # Short: the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="bench-") as home, running(python, Path(home)) as servers:
        numbers = measure(python, servers)
    for table in tables(numbers):
        console.print(table)
    kept = run_dir() / "bench-gateway.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(numbers, indent=1))
    console.print(f"wrote {kept}")


def measure(python: Path, servers: Running) -> dict[str, Any]:
    """Each row's numbers: the medians of rounds in which all took their turn."""

    def load(**told: Any) -> dict[str, float]:
        return _load(python, {"key": KEY, "connections": AT_ONCE, "prompts": 1, "prompt": "hit", **told})

    _prepare(python, servers)
    turns = {
        "Redis GET": {"socket": str(servers.redis), "requests": 8000},
        "constant": {"port": servers.constant, "requests": 5000},
        "hit, one prompt": {"port": servers.cache, "requests": 3000},
        "hit, 1,000 prompts": {"port": servers.cache, "requests": 3000, "prompts": 1000, "prompt": "many"},
        "no cache": {"port": servers.engine, "requests": 500, "prompts": 1000},
        "engine, instant": {"port": servers.engine, "requests": 2000, "prompt": "instant"},
        "gateway, instant": {"port": servers.gateway, "requests": 2000, "prompt": "instant"},
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in turns}
    with step(f"{ROUNDS} rounds"):
        load(port=servers.cache, requests=1000, prompts=1000, prompt="many")
        for _ in range(ROUNDS):
            for name, told in turns.items():
                rounds[name].append(load(**told))
    with step(f"{STREAMS} streams at once"):
        told = {"requests": STREAMS, "connections": STREAMS, "prompts": STREAMS, "stream": True}
        streams = {
            "engine": load(port=servers.engine, **told),
            "cache, gateway, engine": load(port=servers.cached_gateway, **told),
            "from the cache": load(port=servers.cached_gateway, **told),
        }
    return {"rounds": rounds, "streams": streams}


def _prepare(python: Path, servers: Running) -> None:
    """A value in Redis, and a gateway that knows its engine."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(servers.redis))
        line.sendall(
            b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$%d\r\n%s\r\n" % (REDIS_VALUE_BYTES, b"x" * REDIS_VALUE_BYTES)
        )
        line.recv(16)
    until = time.monotonic() + READY_SECONDS
    told = {"key": KEY, "connections": 1, "prompts": 1, "prompt": "instant", "requests": 1}
    while _load(python, {**told, "port": servers.gateway})["lost"]:
        if time.monotonic() > until:
            raise GatewayBenchError(f"the gateway knows no model after {READY_SECONDS} s")


def _load(python: Path, told: Mapping[str, Any]) -> dict[str, float]:
    ran = subprocess.run(
        [python, "-m", "commands.bench.gateway.programs.load"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise GatewayBenchError(f"the client failed:\n{ran.stderr[-3000:]}")
    return json.loads(ran.stdout)


def ratio(rounds: Mapping[str, list[dict[str, float]]], one: str, other: str, of: str) -> float:
    """The median of the ratios of the rounds: what disturbs one round disturbs both."""
    pairs = zip(rounds[one], rounds[other], strict=True)
    return statistics.median(mine[of] / theirs[of] for mine, theirs in pairs)


def tables(numbers: Mapping[str, Any]) -> list[Table]:
    """What was measured."""
    return [_rounds(numbers["rounds"]), _streams(numbers["streams"])]


def _rounds(rounds: Mapping[str, list[dict[str, float]]]) -> Table:
    table = _table(f"{AT_ONCE} at once", "what", "requests/s", "p50, ms", "p99, ms", "of the constant")
    for name, found in rounds.items():
        of = {
            key: statistics.median(each[key] for each in found) for key in ("per_second", "p50_ms", "p99_ms")
        }
        share = ratio(rounds, name, "constant", "per_second")
        table.add_row(
            name, f"{of['per_second']:,.0f}", f"{of['p50_ms']:.2f}", f"{of['p99_ms']:.2f}", f"{share:.2f} ×"
        )
    return table


def _streams(streams: Mapping[str, Numbers]) -> Table:
    table = _table(
        f"{STREAMS:,} streams at once", "through", "lost", "all, s", "first byte p50, ms", "p99, ms"
    )
    for name, found in streams.items():
        cells = (
            f"{found['lost']:.0f}",
            f"{found['seconds']:.1f}",
            f"{found['first_p50_ms']:.0f}",
            f"{found['first_p99_ms']:.0f}",
        )
        table.add_row(name, *cells)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left")
    return table
