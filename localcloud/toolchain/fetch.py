"""Fetches what the projects publish. Nothing is unpacked or run before its checksum is the one that is expected.

What can't be fetched is left to be built from source, and said. What comes with another checksum ends the run.
"""

from __future__ import annotations

import functools
import hashlib
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import requests

from localcloud.toolchain import releases
from localcloud.toolchain.cache import atomically, downloads, require_space, room
from localcloud.toolchain.errors import ToolchainError
from localcloud.toolchain.releases import Release
from localcloud.toolchain.sites import NoAnswerError, UnavailableError, answering, get, reason
from localcloud.toolchain.tools import Part
from localcloud.toolchain.unpack import unpack
from localcloud.toolchain.waiting import Report, Say

# How often a download goes on from where it broke off.
ATTEMPTS = 3
CHUNK = 1 << 18
LARGEST_CHECKSUMS = 1 << 20


def in_reach(parts: Iterable[Part], say: Say) -> dict[Part, Release]:
    """What is published of these parts on sites that answer from here."""
    if releases.refused():
        return {}
    published = {part: release for part in parts if (release := releases.of(part))}
    sites = answering({_site(release) for release in published.values()}, say)
    return {part: release for part, release in published.items() if _site(release) in sites}


def fetch(published: Mapping[Part, Release], report: Report, say: Say) -> list[Part]:
    """Fetch these into the cache; returns those that are there now."""
    done: list[Part] = []
    lost: set[str] = set()
    for release in {release.url: release for release in published.values()}.values():
        of_it = {part: row for part, row in published.items() if row.url == release.url}
        if _site(release) in lost:
            continue
        try:
            _install(_download(release, report), of_it)
            done += of_it
        except UnavailableError as why:
            say(f"{', '.join(part.name for part in of_it)}: {why}")
            if isinstance(why, NoAnswerError):
                lost.add(_site(release))
    return done


def _site(release: Release) -> str:
    return releases.site(releases.address(release.url))


def _install(archive: Path, of_it: dict[Part, Release]) -> None:
    try:
        for part, release in of_it.items():
            atomically(part.path, functools.partial(unpack, archive, release.member))
    finally:
        archive.unlink(missing_ok=True)


def _download(release: Release, report: Report) -> Path:
    """The published file with the right checksum, in the folder of downloads."""
    url = releases.address(release.url)
    expected = release.sha256 or _published(release)
    target = downloads() / f"{expected[:16]}-{release.name}"
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and _sha256(target) == expected:
        return target
    part = target.with_name(f"{target.name}.part")
    went_on = part.exists()
    _receive(url, part, release.name, report)
    got = _sha256(part)
    if got != expected and went_on:
        # What an earlier run left was not the beginning of this file.
        part.unlink()
        _receive(url, part, release.name, report)
        got = _sha256(part)
    if got != expected:
        part.unlink()
        raise _wrong_checksum(release, url, got, expected)
    part.rename(target)
    return target


def _published(release: Release) -> str:
    """The checksum that the project publishes beside the file."""
    url = releases.address(release.checksums)
    try:
        with get(url, {}) as answer:
            text = answer.raw.read(LARGEST_CHECKSUMS, decode_content=True).decode(errors="replace")
    except (requests.RequestException, OSError) as error:
        raise UnavailableError(f"its checksum can't be read from {url} ({reason(error)})") from None
    for line in text.splitlines():
        words = line.split()
        if (
            words
            and re.fullmatch(r"[0-9a-f]{64}", words[0])
            and words[1:] in ([], [release.name], [f"*{release.name}"])
        ):
            return words[0]
    raise UnavailableError(f"{url} has no checksum of {release.name}")


def _receive(url: str, part: Path, name: str, report: Report) -> None:
    """Write the whole file to `part`, going on from what is there after a break."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _go_on(url, part, name, report)
            return
        except requests.RequestException as error:
            if attempt == ATTEMPTS:
                raise UnavailableError(
                    f"the download from {urlsplit(url).netloc} broke off ({reason(error)})"
                ) from None


def _go_on(url: str, part: Path, name: str, report: Report) -> None:
    had = part.stat().st_size if part.exists() else 0
    with get(url, {"Range": f"bytes={had}-"} if had else {}) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            # There is nothing beyond what we have: whether that is the file, its checksum says.
            return
        goes_on = answer.status_code == requests.codes.partial_content
        had = had if goes_on else 0
        length = int(answer.headers.get("Content-Length") or 0)
        require_space(3 * length, f"fetching {name}")
        began, done = time.monotonic(), had
        with room(f"fetching {name}"), part.open("ab" if goes_on else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                done += len(chunk)
                report(done >> 20, (had + length) >> 20, _progress(name, url, done - had, length, began))


def _progress(name: str, url: str, done: int, length: int, began: float) -> str:
    """What a bar of MiB is of, and how long the rest takes at the speed so far."""
    left = (length - done) * (time.monotonic() - began) / done if length and done else 0
    return f"MiB of {name} from {urlsplit(url).netloc}" + (f", {left:.0f} s left" if left >= 1 else "")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wrong_checksum(release: Release, url: str, got: str, expected: str) -> ToolchainError:
    source = "localcloud/toolchain/releases.csv pins" if release.sha256 else f"{release.checksums} publishes"
    return ToolchainError(
        f"refused: {url} has the SHA-256 {got}, and {source} {expected}. Nothing of it was kept or run. Somebody on "
        f"the way, the mirror or the project has changed the file: find out who. {releases.MIRROR}=none builds "
        f"{release.program} from its pinned source instead"
    )
