"""An answer as it lies in Redis: sealed under its tenant's key for its own place, so that nothing else is read as it.

version (1 byte) | seal (32 bytes) | header (JSON) | newline | the chunks, one after the other
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from functools import lru_cache

VERSION = b"1"
SEAL_BYTES = 32


class PoisonedError(Exception):
    """What lies in Redis is no entry of ours; the message is the reason, a word of the metric."""


@dataclass(frozen=True)
class Answer:
    """A whole answer with the status 200. A stream is replayed by the chunks in which it came."""

    content_type: str
    chunks: tuple[bytes, ...]
    stored_at: int
    """Seconds since 1970."""


@lru_cache(4096)
def tenant_secret(secret: bytes, tenant: str) -> bytes:
    """The key that seals a tenant's entries."""
    return hmac.digest(secret, f"seal\n{tenant}".encode(), "sha256")


def seal(secret: bytes, key: str, answer: Answer) -> bytes:
    """The entry of `key`; `secret` is the tenant's."""
    header = json.dumps([answer.content_type, answer.stored_at, [len(chunk) for chunk in answer.chunks]])
    content = b"\n".join((header.encode(), b"".join(answer.chunks)))
    return VERSION + _mac(secret, key, content) + content


def opened(secret: bytes, key: str, entry: bytes) -> Answer:
    """The answer in an entry. Raises PoisonedError where it was not sealed for this tenant and key."""
    if entry[:1] != VERSION:
        raise PoisonedError("version")
    mac, content = entry[1 : 1 + SEAL_BYTES], entry[1 + SEAL_BYTES :]
    if not hmac.compare_digest(mac, _mac(secret, key, content)):
        raise PoisonedError("seal")
    header, _, body = content.partition(b"\n")
    try:
        content_type, stored_at, lengths = json.loads(header)
        return Answer(content_type, tuple(_chunks(body, lengths)), int(stored_at))
    except (ValueError, TypeError) as error:
        raise PoisonedError("shape") from error


def _chunks(body: bytes, lengths: list[int]) -> list[bytes]:
    chunks, at = [], 0
    for length in lengths:
        chunks.append(body[at : at + length])
        at += length
    if at != len(body):
        raise ValueError("the chunks are not the body")
    return chunks


def _mac(secret: bytes, key: str, content: bytes) -> bytes:
    return hmac.digest(secret, key.encode() + b"\n" + content, "sha256")
