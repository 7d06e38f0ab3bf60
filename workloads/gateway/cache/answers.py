"""Whether an answer is whole and right, so that it may be kept (OpenAI's API, as vLLM 0.33 speaks it)."""

from __future__ import annotations

import json
from typing import Any

STREAM = "text/event-stream"
# How a generation ends that another one would end in too. `abort` and `error` are an engine that went away.
ENDS = frozenset({"stop", "length", "tool_calls", "function_call", "content_filter"})
DONE = b"[DONE]"
# How a model server of this platform begins what it says of its weights (workloads/serving/engines.yaml).
NAMED = "revision:"


def refusal(content_type: str, body: bytes, revision: str = "") -> str:
    """Why the answer may not be kept as one of a model's revision, a word of the metric; empty where it may."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == STREAM:
        return _of_stream(body, revision)
    if kind != "application/json":
        return "type"
    return _of_objects([body], revision, streamed=False)


def _of_stream(body: bytes, revision: str) -> str:
    if not body.endswith((b"\n\n", b"\r\n\r\n")):
        return "broken"
    # Only `data:` lines count: others are comments and names of events.
    data = [line[5:].strip() for line in body.splitlines() if line.startswith(b"data:")]
    if not data or data[-1] != DONE:
        return "broken"
    return _of_objects(data[:-1], revision, streamed=True)


def _of_objects(texts: list[bytes], revision: str, *, streamed: bool) -> str:
    opened: set[int] = set()
    ended: set[int] = set()
    for text in texts:
        try:
            said = json.loads(text)
        except ValueError:
            return "broken"
        if not isinstance(said, dict) or said.get("error"):
            return "error"
        if _of_another(said.get("system_fingerprint"), revision):
            return "revision"
        for choice in _choices(said):
            index, end = choice.get("index", 0), choice.get("finish_reason")
            opened.add(index)
            if end is not None:
                ended.add(index)
                if end not in ENDS:
                    return "aborted"
    if opened - ended:
        return "broken" if streamed else "aborted"
    return "" if opened or not streamed else "broken"


def _of_another(fingerprint: object, revision: str) -> bool:
    """Whether a server that says its revision has another one: while a model is replaced, pods of both answer."""
    named = isinstance(fingerprint, str) and fingerprint.startswith(NAMED)
    return named and fingerprint != NAMED + revision


def _choices(said: dict[str, Any]) -> list[dict[str, Any]]:
    choices = said.get("choices") or []
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
