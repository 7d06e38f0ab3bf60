"""Calls of Cloud Storage's JSON API: which one an HTTP request is, and which permissions it needs (`gcs_calls.csv`)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


class UnknownCallError(ValueError):
    """A request to Cloud Storage that the table of calls does not have."""


@dataclass(frozen=True)
class Call:
    """One call. `prefix` is a list's, None where it names none; `source` is the bucket and object that a copy reads."""

    operation: str
    bucket: str
    key: str = ""
    prefix: str | None = None
    source: tuple[str, str] | None = None


@dataclass(frozen=True)
class Need:
    """A permission on a resource, by the name that IAM conditions see, and the prefix that a list asks for."""

    permission: str
    bucket: str
    resource: str
    prefix: str


# By the path after the API's, the method, and the operation; the first that fits.
_PATHS = (
    (r"/b/(?P<bucket>[^/]+)", {"GET": "buckets.get"}),
    (r"/b/(?P<bucket>[^/]+)/o", {"GET": "objects.list", "POST": "objects.insert", "PUT": "objects.insert"}),
    (
        r"/b/(?P<source>[^/]+)/o/(?P<from>[^/]+)/(?P<how>rewriteTo|copyTo)/b/(?P<bucket>[^/]+)/o/(?P<key>[^/]+)",
        {"POST": "objects.rewrite"},
    ),
    (r"/b/(?P<bucket>[^/]+)/o/(?P<from>[^/]+)/moveTo/o/(?P<key>[^/]+)", {"POST": "objects.move"}),
    (
        r"/b/(?P<bucket>[^/]+)/o/(?P<key>.+)",
        {"GET": "objects.get", "HEAD": "objects.get", "DELETE": "objects.delete", "PATCH": "objects.patch"},
    ),
)
_API = re.compile(r"/(?:upload/|download/)?storage/v1(?=/)|/upload(?=/)")


def read(method: str, target: str, body_name: str = "") -> Call:
    """The call that a request is. `body_name` is the object's name where it is in the body, as in an upload.

    Raises:
        UnknownCallError: it is none of the table's.
    """
    url = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    path = _API.sub("", url.path, count=1)
    for pattern, operations in _PATHS:
        found = re.fullmatch(pattern, path)
        if found and method in operations:
            part = {name: unquote(value) for name, value in found.groupdict().items()}
            operation = "objects.copy" if part.get("how") == "copyTo" else operations[method]
            return Call(
                operation,
                part["bucket"],
                part.get("key") or query.get("name") or body_name,
                query.get("prefix") if operation == "objects.list" else None,
                (part.get("source", part["bucket"]), part["from"]) if "from" in part else None,
            )
    raise UnknownCallError(f"Cloud Storage: {method} {url.path}")


def needs(call: Call, *, missing: bool = False, exists: bool = False) -> Iterator[Need]:
    """What a call needs; of an object that is `missing` also the right to be told so, and over one that `exists` the
    right to remove it.

    Raises:
        UnknownCallError: the table has no such operation.
    """
    rows = table().get(call.operation)
    if rows is None:
        raise UnknownCallError(f"Cloud Storage: no row for {call.operation} in gcs_calls.csv")
    met = {"": True, "missing": missing, "exists": exists}
    for row in rows:
        if met[row["when"]]:
            bucket, key = call.source if row["on"] == "source" and call.source else (call.bucket, call.key)
            below = "" if row["on"] == "bucket" else f"/objects/{key}"
            yield Need(row["permission"], bucket, f"projects/_/buckets/{bucket}{below}", call.prefix or "")


@cache
def table() -> Mapping[str, list[dict[str, str]]]:
    """The rows of `gcs_calls.csv`, by operation."""
    found: dict[str, list[dict[str, str]]] = {}
    with Path(__file__).with_name("gcs_calls.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["operation"], []).append(row)
    return found
