"""What is asked of a bucket, whichever store it is in: `s3.py` and `gcs.py` answer it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# A hold has no end: the last moment that dates have stands for it.
NEVER = "9999-12-31T00:00:00+00:00"


class StoreError(Exception):
    """A bucket can't be opened or refuses; the message names it and says what is needed."""


class ChangedError(Exception):
    """Somebody wrote to an object since it was read."""


@dataclass(frozen=True)
class Version:
    """A version of an object; `latest` is the one that readers get. `written` is in ISO 8601, UTC."""

    bucket: str
    key: str
    id: str
    latest: bool
    written: str
    size: int
    etag: str


@dataclass(frozen=True)
class Lock:
    """What keeps a version from being deleted: until when (ISO 8601), and what it is, in words; `held` is whether no
    other may take its place either."""

    until: str | None = None
    by: str = ""
    held: bool = False


class Bucket(Protocol):
    """A bucket and every version in it. Methods raise StoreError where the store refuses."""

    name: str
    # The largest object that the store takes in one piece, in bytes, and how people say it.
    largest: int
    largest_said: str

    @property
    def uri(self) -> str:
        """Its address: `s3://name`, `gs://name`."""
        ...

    def versioned(self) -> bool:
        """Whether a new object leaves the one before as a version."""
        ...

    def restorable_days(self) -> int:
        """For how many days what is deleted can be restored."""
        ...

    def versions(self, prefix: str = "") -> Iterator[Version]:
        """Every version of every object whose name begins with `prefix`, by key."""
        ...

    def fetch(self, version: Version, target: Path) -> str:
        """Copy a version to a file; its SHA-256."""
        ...

    def lock(self, version: Version) -> Lock:
        """What keeps a version from being deleted."""
        ...

    def replace(self, version: Version, source: Path) -> str:
        """Write a file as the newest version of an object, with what the one before had beside its rows; its id.

        Raises:
            ChangedError: `version` is not the newest any more.
        """
        ...

    def write(self, key: str, content: bytes) -> None:
        """Write a new object."""
        ...

    def remove(self, version: Version) -> None:
        """Hide an object from readers: in a bucket with versions they stay.

        Raises:
            ChangedError: `version` is not the newest any more.
        """
        ...

    def delete(self, key: str, version: str) -> None:
        """Delete a version by its id."""
        ...


def opened(store: str, name: str, region: str, endpoint: str | None) -> Bucket:
    """A bucket of the store `s3` or `gs`. The other's client is not imported: each takes a second."""
    if store == "gs":
        from . import gcs

        return gcs.Bucket(name)
    from . import s3

    return s3.Bucket(name, region, endpoint)


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
