"""The rows of `make bench PART=gateway`: ratios of one round, and its servers as the cache judges them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rich.console import Console

from commands.bench.gateway import part
from commands.bench.gateway.programs import servers
from workloads.gateway.cache import answers

ROUND = {"per_second": 1000.0, "p50_ms": 1.0, "p99_ms": 2.0, "lost": 0.0, "seconds": 3.0}


def test_a_ratio_is_of_the_same_round() -> None:
    rounds = {
        "constant": [{"per_second": 100.0}, {"per_second": 10.0}, {"per_second": 1000.0}],
        "hit": [{"per_second": 50.0}, {"per_second": 5.0}, {"per_second": 400.0}],
    }
    assert part.ratio(rounds, "hit", "constant", "per_second") == 0.5


def test_the_tables_say_what_was_lost() -> None:
    stream = {**ROUND, "lost": 7.0, "first_p50_ms": 10.0, "first_p99_ms": 20.0}
    console = Console(width=120, record=True)
    for table in part.tables({"rounds": {"constant": [ROUND], "hit": [ROUND]}, "streams": {"all": stream}}):
        console.print(table)
    text = console.export_text()
    assert "1.00 ×" in text and " 7 " in text


async def answered(body: bytes) -> bytes:
    """What the engine of the bench says."""
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    await servers.engine({"type": "http", "path": "/v1/chat/completions"}, receive, send)
    return b"".join(sent)


def test_its_answers_are_such_as_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "CHUNK_SECONDS", 0)
    stream = asyncio.run(answered(b'{"stream":true}'))
    assert answers.refusal("text/event-stream", stream) == ""
    assert answers.refusal("application/json", asyncio.run(answered(b'{"x": "instant"}'))) == ""
