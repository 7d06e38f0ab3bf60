"""The kubelet's API, which the API server asks for logs, a command in a container, or a port of a pod.

Logs are read here, for those of kwok don't end with their container. Commands and ports go on to kwok's server, which
speaks the streaming protocols, with the command put into the container's namespaces. Only the API server is let in, by
its certificate; and kwok, which asks nobody who they are, finds its rule for commands under a name that is a secret.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from localcloud.kubernetes.agent import logs
from localcloud.kubernetes.agent.container import Container
from localcloud.kubernetes.agent.plan import log_file
from localcloud.kubernetes.agent.pod import Pod

# The rule of kwok that runs a command for whoever knows its name.
RULE_NAMESPACE = "node-agent"


class RefusedError(Exception):
    """A request can't be answered: its status, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Request:
    """A request's first line: the parts of its path and its query."""

    method: str
    parts: Sequence[str]
    query: Sequence[tuple[str, str]]

    @classmethod
    def read(cls, line: str) -> Request:
        """The request of a head's first line."""
        method, target, _ = line.split(" ", 2)
        url = urlsplit(target)
        return cls(method, url.path.strip("/").split("/"), parse_qsl(url.query, keep_blank_values=True))

    def to_kwok(self, rule: str, into: Sequence[str]) -> str:
        """The same for kwok: a command under its secret rule, after the words that put it `into` a container."""
        if self.parts[0] != "exec":
            return f"{self.method} /{'/'.join(self.parts)}?{urlencode(self.query)} HTTP/1.1"
        others = [(name, value) for name, value in self.query if name != "command"]
        command = [value for name, value in self.query if name == "command"]
        words = [*others, *(("command", word) for word in (*into, *command))]
        return f"{self.method} /exec/{RULE_NAMESPACE}/{rule}/{self.parts[3]}?{urlencode(words)} HTTP/1.1"


@dataclass(frozen=True)
class Kubelet:
    """The server of all nodes. `find` gives a pod that runs by namespace and name."""

    find: Callable[[str, str], Pod | None]
    kwok_port: int
    rule: str

    async def serve(self, port: int, pki: Path) -> None:
        """Answer the API server, for ever."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.crt"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        server = await asyncio.start_server(self._answer, "127.0.0.1", port, ssl=context)
        await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, _, rest = head.partition("\r\n")
            try:
                await self._route(Request.read(line), rest, reader, writer)
            except RefusedError as error:
                words = json.dumps({"message": str(error)}).encode()
                writer.write(_head(error.status, f"Content-Length: {len(words)}") + words)
                await writer.drain()
        writer.close()

    async def _route(
        self, request: Request, rest: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        kind = request.parts[0]
        if kind not in ("containerLogs", "exec", "portForward") or len(request.parts) < 3:
            raise RefusedError(404, f"nothing at /{'/'.join(request.parts)}")
        pod = self.find(request.parts[1], request.parts[2])
        if pod is None:
            raise RefusedError(404, f"pod {request.parts[2]} is simulated: no program of it runs")
        if kind == "containerLogs":
            await _logs(_container(pod, request.parts[3]), pod, request, writer)
            return
        into = _container(pod, request.parts[3]).into() if kind == "exec" else ()
        if into is None:
            raise RefusedError(400, f"container {request.parts[3]} does not run")
        there, back = await asyncio.open_connection("127.0.0.1", self.kwok_port)
        back.write(f"{request.to_kwok(self.rule, into)}\r\n{rest}".encode("latin-1"))
        copies = [asyncio.ensure_future(_copy(reader, back)), asyncio.ensure_future(_copy(there, writer))]
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        for copy in copies:
            copy.cancel()
        back.close()


def _container(pod: Pod, name: str) -> Container:
    found = next((each for each in (*pod.main, *pod.init) if each.name == name), None)
    if found is None:
        raise RefusedError(404, f"pod {pod.name} has no container {name} that runs here")
    return found


async def _logs(container: Container, pod: Pod, request: Request, writer: asyncio.StreamWriter) -> None:
    query = dict(request.query)
    attempt = container.attempt - (query.get("previous") == "true")
    file = log_file(pod.folder, container.name, attempt)
    if not file.exists():
        raise RefusedError(
            400, f'no log of container "{container.name}" in pod "{pod.name}", start {attempt}'
        )
    writer.write(_head(200, "Content-Type: text/plain", "Transfer-Encoding: chunked"))

    def ended() -> bool:
        return container.attempt != attempt or container.exit_code is not None

    left = int(query.get("limitBytes", 1 << 62))
    async for words in logs.read(file, logs.Options.of(query), ended):
        if piece := words[:left]:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        left -= len(piece)
        if left <= 0 or writer.is_closing():
            break
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


def _head(status: int, *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status} -", *fields, "Connection: close", "", ""]
    return "\r\n".join(lines).encode()
