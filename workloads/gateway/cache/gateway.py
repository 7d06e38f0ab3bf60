"""The gateway behind the cache: requests go on to it as they are, over connections that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle

import httpx

from . import http
from .http import GoneError, Headers, Receive, Scope, Send
from .options import Options

# Long: it passes in this process too, which may have a thousand streams to serve meanwhile.
CONNECT_SECONDS = 30.0
# httpcore 1.0.9 looks at each connection of a pool for each request (`_assign_requests_to_connections`): with 1,000
# streams in one pool the last began after half a minute.
POOLS, KEPT_CONNECTIONS = 64, 256


class Gateway:
    """The gateway's address, and connections to it.

    A transport and no client of httpx: that one keeps cookies, and would send one client's with another's request.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._url = httpx.URL(options.upstream)
        self._timeout = httpx.Timeout(options.upstream_seconds, connect=CONNECT_SECONDS, pool=None).as_dict()
        # As many streams at once as clients: admission is the gateway's own.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS // POOLS)
        self._pools = [httpx.AsyncHTTPTransport(limits=limits, trust_env=False) for _ in range(POOLS)]
        self._turns = cycle(self._pools)

    @asynccontextmanager
    async def asked(
        self, scope: Scope, headers: Headers, body: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[httpx.Response]:
        """The gateway's answer, whose body has not come yet. Leaving it early ends the request there too."""
        url = self._url.copy_with(raw_path=_target(scope))
        timeout = {"timeout": self._timeout}
        request = httpx.Request(scope["method"], url, headers=headers, content=body, extensions=timeout)
        response = await next(self._turns).handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def forward(self, scope: Scope, receive: Receive, send: Send, body: bytes | None = None) -> int:
        """Hand a request on, and its answer back, both as they come. `body` where it was read already.

        Returns the status. Raises GoneError, and httpx.HTTPError before the answer began.
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
        for pool in self._pools:
            await pool.aclose()

    async def _exchange(
        self, scope: Scope, send: Send, content: bytes | AsyncIterator[bytes], begun: list[int]
    ) -> None:
        headers = http.end_to_end(scope["headers"], b"host")
        async with self.asked(scope, headers, content) as response:
            begun[0] = response.status_code
            await http.begin(send, response.status_code, http.end_to_end(response.headers.raw))
            try:
                async for chunk in response.aiter_raw():
                    await http.part(send, chunk, self._options.client_seconds)
            except httpx.HTTPError as error:
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
