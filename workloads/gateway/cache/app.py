"""The ASGI application: cached paths to the door, the cache's own to its administrator, all else to the gateway."""

from __future__ import annotations

import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from . import http, metrics
from .door import GATEWAY_FAILED, Door
from .gateway import Gateway
from .http import GoneError, Receive, Scope, Send
from .journal import Line
from .keys import PATHS, api_key, model_tag, principal_tag, tenant_tag
from .options import Options
from .store import Store, StoreError, entries_of_model, entries_of_principal

LAW = "Digital Personal Data Protection Act 2023, s. 8(7)"


class Cache:
    """The application, with its connections."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._store = Store(options)
        self._gateway = Gateway(options)
        self._door = Door(options, self._store, self._gateway)
        routes = [
            Route("/healthz", _healthy),
            Route("/cache/principals/{principal:path}", self._erase_principal, methods=["DELETE"]),
            Route("/cache/models/{model:path}", self._purge_model, methods=["DELETE"]),
        ]
        self._own = Starlette(routes=routes, lifespan=self._life)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            return await self._own(scope, receive, send)
        path: str = scope["path"]
        if path == "/healthz" or path.startswith("/cache/"):
            return await self._own(scope, receive, send)
        line = Line(scope, path)
        try:
            if scope["method"] == "POST" and path in PATHS:
                await self._door.answer(scope, receive, send, line)
            else:
                line.status = await self._gateway.forward(scope, receive, line.timed(send))
        except GoneError:
            # Without a last part the server closes the connection: nobody takes what came for a whole answer.
            line.status = line.status or 499
        except aiohttp.ClientError:
            line.status = 502
            await http.refuse(send, 502, "gateway_unreachable", GATEWAY_FAILED)
        except TimeoutError:
            line.status = 408
            await http.refuse(send, 408, "request_timeout", http.NO_END)
        finally:
            line.write(prompts=self._options.log_prompts)
        return None

    @asynccontextmanager
    async def _life(self, _: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._gateway.close()
            await self._store.close()

    async def _erase_principal(self, request: Request) -> Response:
        """Erase all that is kept about a data principal; `?tenant=` for one tenant's alone."""
        whom = principal_tag(self._options, request.path_params["principal"])
        tenant = request.query_params.get("tenant")
        of = tenant_tag(self._options, tenant) if tenant else "*"
        return await self._erased(request, entries_of_principal(whom, of), whom, "principal")

    async def _purge_model(self, request: Request) -> Response:
        """Erase all answers of a model's revision; `?revision=`, the one that is served unless given."""
        model = request.path_params["model"]
        revision = request.query_params.get("revision", self._options.revisions.get(model, ""))
        which = model_tag(self._options, model, revision)
        return await self._erased(request, entries_of_model(which), which, "model")

    async def _erased(self, request: Request, pattern: str, tagged: str, of: str) -> Response:
        if not hmac.compare_digest(api_key(dict(request.headers)).encode(), self._options.admin):
            return _error(401, "this needs the administrator's key: Authorization: Bearer …")
        try:
            count = await self._store.erase(pattern, tagged)
        except StoreError as error:
            return _error(503, f"nothing is sure to be erased: {error}; ask again")
        metrics.erased.labels(of).inc(count)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        record = {"erased": count, "of": of, of: tagged, "at": at}
        return JSONResponse(record | ({"law": LAW} if of == "principal" else {}))


async def _healthy(_: Request) -> Response:
    # Redis is no part of it: without it the cache still answers.
    return PlainTextResponse("ok")


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "cache"}}, status_code=status)
