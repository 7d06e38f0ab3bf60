"""A Service of the cluster on this machine, as kubectl forwards it, and questions to an API of OpenAI's form there."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

from commands.demo.platform import DemoError, Platform
from localcloud.directories import bin_dir

SECONDS = 300


@contextmanager
def forwarded(platform: Platform, namespace: str, service: str, port: int) -> Iterator[str]:
    """The address of a Service while the block runs."""
    command = [bin_dir() / "kubectl", "--kubeconfig", platform.cluster.kubeconfig_path, "-n", namespace]
    with subprocess.Popen(
        [*command, "port-forward", f"service/{service}", f":{port}"], stdout=subprocess.PIPE, text=True
    ) as forward:
        try:
            said = forward.stdout.readline() if forward.stdout else ""
            found = re.match(r"Forwarding from (127\.0\.0\.1:\d+)", said)
            if not found:
                raise DemoError(f"kubectl does not forward {namespace}/{service}: {said or forward.poll()}")
            yield f"http://{found[1]}"
        finally:
            forward.terminate()


@dataclass(frozen=True)
class Answer:
    """What a model said, what the cache says of it (`hit`, `miss`), and the seconds that it took."""

    said: str
    cache: str
    seconds: float


def chat(address: str, model: str, question: str, key: str) -> Answer:
    """The answer to one question, without chance."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": 96,
    }
    began = time.monotonic()
    with urlopen(_request(f"{address}/v1/chat/completions", body, key), timeout=SECONDS) as answer:
        said = json.load(answer)["choices"][0]["message"]["content"]
        return Answer(said, answer.headers.get("x-cache", ""), time.monotonic() - began)


def post(url: str, body: Any) -> Any:
    """The answer to a request, as JSON."""
    with urlopen(_request(url, body), timeout=SECONDS) as answer:
        return json.load(answer)


def _request(url: str, body: Any, key: str = "") -> Request:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    return Request(url, json.dumps(body).encode(), headers)
