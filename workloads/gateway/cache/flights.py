"""A question on its way to its answer. All who ask the same meanwhile share it: one call, many readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

Headers = list[tuple[bytes, bytes]]


class BrokenError(Exception):
    """The answer ended before it was whole."""


class Flight:
    """One question's answer as it comes in."""

    def __init__(self) -> None:
        self.looked = asyncio.Event()
        """Set once Redis has answered, or has not in time."""
        self.found = False
        """The answer is from Redis and not from the gateway."""
        self.hit = False
        """It was there when the question came."""
        self.streamed = False
        """It is replayed in the parts in which it came."""
        self.status = 0
        self.headers: Headers = []
        self.chunks: list[bytes] = []
        self.readers = 0
        self.landed = False
        self.task: asyncio.Task[None] | None = None
        self._broken = False
        self._news = asyncio.Event()

    def begin(self, status: int, headers: Headers) -> None:
        """The answer's head is there."""
        self.status, self.headers = status, headers
        self._tell()

    def add(self, chunk: bytes) -> None:
        """More of the answer is there."""
        self.chunks.append(chunk)
        self._tell()

    def land(self, *, broken: bool = False) -> None:
        """Nothing more will come."""
        self.landed, self._broken = True, broken
        self.looked.set()
        self._tell()

    async def head(self) -> None:
        """Returns when status and headers are there. Raises BrokenError where they never will be."""
        while not self.status:
            if self.landed:
                raise BrokenError
            await self._news.wait()

    async def read(self) -> AsyncIterator[bytes]:
        """The whole answer, from its beginning, as it comes. Raises BrokenError where it ends before it is whole."""
        at = 0
        while True:
            news = self._news
            while at < len(self.chunks):
                at += 1
                yield self.chunks[at - 1]
            if self.landed and at == len(self.chunks):
                if self._broken:
                    raise BrokenError
                return
            await news.wait()

    def _tell(self) -> None:
        # Who waits has this event; who comes later needs the next one.
        self._news.set()
        self._news = asyncio.Event()
