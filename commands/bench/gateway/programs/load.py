"""A client that asks as fast as it is answered, over connections that are kept, and counts. Reads what to do as JSON
from standard input, and prints what it saw: the same client for HTTP and for Redis, so that ratios are of servers."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

DONE = b"data: [DONE]\n\n"


@dataclass
class Seen:
    """Seconds until an answer began, and until it was whole; and the answers that were not."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    lost: int = 0


async def main(told: dict[str, Any]) -> dict[str, float]:
    """Ask `requests` times over `connections` connections."""
    seen, each = Seen(), told["requests"] // told["connections"]
    began = time.perf_counter()
    await asyncio.gather(*(_line(told, at * each, each, seen) for at in range(told["connections"])))
    took = time.perf_counter() - began
    return {"per_second": len(seen.whole) / took, "seconds": took, "lost": seen.lost, **_times(seen)}


async def _line(told: dict[str, Any], start: int, count: int, seen: Seen) -> None:
    reader, writer = await _connected(told)
    for at in range(start, start + count):
        began = time.perf_counter()
        writer.write(b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n" if "socket" in told else _request(told, at))
        try:
            first, right = await (_value(reader) if "socket" in told else _answer(reader))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            seen.lost += 1
            break
        seen.first.append(first - began)
        seen.whole.append(time.perf_counter() - began)
        seen.lost += not right
    writer.close()


async def _connected(told: dict[str, Any]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if "socket" in told:
        return await asyncio.open_unix_connection(told["socket"])
    return await asyncio.open_connection("127.0.0.1", told["port"])


def _request(told: dict[str, Any], at: int) -> bytes:
    said = f"{told['prompt']} {at % told['prompts']} " + "word " * 40
    asked = {"model": "bench", "messages": [{"role": "user", "content": said}], "temperature": 0}
    body = json.dumps({**asked, "stream": True} if told.get("stream") else asked).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {told['key']}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[float, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    first = time.perf_counter()
    right = head.startswith(b"http/1.1 200")
    _, length, rest = head.partition(b"content-length: ")
    if length:
        await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
        return first, right
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return first, right and b"".join(parts).endswith(DONE)


async def _value(reader: asyncio.StreamReader) -> tuple[float, bool]:
    size = int((await reader.readuntil(b"\r\n"))[1:])
    first = time.perf_counter()
    await reader.readexactly(size + 2)
    return first, size > 0


def _times(seen: Seen) -> dict[str, float]:
    found = {}
    for name, times in (("", sorted(seen.whole)), ("first_", sorted(seen.first))):
        for share in (50, 99):
            found[f"{name}p{share}_ms"] = 1000 * times[len(times) * share // 100] if times else float("inf")
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
