"""Proves what a workload may do in the lake, and what it may not.

Puts an object where it may, reads it back, sees that it is under the customer's key, deletes it; then tries to write
and to read where it may not, and must be refused. Prints one JSON object. S3 is tested; Google Cloud Storage (CMEK) is
written from its client's reference and was never run.

Exit codes: 0 all as it must be, 1 something is not.
"""

import argparse
import json
import os
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from evidence import keep


class Refused(Exception):
    """The store says that this identity may not."""


class Store(Protocol):
    """One object store, by bucket and key. Each method raises Refused where it may not."""

    def put(self, bucket: str, key: str, body: bytes) -> None: ...
    def get(self, bucket: str, key: str) -> bytes | None: ...
    def key_of(self, bucket: str, key: str) -> str: ...
    def listed(self, bucket: str, key: str) -> bool: ...
    def delete(self, bucket: str, key: str) -> None: ...


class S3:
    """S3 with the identity that boto3 finds: in a pod, its Pod Identity."""

    def __init__(self) -> None:
        import boto3

        self._client = boto3.client("s3")

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self._call("put_object", Bucket=bucket, Key=key, Body=body)

    def get(self, bucket: str, key: str) -> bytes | None:
        """The object, None if there is none."""
        found = self._call("get_object", Bucket=bucket, Key=key)
        return found["Body"].read() if found else None

    def key_of(self, bucket: str, key: str) -> str:
        """The KMS key that the object is under; empty where it is not SSE-KMS."""
        found = self._call("head_object", Bucket=bucket, Key=key) or {}
        return (
            found.get("SSEKMSKeyId", "")
            if found.get("ServerSideEncryption", "").startswith("aws:kms")
            else ""
        )

    def listed(self, bucket: str, key: str) -> bool:
        """Whether a list of what begins with `key` has anything."""
        return bool((self._call("list_objects_v2", Bucket=bucket, Prefix=key) or {}).get("KeyCount"))

    def delete(self, bucket: str, key: str) -> None:
        self._call("delete_object", Bucket=bucket, Key=key)

    def _call(self, operation: str, **asked: Any) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            return getattr(self._client, operation)(**asked)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("AccessDenied", "403"):
                raise Refused(code) from None
            if code in ("NoSuchKey", "404"):
                return None
            raise


class Gcs:
    """Google Cloud Storage with the identity of the pod."""

    def __init__(self) -> None:
        from google.cloud import storage

        self._client = storage.Client()

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self._allowed(lambda: self._client.bucket(bucket).blob(key).upload_from_string(body))

    def get(self, bucket: str, key: str) -> bytes | None:
        found = self._allowed(lambda: self._client.bucket(bucket).get_blob(key))
        return found.download_as_bytes() if found else None

    def key_of(self, bucket: str, key: str) -> str:
        """The customer's key (CMEK), without the version that Google adds."""
        found = self._allowed(lambda: self._client.bucket(bucket).get_blob(key))
        return (found.kms_key_name or "").partition("/cryptoKeyVersions/")[0] if found else ""

    def listed(self, bucket: str, key: str) -> bool:
        """Whether a list of what begins with `key` has anything."""
        return bool(self._allowed(lambda: list(self._client.list_blobs(bucket, prefix=key, max_results=1))))

    def delete(self, bucket: str, key: str) -> None:
        self._allowed(lambda: self._client.bucket(bucket).blob(key).delete())

    def _allowed(self, call: Callable[[], Any]) -> Any:
        from google.api_core.exceptions import Forbidden

        try:
            return call()
        except Forbidden as error:
            raise Refused(str(error)) from None


@dataclass
class Checks:
    """What was tried, in order: name, whether it is as it must be, and what was seen."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def note(self, name: str, passed: bool, said: str = "") -> bool:
        self.rows.append({"name": name, "passed": passed, "said": said})
        return passed

    def attempt(self, name: str, call: Callable[[], bool]) -> bool:
        """Note a check that must hold; a refusal fails it."""
        try:
            return self.note(name, call())
        except Refused as error:
            return self.note(name, False, f"refused: {error}")


def allowed(store: Store, bucket: str, key: str, expected_key: str, checks: Checks) -> None:
    """Put, read back, see the key, delete."""
    body = os.urandom(1 << 16)
    if not checks.attempt("put", lambda: store.put(bucket, key, body) is None):
        return
    checks.attempt("read back", lambda: store.get(bucket, key) == body)
    try:
        under = store.key_of(bucket, key)
        checks.note(
            "under the customer's key", bool(under) and under == expected_key, under or "no customer key"
        )
    except Refused as error:
        checks.note("under the customer's key", False, f"refused: {error}")
    checks.attempt("delete", lambda: store.delete(bucket, key) is None)
    # By a list: to read what is not there may be refused, for a store does not tell what it may not list.
    checks.attempt("gone", lambda: not store.listed(bucket, key))


def refused(store: Store, bucket: str, key: str, checks: Checks) -> None:
    """Write and read where neither is allowed; what was written all the same is removed."""
    place = f"{bucket}/{key.rpartition('/')[0]}"
    try:
        store.put(bucket, key, b"this must never be written")
    except Refused as error:
        checks.note(f"put refused in {place}", True, str(error))
    else:
        checks.note(f"put refused in {place}", False, "it was written")
        try:
            store.delete(bucket, key)
        except Refused:
            checks.note(f"clean up {place}", False, f"{key} is left: remove it by hand")
    try:
        store.get(bucket, key)
    except Refused as error:
        checks.note(f"get refused in {place}", True, str(error))
    else:
        checks.note(f"get refused in {place}", False, "it was answered")


def main(arguments: list[str]) -> int:
    """Tries everything; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--uri", required=True, help="where it may write: s3://bucket/prefix or gs://bucket/prefix"
    )
    parser.add_argument("--key", required=True, help="ARN or name of the customer key that must encrypt")
    parser.add_argument(
        "--refused-uri", action="append", default=[], help="where it must be refused; may be repeated"
    )
    parser.add_argument("--evidence-uri", default="", help="where the result is kept")
    asked = parser.parse_args(arguments)
    stores: dict[str, Callable[[], Store]] = {"s3": S3, "gs": Gcs}
    place = urlsplit(asked.uri)
    if place.scheme not in stores:
        parser.error(f"--uri {asked.uri}: allowed is s3://… or gs://…")
    store, name, checks = stores[place.scheme](), f"proof-{uuid.uuid4().hex}", Checks()
    allowed(store, place.netloc, f"{place.path.strip('/')}/{name}", asked.key, checks)
    for uri in asked.refused_uri:
        other = urlsplit(uri)
        refused(store, other.netloc, f"{other.path.strip('/')}/{name}".lstrip("/"), checks)
    passed = all(row["passed"] for row in checks.rows)
    result = {"test": "lake", "uri": asked.uri, "key": asked.key, "checks": checks.rows, "passed": passed}
    print(json.dumps(result), flush=True)
    if asked.evidence_uri:
        print(json.dumps({"event": "kept", "at": keep(result, asked.evidence_uri)}), flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
