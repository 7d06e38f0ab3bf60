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


def knows(address: str, model: str) -> bool:
    """Whether the gateway has found a server of the model; before the first one it refuses."""
    try:
        with _asked(f"{address}/v1/models") as answer:
            return model in {each["id"] for each in json.load(answer).get("data", [])}
    except DemoError:
        return False


def chat(address: str, model: str, question: str, key: str) -> Answer:
    """The answer to one question, without chance."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": 96,
    }
    began = time.monotonic()
    with _asked(f"{address}/v1/chat/completions", body, key) as answer:
        said = json.load(answer)["choices"][0]["message"]["content"]
        return Answer(said, answer.headers.get("x-cache", ""), time.monotonic() - began)


def post(url: str, body: Any) -> Any:
    """The answer to a request, as JSON."""
    with _asked(url, body) as answer:
        return json.load(answer)


@contextmanager
def _asked(url: str, body: Any = None, key: str = "") -> Iterator[Any]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, headers), timeout=SECONDS) as answer:
            yield answer
    except OSError as error:
        raise DemoError(f"{url} does not answer as it should: {error}") from error
