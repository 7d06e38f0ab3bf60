"""An OpenAI-compatible endpoint on loopback, which answers as a test says, rightly or not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# A text is an answer; bytes are a body of any kind; a number is a status; None answers never.
Reply = str | bytes | int | None


@dataclass
class Endpoint:
    """Where it is, and all that it was asked."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def endpoint(answer: Callable[[str], Reply], served: str = "") -> Iterator[Endpoint]:
    """The endpoint, while a test runs; `answer` gets the last message. `served`: the folder of `org/production`."""
    stopped = threading.Event()
    here = Endpoint("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            models = [{"id": "org/adapter", "root": "/adapter"}, {"id": "org/production", "root": served}]
            self._send(200, json.dumps({"object": "list", "data": models}).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            here.asked.append(body)
            reply = answer(body["messages"][-1]["content"])
            if reply is None:
                stopped.wait()
                self.close_connection = True
                return
            status = reply if isinstance(reply, int) else 200
            self._send(status, reply if isinstance(reply, bytes) else _body(reply, body["model"]))

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield here
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()


def _body(reply: str | int, model: str) -> bytes:
    if isinstance(reply, int):
        return json.dumps({"error": {"message": f"status {reply}", "type": "server_error"}}).encode()
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply}}
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": len(reply.split()),
        "total_tokens": 10 + len(reply.split()),
    }
    completion = {"id": "1", "object": "chat.completion", "created": int(time.time()), "model": model}
    return json.dumps({**completion, "choices": [choice], "usage": usage}).encode()
