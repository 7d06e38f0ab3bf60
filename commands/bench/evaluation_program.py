# pyright: reportMissingImports=false
"""Seconds of a golden set by inspect-ai, and of the same questions by the OpenAI client alone, in one run.

The server is a process of its own that waits before each answer, as an engine does. Run by the Python of the evaluation
environment. Prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from openai import AsyncOpenAI

from workloads.evaluation.programs.cases import Exact, Slices
from workloads.evaluation.programs.evaluate import evaluate
from workloads.evaluation.programs.golden import GoldenSet
from workloads.evaluation.programs.job import Endpoint

CASES, CONNECTIONS, ROUNDS = 200, 8, 3
MILLISECONDS = (50, 500)


def serve(address: Any, seconds: float) -> None:
    """Answers every question with the same word, so many seconds later."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "दिल्ली"}}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }
    content = json.dumps(body).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            time.sleep(seconds)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address.send(f"http://127.0.0.1:{server.server_port}/v1")
    server.serve_forever()


async def bare(golden: GoldenSet, endpoint: Endpoint) -> None:
    """The same questions, as many at once."""
    free = asyncio.Semaphore(CONNECTIONS)
    async with AsyncOpenAI(base_url=endpoint.url, api_key="none", max_retries=0) as client:

        async def ask(prompt: str) -> None:
            async with free:
                message: Any = {"role": "user", "content": prompt}
                await client.chat.completions.create(model="m", messages=[message], temperature=0)

        await asyncio.gather(*(ask(case.prompt) for case in golden.cases))


def measure(milliseconds: int) -> dict[str, float]:
    """Medians of seconds, both in turns."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there, milliseconds / 1000), daemon=True)
    server.start()
    endpoint = Endpoint(url=here.recv(), model="m", connections=CONNECTIONS)
    golden = _golden()
    times: dict[str, list[float]] = {"bare": [], "gate": []}
    evaluate(golden, endpoint)  # imports and caches
    for _ in range(ROUNDS):
        began = time.perf_counter()
        asyncio.run(bare(golden, endpoint))
        times["bare"].append(time.perf_counter() - began)
        began = time.perf_counter()
        found = evaluate(golden, endpoint)
        times["gate"].append(time.perf_counter() - began)
        assert all(answer.passed for answer in found.answers)
    server.terminate()
    server.join()
    return {"ms": milliseconds, **{name: statistics.median(each) for name, each in times.items()}}


def _golden() -> GoldenSet:
    slices = Slices(language="hi", script="Deva")
    cases = (
        Exact(id=str(at), kind="exact", prompt=f"प्रश्न {at}: राजधानी?", answer=["दिल्ली"], slices=slices)
        for at in range(CASES)
    )
    return GoldenSet("bench", "1.0.0", "For the bench", True, tuple(cases), "0" * 64)


if __name__ == "__main__":
    rows = [measure(milliseconds) for milliseconds in MILLISECONDS]
    print(json.dumps({"cases": CASES, "connections": CONNECTIONS, "rounds": ROUNDS, "rows": rows}))
