"""An S3 bucket and every version in it, through s3fs."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import s3fs
from botocore.exceptions import BotoCoreError, ClientError

# What a new object takes over from the one before.
KEPT = ("Metadata", "ContentType", "ContentEncoding", "ContentLanguage", "ContentDisposition", "CacheControl")
# The largest object that S3 takes in one piece.
LARGEST = 5 << 30


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

    @property
    def named(self) -> dict[str, str]:
        """What names it in a call of S3. Where a bucket never had versions, not every server knows `null`."""
        return (
            {"Key": self.key}
            if self.latest and self.id == "null"
            else {"Key": self.key, "VersionId": self.id}
        )


class Bucket:
    """A bucket; `endpoint` is the address of an S3 that is not AWS's, None for that of the environment."""

    def __init__(self, name: str, region: str, endpoint: str | None = None) -> None:
        self.name = name
        client = {"region_name": region} if region else {}
        self._files = s3fs.S3FileSystem(
            version_aware=True, use_listings_cache=False, endpoint_url=endpoint, client_kwargs=client
        )

    def versioned(self) -> bool:
        """Whether a new object leaves the one before as a version."""
        return self._ask("get_bucket_versioning").get("Status") == "Enabled"

    def versions(self, prefix: str = "") -> Iterator[Version]:
        """Every version of every object, by key."""
        more: dict[str, str] = {}
        while True:
            page = self._ask("list_object_versions", Prefix=prefix, **more)
            for one in page.get("Versions") or ():
                yield Version(
                    self.name,
                    one["Key"],
                    one["VersionId"],
                    one["IsLatest"],
                    one["LastModified"].isoformat(),
                    one["Size"],
                    one["ETag"],
                )
            if not page.get("IsTruncated"):
                return
            more = {"KeyMarker": page["NextKeyMarker"]}
            if page.get("NextVersionIdMarker"):
                more["VersionIdMarker"] = page["NextVersionIdMarker"]

    def fetch(self, version: Version, target: Path) -> str:
        """Copy a version to a file; its SHA-256."""
        path, id = f"{self.name}/{version.key}", version.named.get("VersionId")
        with refusals(self.name):
            self._files.get_file(path, str(target), version_id=id)
        with target.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def locked_until(self, version: Version) -> str | None:
        """The end of a version's Object Lock, in ISO 8601; "a legal hold" has none."""
        head = self._ask("head_object", **version.named)
        if head.get("ObjectLockLegalHoldStatus") == "ON":
            return "9999-12-31T00:00:00+00:00"
        until = head.get("ObjectLockRetainUntilDate")
        return until.isoformat() if until else None

    def replace(self, version: Version, source: Path) -> str:
        """Write a file as the newest version of an object, with what the one before had beside its rows; its id.

        Raises:
            ChangedError: `version` is not the newest any more.
        """
        head = self._ask("head_object", **version.named)
        tags = self._ask("get_object_tagging", **version.named).get("TagSet") or []
        tagging = {"Tagging": _query(tags)} if tags else {}
        kept = {name: head[name] for name in KEPT if head.get(name)}
        with source.open("rb") as body:
            put = self._ask("put_object", Key=version.key, Body=body, IfMatch=version.etag, **kept, **tagging)
        return put.get("VersionId") or "null"

    def write(self, key: str, content: bytes) -> None:
        """Write a new object."""
        self._ask("put_object", Key=key, Body=content)

    def remove(self, version: Version) -> None:
        """Hide an object from readers: in a bucket with versions they stay.

        Raises:
            ChangedError: `version` is not the newest any more.
        """
        if (self._ask("head_object", Key=version.key).get("VersionId") or "null") != version.id:
            raise ChangedError
        self._ask("delete_object", Key=version.key)

    def delete(self, key: str, version: str) -> None:
        """Delete a version for good."""
        self._ask("delete_object", Key=key, VersionId=version)

    def _ask(self, call: str, **how: Any) -> Any:
        with refusals(self.name):
            return self._files.call_s3(call, Bucket=self.name, **how)


@contextlib.contextmanager
def refusals(bucket: str) -> Iterator[None]:
    """Turns what S3 refuses into one message."""
    try:
        yield
    except PermissionError as error:
        raise StoreError(
            f"s3://{bucket} denies access ({error}): be logged in as one who may list, read, write and delete "
            "versions there (docs/erasure.md); nothing more was done"
        ) from error
    except FileNotFoundError as error:
        raise StoreError(f"s3://{bucket}: not there ({error}): is this the state of the stack?") from error
    except OSError as error:
        code = getattr(error.__cause__, "response", {}).get("Error", {}).get("Code")
        if code in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise ChangedError from error
        raise StoreError(f"s3://{bucket}: {error}") from error
    except (BotoCoreError, ClientError) as error:
        raise StoreError(f"s3://{bucket}: {error}: are credentials of AWS there?") from error


def _query(tags: list[dict[str, str]]) -> str:
    return urlencode({one["Key"]: one["Value"] for one in tags})
