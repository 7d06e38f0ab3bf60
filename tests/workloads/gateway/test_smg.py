"""The gateway's real program (SMG, the version and the flags of the component) before engines, and behind the cache."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from localcloud.processes import free_port, start, stop, wait_until_listening
from tests.workloads.gateway.conftest import KEYS, SECONDS, Engine, Redis, StartCache, ask, eventually, prompt
from workloads.gateway.smg import WORKERS_FILE, flags, manifest

pytestmark = pytest.mark.slow
METRICS = ("smg_http_requests_total", "smg_router_requests_total", "smg_worker_selection_total")


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    three = [Engine("sarvam"), Engine("sarvam"), Engine("krutrim")]
    for engine in three:
        engine.run()
    yield three
    for engine in three:
        engine.close()


@pytest.fixture
def gateway(python: Path, engines: list[Engine], tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The addresses of SMG and of its metrics. One of its workers is nowhere from the start."""
    servers = {"chat": [engines[0].url, engines[1].url, "http://127.0.0.1:9"], "other": [engines[2].url]}
    (tmp_path / WORKERS_FILE).write_text(manifest(servers))
    port, metrics_port = free_port(), free_port()
    words = flags(str(tmp_path), KEYS, port=port, metrics_port=metrics_port, host="127.0.0.1")
    process = start([python, "-m", "smg.launch_router", *words], tmp_path / "log")
    try:
        wait_until_listening(port, process, tmp_path / "log", SECONDS)
        eventually(lambda: asyncio.run(models(f"http://127.0.0.1:{port}")) == {"sarvam", "krutrim"})
        yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}/metrics"
    finally:
        stop(process)


async def models(url: str) -> set[str]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/models") as answer:
        said = await answer.json(content_type=None)
    return {model["id"] for model in said.get("data", [])}


def test_one_door_to_several_models_which_outlives_an_engine(
    gateway, engines, start_cache: StartCache, redis: Redis
):
    url, metrics_url = gateway
    cache = start_cache(url, redis.url, redis_seconds=20.0)

    async def asked() -> None:
        by_model = {
            model: json.loads((await ask(cache.url, prompt("who?", model=model))).body)
            for model in ("sarvam", "krutrim")
        }
        for model, said in by_model.items():
            assert said["choices"][0]["message"]["content"].endswith(f"of {model}")
        assert (await ask(cache.url, prompt("who?", model="none"))).status == 404
        assert (await ask(cache.url, prompt("who?"), key="nobody's")).status == 401
        streamed = await ask(cache.url, prompt("stream", stream=True))
        assert streamed.body.count(b"data: ") == 6 and streamed.body.endswith(b"data: [DONE]\n\n")
        kept = len(redis.entries())
        for _ in range(2):
            # SMG makes of an engine that dies in mid-stream a stream with an error in it and an end as of a whole one.
            cut = await ask(cache.url, prompt("cut", stream=True, test="cut"))
            assert b'"stream_error"' in cut.body and cut.body.endswith(b"data: [DONE]\n\n")
            assert cut.outcome == "miss"
            # Of another revision than the cache keeps answers by: as of a pod of the model before, in a rollout.
            assert (await ask(cache.url, prompt("who?", test="named"))).outcome == "miss"
        assert len(redis.entries()) == kept
        engines[0].close()
        after = await asyncio.gather(*(ask(cache.url, prompt(f"after {at}")) for at in range(30)))
        assert [answer.status for answer in after] == [200] * 30
        async with aiohttp.ClientSession() as session, session.get(metrics_url) as answer:
            seen = await answer.text()
        assert not [name for name in METRICS if f"\n{name}{{" not in seen]

    asyncio.run(asked())
