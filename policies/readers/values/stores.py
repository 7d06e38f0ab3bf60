"""Stores by name: buckets, datasets, tables and topics, whose names and addresses need not say where they are.

Two things make a text a store: it is an address (`s3://b/k`, `gs://b`, `bq://p.d.t`, an S3 ARN, `b.s3.amazonaws.com`,
`projects/p/topics/t`), or it stands in a property or variable whose name says that it holds one (`accessLogs.bucket`,
`EXPORT_BUCKET`, `destinationTable.datasetId`). What is done with it follows from the names above it, the nearest first:
data/store_words.csv has the words, data/store_properties.csv the properties that mean something else, with reasons.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from policies.readers.tables import table
from policies.readers.values.places import Place, places_in

Kind = Literal["bucket", "dataset", "table", "topic"]
# `own region`: the cloud refuses a store of another region than the resource's own.
Use = Literal["written", "read", "own region", "none"]


@dataclass(frozen=True)
class Store:
    """A store, and what is done with it. `project` is Google's; of a table the dataset is part of the name."""

    kind: Kind
    name: str
    project: str = ""
    use: Use = "written"


@dataclass(frozen=True)
class Holds:
    """What a property of this name holds."""

    kind: Kind | None
    use: Use


_NAME = r"[\w.~%{}$*-]"
# Each begins at a fixed word, and its parts end at a character that they can't hold, so none is quadratic.
_SCHEME = re.compile(rf"(?<![\w+.-])(s3a?|s3n|gs|gcs|bq)://({_NAME}{{1,256}})", re.IGNORECASE)
_S3_ARN = re.compile(rf"(?<![\w:-])arn:aws[\w-]{{0,16}}:s3:::({_NAME}{{1,256}})")
_HOST_BEFORE = re.compile(
    r"(?<![\w.-])([a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9])"
    r"\.(?:s3|s3-accelerate|storage)\.(?:amazonaws|googleapis)\.com(?![\w.-])",
    re.IGNORECASE,
)
_HOST_AROUND = re.compile(
    rf"(?<![\w.-])(?:s3\.amazonaws\.com|storage\.googleapis\.com|storage\.cloud\.google\.com)/({_NAME}{{3,256}})",
    re.IGNORECASE,
)
_PATH = re.compile(
    rf"(?<![\w-])projects/({_NAME}{{1,100}})/(datasets|topics|buckets)/({_NAME}{{1,256}})(?:/tables/({_NAME}{{1,256}}))?"
)
_DOTTED = re.compile(r"([a-z][a-z0-9:.-]{3,61})[.:](\w{1,200})\.([\w$*-]{1,200})")
_BARE = re.compile(r"[a-z0-9][\w.-]{1,221}(?:/.*)?", re.IGNORECASE | re.DOTALL)
_NO_NAME = re.compile(
    r"\d+(?:\.\d+)?(?:ms|[smhdw]|[kmg]i?b?)?|true|false|none|null|string|auto|default", re.IGNORECASE
)
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])")
_INTERPOLATED = re.compile(r"^(?:\$|%|\{\{|<)|\$\{|\{\{")
_POLICIES = frozenset({"Statement", "statements", "Condition"})
_PLACES_OF_A_URI = frozenset(
    {
        "uri",
        "uris",
        "url",
        "urls",
        "path",
        "paths",
        "location",
        "locations",
        "directory",
        "output",
        "destination",
    }
)


def store_in(word: str, type_: str, keys: tuple[str, ...], alone: bool) -> Store | None:
    """The store that a word is, below these names of properties and keys. A bare name counts only if it is `alone`."""
    found = _address(word) or (_bare(word, type_, keys) if alone else None)
    return replace(found, use=_use(found, type_, keys)) if found else None


def _use(store: Store, type_: str, keys: tuple[str, ...]) -> Use:
    if not _POLICIES.isdisjoint(keys):
        return "none"  # a policy says who may, not where something goes
    return "read" if is_public(store) else holds(type_, keys).use


def place_of(store: Store, word: str) -> Place | None:
    """The place that the name of a store says; abroad where it names several."""
    # Some write the region behind the name: `s3://backups@us-east-1/`.
    name = word.partition("://")[2].partition("/")[0] or store.name
    return next(iter(sorted(places_in(name), key=lambda place: place.is_india)), None)


@functools.lru_cache(maxsize=50_000)
def holds(type_: str, keys: tuple[str, ...]) -> Holds:
    """What a property or variable below these names holds, and what is done with it."""
    path = ".".join(keys).lower()
    for row in _properties():
        if type_.startswith(row.types) and row.pattern.search(path):
            if row.kind == "use":
                return Holds(_kind(type_, keys), row.use)
            return Holds(row.kind, _direction(type_, keys) if row.use == "written" else row.use)
    return Holds(_kind(type_, keys), _direction(type_, keys))


def is_public(store: Store) -> bool:
    """Whether nobody but its publisher can write to a store (data/public_stores.csv)."""
    name = f"{store.project}.{store.name}".lstrip(".").lower()
    return any(fnmatchcase(name, pattern) for pattern in _public())


def only_read(text: str) -> frozenset[str]:
    """Addresses that commands in a text copy or fetch from, and that stand nowhere else in it."""
    read = [found[1].strip("\"'") for pattern in _READS for found in pattern.finditer(text)]
    return frozenset(address for address in read if text.count(address) == read.count(address))


