"""The gateway behind the cache: requests go on to it as they are, over connections that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property

import aiohttp
from yarl import URL

from . import http
from .http import GoneError, Headers, Receive, Scope, Send
from .options import Options

# Long: it passes in this process too, which may have a thousand streams to serve meanwhile.
CONNECT_SECONDS = 30.0
# What aiohttp would add to a request that came without.
ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Gateway:
    """The gateway's address, and connections to it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._url = options.upstream.rstrip("/")

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        # Made by the first request: it belongs to the loop that serves.
        return aiohttp.ClientSession(
            # As many streams at once as clients: admission is the gateway's own.
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=self._options.upstream_seconds
            ),
            # One client's cookies are not to go with another's request.
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=ADDED,
            auto_decompress=False,
        )

    @asynccontextmanager
    async def asked(
        self, scope: Scope, headers: Headers, body: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The gateway's answer, whose body has not come yet. Leaving it early ends the request there too."""
        url = URL(self._url + _target(scope).decode("latin-1"), encoded=True)
        text = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        asking = self._session.request(
            scope["method"], url, headers=text, data=body or None, allow_redirects=False
        )
        async with asking as response:
            yield response

    async def forward(self, scope: Scope, receive: Receive, send: Send, body: bytes | None = None) -> int:
        """Hand a request on, and its answer back, both as they come. `body` where it was read already.

        Returns the status. Raises GoneError, and aiohttp.ClientError before the answer began.
        """
        read = asyncio.Event()
        content = self._parts(receive, read) if body is None and _has_body(scope) else body or b""
        if isinstance(content, bytes):
            read.set()
        begun = [0]

        async def after_the_request() -> dict[str, str]:
            await read.wait()
            return dict(await receive())

        await http.while_connected(after_the_request, self._exchange(scope, send, content, begun))
        return begun[0]

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _exchange(
        self, scope: Scope, send: Send, content: bytes | AsyncIterator[bytes], begun: list[int]
    ) -> None:
        headers = http.end_to_end(scope["headers"], b"host")
        async with self.asked(scope, headers, content) as response:
            begun[0] = response.status
            await http.begin(send, response.status, http.end_to_end(response.raw_headers))
            try:
                async for chunk in response.content.iter_any():
                    await http.part(send, chunk, self._options.client_seconds)
            except aiohttp.ClientError as error:
                # The head is out: all that can be said is an end that is none.
                raise GoneError from error
            await http.part(send, b"", self._options.client_seconds, more=False)

    async def _parts(self, receive: Receive, read: asyncio.Event) -> AsyncIterator[bytes]:
        try:
            async for part in http.body_parts(receive, self._options.client_seconds):
                yield part
        finally:
            read.set()


def _target(scope: Scope) -> bytes:
    path, query = scope.get("raw_path") or scope["path"].encode(), scope.get("query_string", b"")
    return path + b"?" + query if query else path


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
