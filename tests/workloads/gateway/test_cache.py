"""The cache as a process, with a real Redis and a scripted engine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from typing import Any

import aiohttp
import pytest

from commands.erase.cache import CacheError, erase
from tests.workloads.gateway.conftest import (
    ADMIN,
    KEYS,
    SECONDS,
    Answer,
    Cache,
    Engine,
    Redis,
    StartCache,
    ask,
    eventually,
    prompt,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(start_cache: StartCache, engine: Engine, redis: Redis) -> Cache:
    # Redis answers late on a machine that is busy: tests of the cache are none of its time-out.
    return start_cache(engine.url, redis.url, redis_seconds=20.0, lock_seconds=60.0)


def both(cache: Cache, body: object, **more: str) -> tuple[Answer, Answer]:
    async def twice() -> tuple[Answer, Answer]:
        return await alone(cache, body, **more), await alone(cache, body, **more)

    return asyncio.run(twice())


def at_once(engine: Engine, count: int, body: object, *caches: Cache) -> list[Answer]:
    """The answers of requests that all wait before the first is answered (with `test: wait`)."""

    async def all_of_them() -> list[Answer]:
        asking = [asyncio.create_task(ask(caches[at % len(caches)].url, body)) for at in range(count)]
        await waiting(count, *caches)
        engine.gate.set()
        return await asyncio.gather(*asking)

    engine.gate.clear()
    return asyncio.run(all_of_them())


async def waiting(count: int, *caches: Cache) -> None:
    """Returns when that many requests wait."""
    async with asyncio.timeout(SECONDS):
        while sum([await cache.metric("gateway_cache_waiting") for cache in caches]) < count:
            await asyncio.sleep(0.02)


async def alone(cache: Cache, body: object, key: str = KEYS["bank"], **more: str) -> Answer:
    """An answer, once it has been kept: it is whole for its client a moment before."""
    answer = await ask(cache.url, body, key, **more)
    async with asyncio.timeout(SECONDS):
        while await cache.metric("gateway_cache_waiting"):
            await asyncio.sleep(0.02)
    return answer


def delete(url: str, key: str = ADMIN) -> tuple[int, dict[str, object]]:
    async def gone() -> tuple[int, dict[str, object]]:
        headers = {"authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession() as session, session.delete(url, headers=headers) as answer:
            return answer.status, await answer.json()

    return asyncio.run(gone())


def metric(cache: Cache, sample: str) -> float:
    return asyncio.run(cache.metric(sample))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"])
def test_the_second_time_the_engine_is_not_asked(cache, engine, path):
    before = len(engine.calls)
    first, second = both(cache, prompt(f"first of {path}"), path=path)
    assert (first.outcome, second.outcome) == ("miss", "hit")
    assert first.body == second.body
    assert len(engine.calls) == before + 1
    assert second.headers["Content-Type"].startswith("application/json")
    assert int(second.headers["Age"]) >= 0


def test_a_stream_is_replayed_as_a_stream(cache, engine):
    before = len(engine.calls)
    first, second = both(cache, prompt("stream", stream=True))
    assert (first.outcome, second.outcome) == ("miss", "hit")
    assert first.body == second.body
    assert first.body.endswith(b"data: [DONE]\n\n")
    assert second.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert "Content-Length" not in second.headers
    assert len(engine.calls) == before + 1


def test_tenants_never_see_each_others_answers(cache):
    async def each() -> list[Answer]:
        return [await alone(cache, prompt("whose?"), key) for key in [*KEYS.values(), "nobody's"] * 2]

    answers = asyncio.run(each())
    assert [answer.outcome for answer in answers] == ["miss", "miss", "", "", "hit", "hit", "", ""]
    by_key = [answer.body for answer in answers]
    assert by_key[0] == by_key[4] and by_key[1] == by_key[5]
    assert len(set(by_key)) == 6


@pytest.mark.parametrize("stream", [False, True])
def test_a_hundred_identical_misses_are_one_call(cache, engine, stream):
    before = len(engine.calls)
    answers = at_once(engine, 100, prompt(f"stampede {stream}", stream=stream, test="wait"), cache)
    assert len(engine.calls) == before + 1
    assert len({answer.body for answer in answers}) == 1
    assert Counter(answer.outcome for answer in answers) == {"miss": 1, "joined": 99}


def test_two_processes_make_one_call_too(cache, engine, redis, start_cache):
    other = start_cache(engine.url, redis.url, redis_seconds=20.0, lock_seconds=60.0)
    before = len(engine.calls)
    answers = at_once(engine, 40, prompt("two processes", stream=True, test="wait"), cache, other)
    assert len(engine.calls) == before + 1
    assert len({answer.body for answer in answers}) == 1
    assert Counter(answer.outcome for answer in answers) == {"miss": 1, "joined": 39}


@pytest.mark.parametrize("test", ["cut", "error"])
def test_a_stream_that_breaks_is_not_kept(cache, engine, redis, test):
    kept, before = len(redis.entries()), len(engine.calls)

    async def broken() -> None:
        try:
            await ask(cache.url, prompt("broken", stream=True, test=test))
        except aiohttp.ClientPayloadError:
            assert test == "cut"
        else:
            assert test == "error"

    for _ in range(2):
        asyncio.run(broken())
    assert len(engine.calls) == before + 2
    assert len(redis.entries()) == kept


@pytest.mark.parametrize("test", ["over the context", "abort", "large"])
def test_what_is_wrong_or_too_large_is_passed_on_and_not_kept(cache, engine, redis, test):
    kept = len(redis.entries())
    first, second = both(cache, prompt("wrong", test=test))
    assert (first.outcome, second.outcome) == ("miss", "miss")
    assert first.status == second.status == (400 if test == "over the context" else 200)
    assert len(redis.entries()) == kept


def test_a_poisoned_entry_is_a_miss_and_goes(cache, redis):
    before = {reason: metric(cache, _poisoned(reason)) for reason in ("seal", "version")}
    bank, shop = prompt("poisoned"), prompt("of another")
    known = set(redis.entries())
    asyncio.run(alone(cache, bank))
    (key,) = set(redis.entries()) - known
    asyncio.run(alone(cache, shop, KEYS["shop"]))
    (other,) = set(redis.entries()) - known - {key}
    for entry in (b"junk", b"", redis.do("GET", other), redis.do("GET", key)[:-3]):
        redis.do("SET", key, entry)
        again, then = both(cache, bank)
        assert (again.outcome, then.outcome) == ("miss", "hit")
        assert b"of another" not in again.body
    assert metric(cache, _poisoned("version")) == before["version"] + 2
    assert metric(cache, _poisoned("seal")) == before["seal"] + 2


def _poisoned(reason: str) -> str:
    return f'gateway_cache_poisoned_total{{reason="{reason}"}}'


def test_an_erasure_leaves_nothing_of_a_principal(cache, redis):
    async def both_of_them() -> None:
        for user, text in (("asha/1@example.in", "Asha's loan"), ("ravi", "Ravi's loan")):
            for at in range(3):
                asked = prompt(f"{text} {at}", user=user)
                await alone(cache, asked, KEYS["lab"])
                assert (await alone(cache, asked, KEYS["lab"])).outcome == "hit"

    before = len(redis.entries())
    asyncio.run(both_of_them())
    assert len(redis.entries()) == before + 6
    assert delete(f"{cache.url}/cache/principals/asha%2F1@example.in", key=KEYS["lab"])[0] == 401
    status, record = delete(f"{cache.url}/cache/principals/asha%2F1@example.in")
    assert (status, record["erased"]) == (200, 3)
    assert "8(7)" in str(record["law"]) and "asha" not in json.dumps(record)
    left = redis.entries()
    assert len(left) == before + 3
    tag = str(record["principal"]).encode()
    assert not any(tag in key for key in left)
    assert delete(f"{cache.url}/cache/principals/asha%2F1@example.in")[1]["erased"] == 0
    # What was on its way when it was erased is not kept either.
    first, second = both(cache, prompt("late", user="asha/1@example.in"), key=KEYS["lab"])
    assert (first.outcome, second.outcome) == ("miss", "miss")
    assert not any(text in cache.log.read_text() for text in ("loan", "asha@", *KEYS.values(), ADMIN))


def test_a_tenants_entries_alone_and_a_revision_can_be_erased(cache):
    async def fill() -> list[Answer]:
        keys = (KEYS["bank"], KEYS["shop"])
        return [await alone(cache, prompt("shared", user="meena", model="old"), key) for key in keys]

    asyncio.run(fill())
    status, record = delete(f"{cache.url}/cache/principals/meena?tenant=bank")
    assert (status, record["erased"]) == (200, 1)
    assert delete(f"{cache.url}/cache/models/old?revision=other")[1]["erased"] == 0
    assert delete(f"{cache.url}/cache/models/old")[1]["erased"] == 1


def test_make_erase_erases_here_too(cache, tmp_path):
    key = tmp_path / "admin.key"
    key.write_text(f"{ADMIN}\n")
    asyncio.run(alone(cache, prompt("of the command", user="uma/ü 1"), KEYS["lab"]))
    record = erase(cache.url, key, "uma/ü 1")
    assert record["erased"] == 1 and "uma" not in json.dumps(record)
    with pytest.raises(CacheError, match=r"answered 401: .*administrator's key"):
        erase(cache.url, None, "uma/ü 1")
    with pytest.raises(CacheError, match=r"nowhere.key: No such file"):
        erase(cache.url, tmp_path / "nowhere.key", "uma")
    with pytest.raises(CacheError, match=r"did not answer .* run again"):
        erase("unix:///nowhere", key, "uma")


def test_a_client_that_goes_away_ends_its_call_unless_others_wait(cache, engine):
    async def one_leaves(count: int) -> None:
        body = prompt(f"one of {count} leaves", test="wait")
        asking = [asyncio.create_task(ask(cache.url, body)) for _ in range(count)]
        await waiting(count, cache)
        async with asyncio.timeout(SECONDS):
            while engine.calls[-1] != body:
                await asyncio.sleep(0.02)
        asking[0].cancel()
        await asyncio.wait(asking[:1])
        engine.gate.set() if count > 1 else None
        assert [(await task).status for task in asking[1:]] == [200] * (count - 1)

    engine.gate.clear()
    gone = engine.gone
    asyncio.run(one_leaves(1))
    eventually(lambda: engine.gone == gone + 1)
    asyncio.run(one_leaves(2))
    assert engine.gone == gone + 1


def test_what_is_not_cached_passes_as_it_is(cache, engine):
    async def through() -> tuple[Answer, dict[str, Any]]:
        async def parts():
            for part in (b"one ", b"two"):
                yield part

        headers = {
            "x-own": "2",
            "connection": "x-hop",
            "x-hop": "1",
            "cookie": "c=d",
            "accept-encoding": "identity",
        }
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            async with session.put(
                f"{cache.url}/files/a%2Fb?x=1&x=2", data=parts(), headers=headers
            ) as answer:
                first = await answer.json()
                seen = Answer(answer.status, answer.headers, b"")
            async with session.get(f"{cache.url}/files") as answer:
                return seen, {"first": first, "second": await answer.json()}

    answer, said = asyncio.run(through())
    first, second = (said[name] for name in ("first", "second"))
    assert first["path"] == "/files/a%2Fb?x=1&x=2"
    assert first["body"] == "one two"
    sent = {name.lower(): value for name, value in first["headers"].items()}
    assert sent["x-own"] == "2" and "x-hop" not in sent
    assert answer.headers["X-Own"] == "1" and "Keep-Alive" not in answer.headers
    # Another client's cookie is not this one's.
    assert "cookie" not in {name.lower() for name in second["headers"]}
    assert second["body"] == ""


def test_a_request_that_is_too_large_or_never_ends_is_refused(start_cache, engine, redis):
    small = start_cache(engine.url, redis.url, largest_request=1000, client_seconds=0.5)
    refused = asyncio.run(ask(small.url, prompt("x" * 2000)))
    assert refused.status == 413
    assert "1000 bytes" in json.loads(refused.body)["error"]["message"]

    async def hangs() -> bytes:
        host, port = small.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        return await asyncio.wait_for(reader.readline(), SECONDS)

    assert b"408" in asyncio.run(hangs())
    assert metric(small, 'gateway_cache_requests_total{outcome="refused"}') == 2


def test_without_a_gateway_the_client_is_told(start_cache, redis):
    alone = start_cache("http://127.0.0.1:9", redis.url, redis_seconds=20.0)
    for asked in (prompt("nobody"), prompt("nobody", temperature=1)):
        answer = asyncio.run(ask(alone.url, asked))
        assert answer.status == 502
        assert "could not be reached" in json.loads(answer.body)["error"]["message"]


def test_a_dead_or_hanging_redis_loses_no_request(python, start_cache, engine):
    redis = Redis(python)
    try:
        cache = start_cache(engine.url, redis.url, redis_seconds=0.2, redis_rest_seconds=0.2)
        first, _ = both(cache, prompt("before"))
        assert first.status == 200
        before = len(engine.calls)
        os.kill(redis.process.pid, signal.SIGSTOP)
        hanging = at_once(engine, 100, prompt("hangs", test="wait"), cache)
        assert [answer.status for answer in hanging] == [200] * 100
        # One call, though nobody could hold a lock.
        assert len(engine.calls) == before + 1
        os.kill(redis.process.pid, signal.SIGKILL)
        eventually(lambda: redis.process.find() is None)
        dead = at_once(engine, 100, prompt("dead", stream=True, test="wait"), cache)
        assert [answer.status for answer in dead] == [200] * 100
        assert delete(f"{cache.url}/cache/principals/asha")[0] == 503
        assert metric(cache, 'gateway_cache_redis_errors_total{operation="get"}') >= 1
        redis.socket.unlink(missing_ok=True)
        redis.start()
        eventually(lambda: both(cache, prompt("again"))[1].outcome == "hit")
    finally:
        redis.close()