# `aws s3 cp SOURCE TARGET`, `gsutil -m rsync -r SOURCE TARGET`, `curl -O URL`; a URL that is uploaded to is no source.
_FLAGS = r"(?:[ \t]+-{1,2}[\w-]{1,40}(?:=\S{1,200})?){0,12}"
_READS = (
    re.compile(
        rf"(?<![\w-])(?:aws[ \t]+s3|gsutil{_FLAGS}|gcloud[ \t]+storage|s5cmd)[ \t]+(?:cp|mv|sync|rsync|ls|cat){_FLAGS}"
        r"[ \t]+[\"']?((?:s3|gs)://[^\s\"']{1,1000})"
    ),
    re.compile(
        r"(?<![\w-])(?:curl|wget)"
        r"(?![^\n]{0,400}?(?:[ \t]-T|--upload-file|-X[ \t]?P|--request[ \t=]P|--data|--post|[ \t]-[dF][ \t]))"
        r"[^\n]{0,400}?[\"']?(https?://[^\s\"']{1,1000})"
    ),
    re.compile(
        r"(?<![\w-])pulumi[ \t]+login[ \t]+[\"']?((?:s3|gs)://[^\s\"']{1,1000})"
    ),
)  # fmt: skip


def _address(word: str) -> Store | None:
    if found := _SCHEME.search(word):
        if found[1].lower() == "bq":
            project, _, rest = found[2].partition(".")
            return Store("table" if "." in rest else "dataset", rest, project)
        return Store("bucket", found[2])
    if found := _S3_ARN.search(word) or _HOST_BEFORE.search(word) or _HOST_AROUND.search(word):
        return Store("bucket", found[1])
    if found := _PATH.search(word):
        kind: Kind = {"datasets": "dataset", "topics": "topic"}.get(found[2], "bucket")  # pyright: ignore[reportAssignmentType]
        project = "" if found[1] == "_" else found[1]
        return (
            Store("table", f"{found[3]}.{found[4]}", project) if found[4] else Store(kind, found[3], project)
        )
    return None


def _bare(word: str, type_: str, keys: tuple[str, ...]) -> Store | None:
    kind = holds(type_, keys).kind
    if (
        kind is None
        or _INTERPOLATED.search(word)
        or "://" in word
        or word.startswith(("arn:", "/", "projects/"))
    ):
        return None
    if kind in ("dataset", "table") and (found := _DOTTED.fullmatch(word)):
        return Store("table", f"{found[2]}.{found[3]}", found[1])
    if not _BARE.fullmatch(word) or _NO_NAME.fullmatch(word):
        return None
    if kind == "table":
        return None  # without its dataset, a table is of the dataset beside it
    if kind == "dataset":
        project, _, name = word.replace(":", ".").rpartition(".")
        return Store(kind, name, project)
    return Store(kind, word.partition("/")[0])


def _kind(type_: str, keys: tuple[str, ...]) -> Kind | None:
    """What the nearest name says that it holds."""
    words = _words(keys[-1]) if keys else ()
    if any(word.startswith("bucket") or word.endswith("bucket") for word in words):
        return "bucket"
    if not {"s3", "gcs"}.isdisjoint(words) and not _PLACES_OF_A_URI.isdisjoint(words):
        return "bucket"
    if type_.startswith(("gcp:", "google-native:")) or _is_bigquerys(keys):
        if not {"table", "tables"}.isdisjoint(words):
            return "table"
        if not {"dataset", "datasets"}.isdisjoint(words):
            return "dataset"
    return None


def _is_bigquerys(keys: tuple[str, ...]) -> bool:
    return any("bigquery" in key.lower() or "bq" in _words(key) for key in keys)


def _direction(type_: str, keys: tuple[str, ...]) -> Use:
    """Whether something is read from what is below these names, or written to it: the nearest that says so decides.

    Resources of Kubernetes wrap others (`spec.source.helm.valuesObject`), so there only the nearest names count.
    """
    near = keys[-3:] if type_.startswith("kubernetes:") else keys
    for above, key in enumerate(reversed(near)):
        words = _uses_above() if above else _uses()
        said = {words[word] for word in _words(key) if word in words}
        if said:
            return "written" if "written" in said else "read"
    return "written"


@functools.lru_cache(maxsize=20_000)
def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(name))


@dataclass(frozen=True)
class _Property:
    pattern: re.Pattern[str]
    types: str
    kind: Any
    use: Use


@functools.cache
def _properties() -> tuple[_Property, ...]:
    """Rows of data/store_properties.csv: the longest type and path first, for the more exact row decides."""
    rows = sorted(table("store_properties.csv"), key=lambda row: (-len(row["types"]), -len(row["property"])))
    return tuple(
        _Property(_pattern(row["property"]), row["types"], row["kind"] or None, row["use"])  # pyright: ignore[reportArgumentType]
        for row in rows
    )


@functools.cache
def _named_otherwise() -> frozenset[str]:
    """Last names of properties that hold a store though their names do not say so."""
    return frozenset(
        row["property"].rpartition(".")[2].lower()
        for row in table("store_properties.csv")
        if row["kind"] != "use"
    )


def _pattern(path: str) -> re.Pattern[str]:
    """`a.b` is a name `b` anywhere below an `a`; `^a` is at the top; `*` stands for any part of one name."""
    top, parts = path.startswith("^"), path.lower().lstrip("^").split(".")
    made = r"\.(?:[^.]+\.)*".join(re.escape(part).replace(r"\*", "[^.]*") for part in parts)
    return re.compile(("^" if top else r"(?:^|\.)") + made + "$")


@functools.cache
def _uses() -> dict[str, Use]:
    return {row["word"]: row["use"] for row in table("store_words.csv")}  # pyright: ignore[reportReturnType]


@functools.cache
def _uses_above() -> dict[str, Use]:
    """Of the words, those that also speak of what is below a property of such a name."""
    return {row["word"]: row["use"] for row in table("store_words.csv") if row["above"] == "yes"}  # pyright: ignore[reportReturnType]


@functools.cache
def _public() -> tuple[str, ...]:
    return tuple(row["name"].lower() for row in table("public_stores.csv"))
