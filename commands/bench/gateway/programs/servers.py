"""ASGI applications to measure against: `constant` answers at once, `engine` as an engine does, in its own time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MODEL = "bench"
ANSWER_SECONDS = 0.05
CHUNKS, CHUNK_SECONDS = 10, 1.0


def _whole(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"id": "1", "object": "chat.completion", "model": MODEL, "choices": [choice]}).encode()


ANSWER = _whole("answer " * 60)


async def constant(scope: Message, receive: Receive, send: Send) -> None:
    """The same answer to everything: the least that a server of HTTP can do here."""
    if scope["type"] == "http":
        await _read(receive)
        await _send(send, ANSWER)


async def engine(scope: Message, receive: Receive, send: Send) -> None:
    """An engine: streams come in parts, other answers after a while; `instant` in the prompt means at once."""
    if scope["type"] != "http":
        return
    body = await _read(receive)
    if scope["path"] == "/v1/models":
        await _send(send, json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode())
    elif not body:
        await _send(send, b"{}")
    elif json.loads(body).get("stream"):
        await _stream(send)
    else:
        await asyncio.sleep(0 if b"instant" in body else ANSWER_SECONDS)
        await _send(send, ANSWER)


async def _stream(send: Send) -> None:
    await send(_start(b"text/event-stream"))
    for at in range(CHUNKS):
        end = "stop" if at == CHUNKS - 1 else None
        said = {"choices": [{"index": 0, "delta": {"content": f"{at} "}, "finish_reason": end}]}
        await send(_body(b"data: " + json.dumps(said).encode() + b"\n\n", more=True))
        await asyncio.sleep(CHUNK_SECONDS)
    await send(_body(b"data: [DONE]\n\n"))


async def _read(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _send(send: Send, body: bytes) -> None:
    start = _start(b"application/json")
    start["headers"].append((b"content-length", str(len(body)).encode()))
    await send(start)
    await send(_body(body))


def _start(kind: bytes) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]}


def _body(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}
