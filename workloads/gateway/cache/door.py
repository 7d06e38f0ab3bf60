"""The paths that are cached: from Redis, from a question already on its way, or from the gateway."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from . import answers, http, metrics
from .entries import Answer, PoisonedError, opened, seal, tenant_secret
from .flights import BrokenError, Flight
from .gateway import Gateway
from .http import GoneError, Receive, Scope, Send
from .journal import Line
from .keys import Question, UncachedError, question
from .options import Options
from .store import ERASED_SECONDS, Store

POLL_SECONDS = 0.02, 0.5
GATEWAY_FAILED = "the gateway could not be reached; try again"


class Door:
    """Answers requests of the cached paths."""

    def __init__(self, options: Options, store: Store, gateway: Gateway) -> None:
        self._options, self._store, self._gateway = options, store, gateway
        self._flights: dict[str, Flight] = {}

    async def answer(self, scope: Scope, receive: Receive, send: Send, line: Line) -> None:
        """Answer one request. Raises GoneError where nobody is left to answer, aiohttp.ClientError before it began."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await http.read_body(receive, self._options.largest_request, self._options.client_seconds)
        except http.TooLargeError:
            line.refused(413)
            most = f"the request is larger than {self._options.largest_request} bytes; send less"
            return await http.refuse(send, 413, "request_too_large", most)
        except TimeoutError:
            line.refused(408)
            return await http.refuse(send, 408, "request_timeout", http.NO_END)
        line.prompt = body
        try:
            asked = self._question(scope, headers, body)
        except UncachedError as reason:
            metrics.bypassed.labels(str(reason)).inc()
            line.outcome = "bypass"
            line.status = await self._gateway.forward(scope, receive, line.timed(send), body)
            return None
        line.tenant, line.model = asked.tenant.name, asked.model
        return await self._share(asked, scope, receive, line.timed(send), body, line)

    def _question(self, scope: Scope, headers: dict[str, str], body: bytes) -> Question:
        if scope.get("query_string") or "content-encoding" in headers:
            raise UncachedError("form")
        return question(self._options, scope["path"], headers, body)

    async def _share(
        self, asked: Question, scope: Scope, receive: Receive, send: Send, body: bytes, line: Line
    ) -> None:
        """Take part in the question's flight, or start it. The last who leaves before it lands ends it."""
        flight = self._flights.get(asked.key)
        joined = flight is not None
        if flight is None:
            # Before anything is waited for: whoever asks the same from now on, whatever Redis does, finds it here.
            flight = self._flights[asked.key] = Flight()
            flight.task = asyncio.create_task(self._fly(flight, asked, scope, body))
        flight.readers += 1
        metrics.waiting.inc()
        try:
            await flight.looked.wait()
            line.outcome = "hit" if flight.hit else "joined" if joined else "miss"
            replay = self._replay(flight, send, line)
            await (replay if flight.hit else http.while_connected(receive, replay))
        except BrokenError as error:
            raise GoneError from error
        finally:
            metrics.waiting.dec()
            flight.readers -= 1
            if not flight.readers and not flight.landed and flight.task:
                self._forget(asked.key, flight)
                flight.task.cancel()

    async def _replay(self, flight: Flight, send: Send, line: Line) -> None:
        await flight.head()
        if flight.found and not flight.hit:
            line.outcome = "joined"  # of another process
        line.status = flight.status
        await http.begin(send, flight.status, [*flight.headers, (b"x-cache", line.outcome.encode())])
        if flight.hit and not flight.streamed:
            # Each part is a call of the system: a hit's time is mostly that.
            return await http.part(send, b"".join(flight.chunks), self._options.client_seconds, more=False)
        async for chunk in flight.read():
            await http.part(send, chunk, self._options.client_seconds)
        await http.part(send, b"", self._options.client_seconds, more=False)
        return None

    async def _fly(self, flight: Flight, asked: Question, scope: Scope, body: bytes) -> None:
        """The answer from Redis, or from another process that is getting it, or from the gateway."""
        try:
            if found := await self._kept(asked):
                return self._replayed(flight, asked.key, found)
            flight.looked.set()
            holder = await self._store.lock(asked.key)
            if holder is None:
                found, holder = await self._wait(asked)
                if found:
                    return self._replayed(flight, asked.key, found)
            await self._ask(flight, asked, scope, body, holder or "")
        finally:
            if not flight.landed:
                self._land(asked.key, flight, broken=True)

    async def _kept(self, asked: Question) -> Answer | None:
        entry = await self._store.get(asked.key)
        if entry is None:
            return None
        try:
            return opened(self._secret(asked), asked.key, entry)
        except PoisonedError as reason:
            metrics.poisoned.labels(str(reason)).inc()
            await self._store.drop(asked.key, entry)
            return None

    def _replayed(self, flight: Flight, key: str, found: Answer) -> None:
        age = max(0, int(time.time()) - found.stored_at)
        flight.found, flight.hit = True, not flight.looked.is_set()
        headers = [(b"content-type", found.content_type.encode("latin-1")), (b"age", str(age).encode())]
        flight.streamed = found.content_type.startswith(answers.STREAM)
        if not flight.streamed:
            headers.append((b"content-length", str(sum(map(len, found.chunks))).encode()))
        flight.chunks.extend(found.chunks)
        flight.begin(200, headers)
        self._land(key, flight)

    async def _wait(self, asked: Question) -> tuple[Answer | None, str]:
        """Until another process has kept the answer, or has let its lock go without."""
        pause, most = POLL_SECONDS
        until = time.monotonic() + self._options.wait_seconds
        while time.monotonic() < until:
            await asyncio.sleep(pause)
            pause = min(most, 2 * pause)
            holder = await self._store.lock(asked.key)
            # The lock first: what its holder kept before it let go is then seen.
            found = await self._kept(asked)
            if found and holder:
                await self._store.unlock(asked.key, holder)
            if found or holder is not None:
                return found, holder or ""
        return None, ""

    async def _ask(self, flight: Flight, asked: Question, scope: Scope, body: bytes, holder: str) -> None:
        started = time.monotonic()
        renewing = asyncio.create_task(self._renew(asked.key, holder)) if holder else None
        try:
            answer = await self._fetch(flight, asked, scope, body)
            # Kept before its readers know that it is whole: who asks next finds it.
            if answer and time.monotonic() - started < ERASED_SECONDS:
                await self._store.put(asked, seal(self._secret(asked), asked.key, answer))
            self._land(asked.key, flight)
        except aiohttp.ClientError:
            if not flight.status:
                failed = [(b"content-type", b"application/json")]
                flight.add(b'{"error": {"message": "%s", "type": "server_error"}}' % GATEWAY_FAILED.encode())
                flight.begin(502, failed)
                self._land(asked.key, flight)
            metrics.unstored.labels("broken").inc()
        finally:
            if renewing:
                renewing.cancel()
                await self._store.unlock(asked.key, holder)

    async def _fetch(self, flight: Flight, asked: Question, scope: Scope, body: bytes) -> Answer | None:
        """The gateway's answer into the flight; None where it may not be kept."""
        # Not compressed: the next client may not take it so.
        sent = http.end_to_end(scope["headers"], b"host", b"content-length", b"accept-encoding")
        async with self._gateway.asked(scope, [*sent, (b"accept-encoding", b"identity")], body) as response:
            received = http.end_to_end(response.raw_headers, b"set-cookie")
            flight.begin(response.status, received)
            async for chunk in response.content.iter_any():
                flight.add(chunk)
        if refusal := self._refusal(response, flight, asked):
            metrics.unstored.labels(refusal).inc()
            return None
        return Answer(response.headers.get("content-type", ""), tuple(flight.chunks), int(time.time()))

    def _refusal(self, response: aiohttp.ClientResponse, flight: Flight, asked: Question) -> str:
        if response.status != 200:
            return "status"
        if "content-encoding" in response.headers:
            return "encoding"
        body = b"".join(flight.chunks)
        if len(body) > self._options.largest_answer:
            return "size"
        return answers.refusal(response.headers.get("content-type", ""), body, asked.revision)

    async def _renew(self, key: str, holder: str) -> None:
        while True:
            await asyncio.sleep(self._options.lock_seconds / 3)
            await self._store.renew(key, holder)

    def _land(self, key: str, flight: Flight, *, broken: bool = False) -> None:
        # From now on a question is another one: it may be that this answer was not kept.
        self._forget(key, flight)
        flight.land(broken=broken)

    def _forget(self, key: str, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    def _secret(self, asked: Question) -> bytes:
        return tenant_secret(self._options.secret, asked.tenant.name)
