"""ASGI and HTTP of a proxy: which headers go on, requests of a bounded size, and clients that hang or go away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

# RFC 9110, 7.6.1: of one connection, and none of a proxy's business to hand on.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
NO_END = "the request did not come to its end in time; send it anew"


class GoneError(Exception):
    """The client went away, or was silent for too long; nobody is left to answer."""


class TooLargeError(Exception):
    """The request is larger than is allowed."""


def end_to_end(headers: Iterable[tuple[bytes, bytes]], *without: bytes) -> Headers:
    """The headers that a proxy hands on, those of `without` taken out."""
    lowered = [(name.lower(), value) for name, value in headers]
    listed = {
        name.strip().lower()
        for header, value in lowered
        if header == b"connection"
        for name in value.split(b",")
    }
    return [(name, value) for name, value in lowered if name not in HOP_BY_HOP | listed | set(without)]


async def read_body(receive: Receive, largest: int, seconds: float) -> bytes:
    """The whole request. Raises TooLargeError, TimeoutError between two parts, or GoneError."""
    parts: list[bytes] = []
    size = 0
    async for part in body_parts(receive, seconds):
        size += len(part)
        if size > largest:
            raise TooLargeError
        parts.append(part)
    return b"".join(parts)


async def body_parts(receive: Receive, seconds: float) -> AsyncIterator[bytes]:
    """The request's parts as they come in."""
    more = True
    while more:
        async with asyncio.timeout(seconds):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        more = message.get("more_body", False)
        if part := message.get("body", b""):
            yield part


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, but stop when the client goes away: then GoneError. Its request was read to the end before."""
    watch = asyncio.create_task(_gone(receive))
    doing = asyncio.create_task(work)
    try:
        await asyncio.wait((watch, doing), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise GoneError
        doing.result()
    finally:
        for task in (watch, doing):
            task.cancel()
        await asyncio.gather(watch, doing, return_exceptions=True)


async def begin(send: Send, status: int, headers: Headers) -> None:
    """The head of an answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def part(send: Send, body: bytes, seconds: float, *, more: bool = True) -> None:
    """A part of the answer. Raises GoneError where the client does not take it in time."""
    try:
        async with asyncio.timeout(seconds):
            await send({"type": "http.response.body", "body": body, "more_body": more})
    except TimeoutError as error:
        raise GoneError from error


async def refuse(send: Send, status: int, code: str, message: str) -> None:
    """An error as OpenAI's API words it."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    body = json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await begin(send, status, headers)
    await send({"type": "http.response.body", "body": body})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
