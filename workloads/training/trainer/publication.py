"""Publishes folders of files, each whole or not there, in a store that can neither rename nor lock.

A folder is written under a name that nobody else uses, `step-00000042-5f3a…/`, and `manifest.json` goes last: it holds
the size and the digest of every file, and its own. Without a manifest a folder is half, and is never read. With one it
is whole only if every file is as the manifest says.

Everything asked of the store is about objects below the folder of the job: a grant for a prefix has no right to the
bucket.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from .recipe import RecipeError

MANIFEST = "manifest.json"
# A disk, a quota, and the size of a file that a process may write.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FILE = re.compile(r"(step-(\d{8})-[0-9a-f]{8})/(.+)")
_CHUNK = 1 << 22


@dataclass(frozen=True)
class File:
    """A file of a folder, as its writer saw it."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Published:
    """A folder with a manifest. `details`: what its publisher wrote about it."""

    name: str
    step: int
    saved_at: float
    details: dict[str, Any]
    files: tuple[File, ...]


class DamagedError(Exception):
    """A published folder is not as its manifest says."""


def new_name(step: int) -> str:
    """A folder's name for a step, which no other writer uses: one that hangs may come back to life."""
    return f"step-{step:08d}-{secrets.token_hex(4)}"


class Folder:
    """The published folders under `uri`: a path, s3://bucket/prefix or gs://bucket/prefix."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")
        with refusals(uri):
            self.files, root = fsspec.core.url_to_fs(self.uri)
        self.root = root.rstrip("/")
        self.on_disk = isinstance(self.files, LocalFileSystem)

    def names(self) -> dict[str, set[str]]:
        """The files of each folder, published or not, by its name."""
        found: dict[str, set[str]] = {}
        self.files.invalidate_cache()
        with refusals(self.uri):
            for path in listed(self.files, self.root):
                if file := _FILE.fullmatch(path[len(self.root) :].lstrip("/")):
                    found.setdefault(file[1], set()).add(file[3])
        return found

    def published(self) -> list[Published]:
        """What has a manifest that can be read, newest first."""
        manifests = (self._manifest(name) for name, files in self.names().items() if MANIFEST in files)
        return sorted(filter(None, manifests), key=lambda one: (one.step, one.saved_at), reverse=True)

    def write(self, name: str, file: str, content: bytes) -> File:
        """Writes one file of a folder that is not published yet."""
        if self.on_disk:
            self.files.makedirs(f"{self.root}/{name}", exist_ok=True)
        with refusals(self.uri), self.files.open(f"{self.root}/{name}/{file}", "wb") as stream:
            stream.write(content)
        return File(file, len(content), hashlib.sha256(content).hexdigest())

    def read(self, name: str, file: str) -> bytes:
        """The content of one file."""
        with refusals(self.uri), self.files.open(f"{self.root}/{name}/{file}", "rb") as stream:
            return stream.read()

    def publish(self, name: str, files: list[File], details: dict[str, Any]) -> None:
        """Makes a folder whole: the manifest is the last object that is written."""
        body = {
            "step": _step(name),
            "savedAt": time.time(),
            "details": details,
            "files": {
                file.name: [file.size, file.sha256] for file in sorted(files, key=lambda one: one.name)
            },
        }
        self.write(name, MANIFEST, json.dumps({**body, "sha256": _digest(body)}).encode())

    def verify(self, published: Published, part: int = 0, parts: int = 1) -> None:
        """Raises DamagedError unless every `parts`-th file is what its writer wrote."""
        for file in published.files[part::parts]:
            try:
                size, digest = self._measure(f"{published.name}/{file.name}")
            except FileNotFoundError:
                raise DamagedError(f"{published.name}/{file.name} is missing") from None
            if (size, digest) != (file.size, file.sha256):
                raise DamagedError(f"{published.name}/{file.name} has not the digest of its manifest")

    def remove(self, name: str) -> None:
        """Removes a folder; its manifest first, so that what is left of it is not taken for whole."""
        paths = listed(self.files, f"{self.root}/{name}")
        for path in sorted(paths, key=lambda path: not path.endswith(f"/{MANIFEST}")):
            # Removed already: another process retires the same folder.
            with contextlib.suppress(FileNotFoundError):
                self.files.rm_file(path)
        if self.on_disk and self.files.exists(f"{self.root}/{name}"):
            self.files.rm(f"{self.root}/{name}", recursive=True)

    def remove_unpublished(self) -> None:
        """Removes what an interrupted save left."""
        for name, files in self.names().items():
            if MANIFEST not in files:
                self.remove(name)

    def retire(self, keep: int, keep_hours: float | None) -> list[str]:
        """Removes all but the newest `keep`, and of these what is older than `keep_hours`; never the newest."""
        newest_first = self.published()
        oldest = time.time() - keep_hours * 3600 if keep_hours else 0.0
        old = [one for at, one in enumerate(newest_first) if at and (at >= keep or one.saved_at < oldest)]
        for one in old:
            self.remove(one.name)
        return [one.name for one in old]

    def require_room(self, size: int) -> None:
        """Raises RecipeError if the disk has less room, or is not there. Of an object store nobody knows."""
        try:
            self.files.makedirs(self.root, exist_ok=True)
            free = shutil.disk_usage(self.root).free
        except OSError as error:
            raise RecipeError(f"{self.uri} can't be made: {error.strerror}") from error
        if free < size:
            raise RecipeError(
                f"{self.uri} has {free >> 20} MiB free, and two checkpoints need {size >> 20} MiB: make room"
            )

    def _manifest(self, name: str) -> Published | None:
        try:
            document = json.loads(self.read(name, MANIFEST))
            written = document.pop("sha256")
            if written != _digest(document) or document["step"] != _step(name):
                return None
            files = tuple(File(file, size, digest) for file, (size, digest) in document["files"].items())
            return Published(name, document["step"], document["savedAt"], document["details"], files)
        except (ValueError, KeyError, TypeError, AttributeError, FileNotFoundError):
            # Cut short, or with a flipped byte: then it says nothing about its files.
            return None

    def _measure(self, path: str) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        with self.files.open(f"{self.root}/{path}", "rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
        return size, digest.hexdigest()


def listed(files: Any, root: str) -> list[str]:
    """The files below a folder, by a list of its prefix alone.

    Where there is none, `find(root)` of s3fs asks for an object of the folder's name, which a grant for what is below
    the folder does not hold: the store then refuses, and does not say that there is none.
    """
    if isinstance(files, LocalFileSystem):
        return list(files.find(root))
    bucket, _, key = root.partition("/")
    return list(files.find(bucket, prefix=f"{key}/" if key else ""))


def file_digest(files: Any, path: str) -> str:
    """The SHA-256 of one file of a store."""
    digest = hashlib.sha256()
    with files.open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def refusals(uri: str) -> Iterator[None]:
    """Turns a store that denies, and a disk that is full or can't be written, into one message."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        said = _of_store(error)
        if isinstance(said, PermissionError):
            raise RecipeError(
                f"{uri} denies access ({said}): grant the job's identity this prefix"
            ) from error
        if said.errno in FULL:
            raise RecipeError(
                f"{uri} is full: make room, or keep fewer checkpoints (checkpoints.keep)"
            ) from error
        if said.errno == errno.EROFS:
            raise RecipeError(f"{uri} is mounted to be read alone: mount it to be written") from error
        raise


def _of_store(error: BaseException) -> OSError:
    """What the store said. torch's writer of archives fails once more while it closes, with other words."""
    while not isinstance(error, OSError):
        if error.__context__ is None:
            return OSError()
        error = error.__context__
    return error


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """Turns a folder for temporary files that is full, or a node that has none, into one message."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL and "temporary directory" not in str(error):
            raise
        where = os.environ.get("TMPDIR", "/tmp")
        raise RecipeError(
            f"{where} has no room for the files of a start ({error.strerror}): mount a larger volume there, or name "
            "another folder in TMPDIR"
        ) from error


def _step(name: str) -> int:
    return int(name.split("-")[1])


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
