"""A bucket of Cloud Storage and every generation in it, through Google's client.

What is said here of Cloud Storage is in its documentation, read in November 2026: object-versioning, soft-delete,
object-holds, bucket-lock, object-lock and request-preconditions at docs.cloud.google.com/storage/docs.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, PreconditionFailed, Unauthorized
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage

from .store import NEVER, ChangedError, Lock, StoreError, Version, digest

# What a new object takes over from the one before.
KEPT = (
    "metadata",
    "content_encoding",
    "content_language",
    "content_disposition",
    "cache_control",
    "custom_time",
)
_DAY_SECONDS = 86_400


class Bucket:
    """A bucket; the login is application default credentials, the store that of `STORAGE_EMULATOR_HOST` if it is
    set."""

    largest, largest_said = 5 << 40, "5 TiB"

    def __init__(self, name: str) -> None:
        self.name = name
        with refusals(name):
            # No project: nothing is made or listed in one.
            self._bucket = storage.Client(project=None).bucket(name)

    @property
    def uri(self) -> str:
        """Its address."""
        return f"gs://{self.name}"

    def versioned(self) -> bool:
        """Whether a new object leaves the one before as a noncurrent version."""
        with refusals(self.name):
            self._bucket.reload()
        return bool(self._bucket.versioning_enabled)

    def restorable_days(self) -> int:
        """For how many days soft delete keeps what is deleted, which nobody can end before."""
        with refusals(self.name):
            self._bucket.reload()
        return math.ceil((self._bucket.soft_delete_policy.retention_duration_seconds or 0) / _DAY_SECONDS)

    def versions(self, prefix: str = "") -> Iterator[Version]:
        """Every generation of every object, by key; those that are soft-deleted can't be read, and are not listed."""
        with refusals(self.name):
            for blob in self._bucket.list_blobs(prefix=prefix, versions=True):
                yield Version(
                    self.name,
                    blob.name,
                    str(blob.generation),
                    blob.time_deleted is None,
                    blob.time_created.isoformat(),
                    blob.size,
                    blob.etag or "",
                )

    def fetch(self, version: Version, target: Path) -> str:
        """Copy a generation to a file as it is stored; its SHA-256."""
        with refusals(self.name):
            # Otherwise an object that says gzip of itself would come unpacked.
            self._blob(version).download_to_filename(str(target), raw_download=True)
        return digest(target)

    def lock(self, version: Version) -> Lock:
        """A hold, under which not even a new generation is taken, or a retention: the bucket's or the object's own."""
        blob = self._known(version)
        holds = {"a temporary hold": blob.temporary_hold, "an event-based hold": blob.event_based_hold}
        if any(holds.values()):
            return Lock(NEVER, " and ".join(name for name, set_ in holds.items() if set_), held=True)
        until = blob.retention_expiration_time
        return Lock(until.isoformat() if until else None, "the retention of the bucket or of the object")

    def replace(self, version: Version, source: Path) -> str:
        """Write a file as the live generation of an object, with what the one before had beside its rows; its number.

        Raises:
            ChangedError: `version` is not the live one any more.
        """
        before, after = self._known(version), self._bucket.blob(version.key)
        for name in KEPT:
            if (value := getattr(before, name)) is not None:
                setattr(after, name, value)
        with refusals(self.name):
            after.upload_from_filename(
                str(source), content_type=before.content_type, if_generation_match=int(version.id)
            )
        return str(after.generation)

    def write(self, key: str, content: bytes) -> None:
        """Write a new object."""
        with refusals(self.name):
            self._bucket.blob(key).upload_from_string(content, "application/json")

    def remove(self, version: Version) -> None:
        """Hide an object from readers: without its generation in the call it becomes noncurrent, where those are kept.

        Raises:
            ChangedError: `version` is not the live one any more.
        """
        with refusals(self.name):
            try:
                self._bucket.delete_blob(version.key, if_generation_match=int(version.id))
            except NotFound as error:
                raise ChangedError from error

    def delete(self, key: str, version: str) -> None:
        """Delete a generation; soft delete keeps it for its days. One that is not there any more is deleted."""
        with refusals(self.name), contextlib.suppress(NotFound):
            self._bucket.delete_blob(key, generation=int(version))

    def _blob(self, version: Version) -> Any:
        return self._bucket.blob(version.key, generation=int(version.id))

    def _known(self, version: Version) -> Any:
        """The same, with what is known of it."""
        blob = self._blob(version)
        with refusals(self.name):
            blob.reload()
        return blob


@contextlib.contextmanager
def refusals(bucket: str) -> Iterator[None]:
    """Turns what Cloud Storage refuses into one message."""
    try:
        yield
    except PreconditionFailed as error:
        raise ChangedError from error
    except NotFound as error:
        raise StoreError(
            f"gs://{bucket}: not there ({error.message}): is this the state of the stack?"
        ) from error
    except (Forbidden, Unauthorized) as error:
        # A hold or a retention that came meanwhile is a 403 as well; its reason is not always another.
        if "cannot be deleted" in error.message:
            raise StoreError(f"gs://{bucket}: {error.message}") from error
        raise StoreError(
            f"gs://{bucket} denies access ({error.message}): be logged in as one who may list, read, write and "
            "delete objects there (docs/erasure.md); nothing more was done"
        ) from error
    except GoogleAuthError as error:
        raise StoreError(
            f"gs://{bucket}: {error}: log in with `gcloud auth application-default login`"
        ) from error
    except (GoogleAPIError, requests.RequestException) as error:
        raise StoreError(f"gs://{bucket}: {error}") from error
