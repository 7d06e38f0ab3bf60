"""The log of a container as a kubelet answers it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Options:
    """What of a log is wanted: the fields of `PodLogOptions`."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: datetime | None = None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Options:
        """Those of a request's query."""
        tail = query.get("tailLines")
        since = datetime.fromisoformat(query["sinceTime"]) if "sinceTime" in query else None
        if "sinceSeconds" in query:
            since = datetime.now(UTC) - timedelta(seconds=int(query["sinceSeconds"]))
        follow, timestamps = query.get("follow") == "true", query.get("timestamps") == "true"
        return cls(follow, timestamps, None if tail is None else int(tail), since)


async def read(file: Path, options: Options, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The words of a log file, and with `follow` those that come, until the container has `ended`."""
    with file.open("rb") as log:
        there = [line for line in log.read().splitlines(keepends=True) if line.endswith(b"\n")]
        log.seek(sum(map(len, there)))
        kept = list(_words(there, options))
        if options.tail_lines is not None:
            kept = kept[len(kept) - min(options.tail_lines, len(kept)) :]
        yield b"".join(kept)
        rest = b""
        while options.follow:
            last = ended()  # before the look: what it wrote at its end is there after it
            *lines, rest = (rest + log.read()).split(b"\n")
            if words := b"".join(_words((line + b"\n" for line in lines), options)):
                yield words
            elif last:
                return
            else:
                await asyncio.sleep(LOOK_SECONDS)


def _words(lines: Iterable[bytes], options: Options) -> Iterable[bytes]:
    for line in lines:
        when, _, tag, words = line.split(b" ", 3)
        if options.since and datetime.fromisoformat(when.decode()) < options.since:
            continue
        whole = words if tag == b"F" else words.removesuffix(b"\n")
        yield when + b" " + whole if options.timestamps else whole
