"""An S3 bucket and every version in it, through s3fs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import s3fs
from botocore.exceptions import BotoCoreError, ClientError

from .store import NEVER, ChangedError, Lock, StoreError, Version, digest

# What a new object takes over from the one before.
KEPT = ("Metadata", "ContentType", "ContentEncoding", "ContentLanguage", "ContentDisposition", "CacheControl")


class Bucket:
    """A bucket; `endpoint` is the address of an S3 that is not AWS's, None for that of the environment."""

    largest, largest_said = 5 << 30, "5 GiB"

    def __init__(self, name: str, region: str, endpoint: str | None = None) -> None:
        self.name = name
        client = {"region_name": region} if region else {}
        self._files = s3fs.S3FileSystem(
            version_aware=True, use_listings_cache=False, endpoint_url=endpoint, client_kwargs=client
        )

    @property
    def uri(self) -> str:
        """Its address."""
        return f"s3://{self.name}"

    def versioned(self) -> bool:
        """Whether a new object leaves the one before as a version."""
        return self._ask("get_bucket_versioning").get("Status") == "Enabled"

    def restorable_days(self) -> int:
        """S3 keeps nothing of a version that is deleted by its id."""
        return 0

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
        path, id = f"{self.name}/{version.key}", _named(version).get("VersionId")
        with refusals(self.name):
            self._files.get_file(path, str(target), version_id=id)
        return digest(target)

    def lock(self, version: Version) -> Lock:
        """A version's Object Lock or legal hold, which new versions do not mind."""
        head = self._ask("head_object", **_named(version))
        until = head.get("ObjectLockRetainUntilDate")
        ends = until.isoformat() if until else None
        held = head.get("ObjectLockLegalHoldStatus") == "ON"
        return Lock(NEVER if held else ends, "its Object Lock, or a legal hold")

    def replace(self, version: Version, source: Path) -> str:
        """Write a file as the newest version of an object, with what the one before had beside its rows; its id.

        Raises:
            ChangedError: `version` is not the newest any more.
        """
        head = self._ask("head_object", **_named(version))
        tags = self._ask("get_object_tagging", **_named(version)).get("TagSet") or []
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


def _named(version: Version) -> dict[str, str]:
    """What names a version in a call. Where a bucket never had versions, not every server knows `null`."""
    plain = version.latest and version.id == "null"
    return {"Key": version.key} if plain else {"Key": version.key, "VersionId": version.id}


def _query(tags: list[dict[str, str]]) -> str:
    return urlencode({one["Key"]: one["Value"] for one in tags})
