"""Services on loopback: what connects to a port of a Service reaches one of its pods, each in turn."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from localcloud.kubernetes.agent.names import Place

log = logging.getLogger(__name__)


class Forwarders:
    """A server for each port of a Service."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._one_at_a_time = asyncio.Lock()
        self._servers: dict[Place, asyncio.Server] = {}
        self._turns: dict[Place, tuple[Sequence[Place], Iterator[Place]]] = {}
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def update(self, ways: Mapping[Place, Sequence[Place]]) -> None:
        """Serve these ports, which lead to these places, and no others."""
        asyncio.run_coroutine_threadsafe(self._update(ways), self._loop)

    async def _update(self, ways: Mapping[Place, Sequence[Place]]) -> None:
        for place, targets in ways.items():
            if self._turns.get(place, ((), None))[0] != targets:
                self._turns[place] = (targets, itertools.cycle(targets))
        async with self._one_at_a_time:
            for place in self._servers.keys() - ways.keys():
                self._servers.pop(place).close()
                del self._turns[place]
            for place in ways.keys() - self._servers.keys():
                await self._serve(place)

    async def _serve(self, place: Place) -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._forward(place, reader, writer)

        try:
            self._servers[place] = await asyncio.start_server(answer, *place)
        except OSError as error:  # a port below 1024, for example, which is root's
            log.warning("the Service at %s:%d is not served: %s", *place, error)

    async def _forward(
        self, place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        target = next(self._turns[place][1], None) if place in self._turns else None
        if target:
            with suppress(OSError):
                there, back = await asyncio.open_connection(*target)
                await asyncio.gather(copy(reader, back), copy(there, writer))
                back.close()
        writer.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, and its end."""
    with suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
