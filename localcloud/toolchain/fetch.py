"""Fetches what the projects publish. Nothing is unpacked or run before its checksum is the one that is expected.

What can't be fetched is left to be built from source, and said. What comes with another checksum ends the run.
"""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import requests

from localcloud.toolchain import releases
from localcloud.toolchain.cache import atomically, downloads, require_space, room
from localcloud.toolchain.errors import ToolchainError
from localcloud.toolchain.releases import Release
from localcloud.toolchain.tools import Part
from localcloud.toolchain.waiting import Report, Say

# Until a site counts as out of reach: a machine without a way out must not wait for each tool in turn.
SITE_SECONDS = 4
# Until a download that stands still is broken off, and how often it goes on from where it broke.
SILENT_SECONDS = 20
ATTEMPTS = 3
CHUNK = 1 << 18
LARGEST_CHECKSUMS = 1 << 20


class UnavailableError(Exception):
    """A published file that can't be had, and why; its tool is built from source."""


class NoAnswerError(UnavailableError):
    """Its site does not answer, so that nothing else of it is asked for."""


def fetch(parts: Iterable[Part], report: Report, say: Say) -> list[Part]:
    """Fetch what is published of these parts into the cache; returns those that are there now."""
    if releases.refused():
        return []
    published = {part: release for part in parts if (release := releases.of(part))}
    sites = {releases.site(releases.address(release.url)) for release in published.values()}
    answering = _answering(sites, say) if sites else set()
    done: list[Part] = []
    for release in {release.url: release for release in published.values()}.values():
        of_it = {part: row for part, row in published.items() if row.url == release.url}
        if releases.site(releases.address(release.url)) not in answering:
            continue
        try:
            _install(_download(release, report), of_it)
            done += of_it
        except UnavailableError as reason:
            say(f"{', '.join(part.name for part in of_it)}: {reason}")
            if isinstance(reason, NoAnswerError):
                answering.discard(releases.site(releases.address(release.url)))
    return done


def _install(archive: Path, of_it: dict[Part, Release]) -> None:
    try:
        for part, release in of_it.items():
            atomically(part.path, functools.partial(_unpack, archive, release.member))
    finally:
        archive.unlink(missing_ok=True)


def _answering(sites: set[str], say: Say) -> set[str]:
    """The sites that answer anything at all, asked once and at the same time; says once which do not."""
    answers: dict[str, str] = {}

    def ask(site: str) -> None:
        try:
            requests.head(site, timeout=SITE_SECONDS, allow_redirects=False)
            answers[site] = ""
        except requests.RequestException as error:
            answers[site] = _reason(error)

    # Daemons: a resolver that never answers must not hold up the end of the program.
    threads = [threading.Thread(target=ask, args=(site,), daemon=True) for site in sites]
    deadline = time.monotonic() + SITE_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    known = dict(answers)
    silent = {site: known.get(site, "no answer") for site in sorted(sites) if known.get(site, "no answer")}
    if silent:
        reasons = ", ".join(f"{urlsplit(site).netloc} ({reason})" for site, reason in silent.items())
        say(f"out of reach from here: {reasons}. {releases.MIRROR} can name a mirror of the release sites")
    return sites - silent.keys()


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
        with _get(url, {}) as answer:
            text = answer.raw.read(LARGEST_CHECKSUMS, decode_content=True).decode(errors="replace")
    except (requests.RequestException, OSError) as error:
        raise UnavailableError(f"its checksum can't be read from {url} ({_reason(error)})") from None
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
                    f"the download from {urlsplit(url).netloc} broke off ({_reason(error)})"
                ) from None


def _go_on(url: str, part: Path, name: str, report: Report) -> None:
    had = part.stat().st_size if part.exists() else 0
    with _get(url, {"Range": f"bytes={had}-"} if had else {}) as answer:
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


def _get(url: str, headers: dict[str, str]) -> requests.Response:
    headers = {"Accept-Encoding": "identity", **headers}
    try:
        answer = requests.get(url, headers=headers, stream=True, timeout=(SITE_SECONDS, SILENT_SECONDS))
    except (requests.ConnectionError, requests.Timeout) as error:
        # A release site sends on to another, which a company may not let through.
        asked = error.request.url if error.request is not None else url
        raise NoAnswerError(f"{urlsplit(str(asked)).netloc} does not answer ({_reason(error)})") from None
    for step in (*answer.history, answer):
        if not releases.secure(step.url):
            raise UnavailableError(f"{url} leads to {step.url}, which is not https")
    if answer.status_code not in (
        requests.codes.ok,
        requests.codes.partial_content,
        requests.codes.requested_range_not_satisfiable,
    ):
        raise UnavailableError(f"{urlsplit(url).netloc} answers {answer.status_code} for {url}")
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise UnavailableError(
            f"{urlsplit(url).netloc} answers with a web page for {url}: a proxy, or a log-in"
        )
    return answer


def _unpack(archive: Path, member: str, draft: Path) -> None:
    with room(f"unpacking {archive.name}"):
        if not member:
            archive.rename(draft)
        elif archive.suffix == ".zip":
            _from_zip(archive, member, draft)
        else:
            _from_tar(archive, member, draft)
    draft.chmod(0o755)


def _from_tar(archive: Path, member: str, draft: Path) -> None:
    # Only what the member holds is written, and to a path of ours: what else an archive says of paths is not followed.
    with tarfile.open(archive) as files:
        for entry in files:
            content = (
                files.extractfile(entry)
                if entry.isfile() and entry.name.removeprefix("./") == member
                else None
            )
            if content:
                with content, draft.open("wb") as file:
                    shutil.copyfileobj(content, file)
                return
    raise UnavailableError(f"{archive.name} has no {member}")


def _from_zip(archive: Path, member: str, draft: Path) -> None:
    with zipfile.ZipFile(archive) as files:
        if member not in files.namelist():
            raise UnavailableError(f"{archive.name} has no {member}")
        with files.open(member) as content, draft.open("wb") as file:
            shutil.copyfileobj(content, file)


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


def _reason(error: Exception) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted here; REQUESTS_CA_BUNDLE can name a company's"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses"
    if isinstance(error, requests.Timeout):
        return "no answer"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "too few bytes came"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__
