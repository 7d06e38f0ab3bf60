"""Calls of S3: which one an HTTP request is, and which actions on what it needs (`s3_calls.csv`, read 2026-11)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

# The headers of a put that bucket policies look at are condition keys of the same name.
_CONDITION_HEADERS = (
    "x-amz-acl",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
)


class UnknownCallError(ValueError):
    """A request to S3 that the table of calls does not have."""


@dataclass(frozen=True)
class Call:
    """One call of S3. `keys` are the objects it is about, none for the bucket itself; `source` is what a copy reads.

    `prefix` is a list's, None where it names none. `headers` are those that policies look at.
    """

    operation: str
    bucket: str
    keys: Sequence[str] = ()
    prefix: str | None = None
    source: tuple[str, str] | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Need:
    """An action that a call needs: on the `bucket`, on an object (`key`), or with the KMS key of `bucket`."""

    action: str
    bucket: str
    key: str | None
    context: Mapping[str, str]


def read(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
    """The call that a request with the bucket in its path is.

    Raises:
        UnknownCallError: the table has no such call.
    """
    url = urlsplit(target)
    bucket, _, key = unquote(url.path).lstrip("/").partition("/")
    query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    lower = {name.lower(): value for name, value in headers.items()}
    operation = _operation(method, bool(key), query, lower)
    source = unquote(lower.get("x-amz-copy-source", "")).lstrip("/").partition("?")[0].partition("/")
    return Call(
        operation,
        bucket,
        tuple(_deleted(body)) if operation == "DeleteObjects" else (key,) if key else (),
        query.get("prefix") if operation.startswith("ListObject") else None,
        (source[0], source[2]) if source[0] else None,
        {name: lower[name] for name in _CONDITION_HEADERS if name in lower},
    )


def _operation(method: str, on_object: bool, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    copies = "x-amz-copy-source" in headers
    for (verb, objects, sub), operation in _OPERATIONS.items():
        if verb == method and objects is on_object and (not sub or sub in query):
            return _COPIES.get(operation, operation) if copies else operation
    raise UnknownCallError(
        f"S3: {method} {'of an object' if on_object else 'of a bucket'} with {sorted(query)}"
    )


# By method, whether it names an object, and the query's word for what it is about; the first that fits.
_OPERATIONS: Mapping[tuple[str, bool, str], str] = {
    ("HEAD", False, ""): "HeadBucket",
    ("GET", False, "location"): "GetBucketLocation",
    ("GET", False, "versioning"): "GetBucketVersioning",
    ("GET", False, "versions"): "ListObjectVersions",
    ("GET", False, "list-type"): "ListObjectsV2",
    ("GET", False, ""): "ListObjects",
    ("POST", False, "delete"): "DeleteObjects",
    ("PUT", False, ""): "CreateBucket",
    ("HEAD", True, ""): "HeadObject",
    ("GET", True, "uploadId"): "ListParts",
    ("GET", True, "tagging"): "GetObjectTagging",
    ("GET", True, ""): "GetObject",
    ("PUT", True, "partNumber"): "UploadPart",
    ("PUT", True, "tagging"): "PutObjectTagging",
    ("PUT", True, ""): "PutObject",
    ("POST", True, "uploads"): "CreateMultipartUpload",
    ("POST", True, "uploadId"): "CompleteMultipartUpload",
    ("DELETE", True, "uploadId"): "AbortMultipartUpload",
    ("DELETE", True, ""): "DeleteObject",
}
_COPIES = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}


def _deleted(body: bytes) -> Iterator[str]:
    for element in ElementTree.fromstring(re.sub(rb' xmlns="[^"]+"', b"", body, count=1)).iter("Key"):
        yield element.text or ""


def needs(call: Call, *, missing: bool = False, tagged: bool = False) -> list[Need]:
    """What `call` needs; of an object that is `missing` also the right to be told so, and of one that is `tagged`
    what a copy of its tags needs.

    Raises:
        UnknownCallError: the table has no such operation.
    """
    rows = table().get(call.operation)
    if rows is None:
        raise UnknownCallError(f"S3: no row for {call.operation} in s3_calls.csv")
    met = {"": True, "missing": missing, "tagged": tagged}
    return [need for row in rows if met[row["when"]] for need in _needs(call, row)]


def _needs(call: Call, row: Mapping[str, str]) -> Iterator[Need]:
    bucket, key = call.source if row["on"].startswith("source") and call.source else (call.bucket, None)
    context = dict(_context(call, row["context"]))
    match row["on"]:
        case "bucket" | "key" | "source key":
            yield Need(row["action"], bucket, None, context)
        case "source":
            yield Need(row["action"], bucket, key, context)
        case _:
            for each in call.keys:
                yield Need(row["action"], bucket, each, context)


def _context(call: Call, asked: str) -> Iterator[tuple[str, str]]:
    for name, value in (call.headers or {}).items():
        yield f"s3:{name}", value
    if asked == "s3:prefix=key":
        yield "s3:prefix", call.keys[0]
    elif asked == "s3:prefix" and call.prefix is not None:
        yield "s3:prefix", call.prefix


@cache
def table() -> Mapping[str, list[dict[str, str]]]:
    """The rows of `s3_calls.csv`, by operation."""
    found: dict[str, list[dict[str, str]]] = {}
    with Path(__file__).with_name("s3_calls.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["operation"], []).append(row)
    return found
