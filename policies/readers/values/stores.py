"""Stores by name: buckets, datasets, tables, topics, storage accounts, whose names need not say where they are.

Two things make a text a store: it is an address (`s3://b/k`, `gs://b`, `bq://p.d.t`, an S3 ARN, `b.s3.amazonaws.com`,
`projects/p/topics/t`, `a.blob.core.windows.net`), or it stands in a property or variable whose name says that it holds
one (`accessLogs.bucket`, `EXPORT_BUCKET`, `destinationTable.datasetId`). What is done with it follows from the names
above it, the nearest first: data/store_words.csv has the words, data/store_properties.csv the properties that mean
something else, with reasons.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from policies.readers.tables import table
from policies.readers.values.places import Place, places_in

Kind = Literal["bucket", "dataset", "table", "topic", "account"]
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
    reason: str = ""


_NAME = r"[\w.~%{}$*-]"
# Each begins at a fixed word, and its parts end at a character that they can't hold, so none is quadratic.
# No name begins with a dot or a hyphen: `a path, s3:// or gs://.` is prose.
_SCHEME = re.compile(rf"(?<![\w+.-])(s3a?|s3n|gs|gcs|bq)://(?![.-])({_NAME}{{1,256}})", re.IGNORECASE)
# One of these is in each, and to look for them is quicker.
_SCHEMES = ("s3", "gs:", "gcs:", "bq:")
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
# Azure's host of an account says no region; nor does the account's ID.
_ACCOUNT = re.compile(
    r"(?<![\w.-])([a-z0-9]{1,24})(?:-secondary)?(?:\.z\d{1,2})?"
    r"\.(?:blob|dfs|file|queue|table|web)(?:\.storage)?\.core\.windows\.net(?![\w.-])"
    r"|/storageAccounts/([a-z0-9]{3,24})(?![\w.-])",
    re.IGNORECASE,
)
_NAME_OF_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_DOTTED = re.compile(r"([a-z][a-z0-9:.-]{3,61})[.:](\w{1,200})\.([\w$*-]{1,200})")
_BARE = re.compile(r"[a-z0-9][\w.-]{1,221}(?:/.*)?", re.IGNORECASE | re.DOTALL)
_NO_NAME = re.compile(
    r"\d+(?:\.\d+)?(?:ms|[smhdw]|[kmg]i?b?)?|true|false|none|null|string|auto|default", re.IGNORECASE
)
# A program is loaded from where it is; and names of properties that may hold a store all have one of a few parts.
_MAY_HOLD = re.compile(r"bucket|s3|gcs|table|dataset|account", re.IGNORECASE)
# What a storage account's name is called, without punctuation; the shorter names only below something of Azure's.
_STORAGE_ACCOUNT = re.compile(r"storageaccount(?:name)?$")
_ACCOUNT_NAME = re.compile(r"(?:^|azure|blob|lake|adls|abfs)accountname$")
_OF_AZURE = re.compile(r"azure|azblob|adls|abfs|datalake|connection_?string", re.IGNORECASE)
_NO_WORD = str.maketrans("", "", "_-.")
_PROGRAMS = (".py", ".jar", ".sh", ".whl", ".egg", ".hql", ".rpm", ".deb", ".msi", ".exe", ".ps1")
# What is only fetched where a command copies it from: programs, packages and archives of them.
SOFTWARE = (
    *_PROGRAMS,
    ".zip",
    ".tgz",
    ".tar.gz",
    ".tar.xz",
    ".tar.bz2",
    ".bin",
    ".asc",
    ".gpg",
    ".repo",
    ".pem",
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


@functools.lru_cache(maxsize=20_000)
def store_in(word: str, type_: str, keys: tuple[str, ...], alone: bool) -> Store | None:
    """The store that a word is, below these names of properties and keys. A bare name counts only if it is `alone`."""
    found = _address(word) or (_bare(word, type_, keys) if alone else None)
    return replace(found, use=_use(found, word, type_, keys)) if found else None


def may_hold_a_store(keys: tuple[str, ...]) -> bool:
    """Whether a bare name below these keys may be that of a store."""
    last = keys[-1] if keys else ""
    return last == "value" or bool(_MAY_HOLD.search(last)) or last.lower() in _named_otherwise()


def _use(store: Store, word: str, type_: str, keys: tuple[str, ...]) -> Use:
    if not _POLICIES.isdisjoint(keys):
        return "none"  # a policy says who may, not where something goes
    if is_public(store) or word.lower().endswith(_PROGRAMS):
        return "read"
    return holds(type_, keys).use


@functools.lru_cache(maxsize=20_000)
def place_of(store: Store, word: str) -> Place | None:
    """The place that the name of a store says; abroad where it names several."""
    # Some write the region behind the name: `s3://backups@us-east-1/`.
    name = word.partition("://")[2].partition("/")[0] or store.name
    return next(iter(sorted(places_in(name), key=lambda place: place.is_india)), None)


@functools.lru_cache(maxsize=50_000)
def holds(type_: str, keys: tuple[str, ...]) -> Holds:
    """What a property or variable below these names holds, and what is done with it."""
    last = keys[-1].lower() if keys else ""
    if not _may_be_listed(type_).fullmatch(last):
        return Holds(_kind(type_, keys), _direction(type_, keys))
    path = ".".join(keys).lower()
    for row in _rows_of(type_):
        if row.pattern.search(path):
            kind = {"use": _kind(type_, keys), "none": None}.get(row.kind, row.kind)
            use = _direction(type_, keys) if row.kind == "none" else row.use
            return Holds(kind, use, row.reason)
    return Holds(_kind(type_, keys), _direction(type_, keys))


def is_public(store: Store) -> bool:
    """Whether nobody but its publisher can write to a store (data/public_stores.csv)."""
    return _public().fullmatch(f"{store.project}.{store.name}".lstrip(".").lower()) is not None


# A home directory begins with its bucket: `/partner-drop/in`.
_PATHS_OF_BUCKETS = ("aws:transfer/",)
_SEVERAL = re.compile(r"bucket_?names$|buckets$", re.IGNORECASE)


def _address(word: str) -> Store | None:
    # Each pattern has a part that most words have not.
    is_url, is_arn, is_path = "://" in word, "arn:" in word, "projects/" in word
    if not (is_url or is_arn or is_path or ".com" in word or ".net" in word or "/storageA" in word):
        return None
    folded = word.casefold()
    if ("core.windows.net" in folded or "/storageaccounts/" in folded) and (found := _ACCOUNT.search(word)):
        return Store("account", (found[1] or found[2]).lower())
    if is_url and any(scheme in folded for scheme in _SCHEMES) and (found := _SCHEME.search(word)):
        if found[1].lower() == "bq":
            project, _, rest = found[2].partition(".")
            return Store("table" if "." in rest else "dataset", rest, project)
        return Store("bucket", found[2])
    found = _S3_ARN.search(word) if is_arn else None
    if found is None and ("s3" in folded or "storage" in folded):
        found = _HOST_BEFORE.search(word) or _HOST_AROUND.search(word)
    if found:
        return Store("bucket", found[1])
    return _of_path(word) if is_path else None


def _of_path(word: str) -> Store | None:
    if found := _PATH.search(word):
        kind: Kind = {"datasets": "dataset", "topics": "topic"}.get(found[2], "bucket")  # pyright: ignore[reportAssignmentType]
        project = "" if found[1] == "_" else found[1]
        return (
            Store("table", f"{found[3]}.{found[4]}", project) if found[4] else Store(kind, found[3], project)
        )
    return None


def _bare(word: str, type_: str, keys: tuple[str, ...]) -> Store | None:
    # `bucketNames: {chunks: x}`: what is below a property of several is named by it.
    if len(keys) > 1 and _SEVERAL.search(keys[-2]) and not _MAY_HOLD.search(keys[-1]):
        keys = keys[:-1]
    last = keys[-1] if keys else ""
    if last == "value" and _OF_AZURE.search(last := ".".join(keys[-2:])):
        keys = keys[:-1]
    if not _MAY_HOLD.search(last) and last.lower() not in _named_otherwise():
        return None
    kind = holds(type_, keys).kind
    if type_.startswith(_PATHS_OF_BUCKETS):
        word = word.lstrip("/")
    return None if kind is None or _is_no_name(word) else _named(kind, word)


def _is_no_name(word: str) -> bool:
    """Whether a word is filled in elsewhere, or an address that is read as one."""
    return bool(_INTERPOLATED.search(word)) or "://" in word or word.startswith(("arn:", "/", "projects/"))


def _named(kind: Kind, word: str) -> Store | None:
    if kind in ("dataset", "table") and (found := _DOTTED.fullmatch(word)):
        return Store("table", f"{found[2]}.{found[3]}", found[1])
    if kind == "account":
        return Store(kind, word) if _NAME_OF_ACCOUNT.fullmatch(word) else None
    # Without its dataset, a table is of the dataset beside it.
    if kind == "table" or not _BARE.fullmatch(word) or _NO_NAME.fullmatch(word):
        return None
    if kind == "dataset":
        project, _, name = word.rpartition(".")
        return Store(kind, name, project)
    return Store(kind, word.partition("/")[0])


def _kind(type_: str, keys: tuple[str, ...]) -> Kind | None:
    """What the nearest name says that it holds."""
    words = _words(keys[-1]) if keys else ()
    if any(word.startswith("bucket") or word.endswith("bucket") for word in words):
        return "bucket"
    if not {"s3", "gcs"}.isdisjoint(words) and not _PLACES_OF_A_URI.isdisjoint(words):
        return "bucket"
    if any(word.endswith(("account", "accountname")) for word in words):
        return "account" if _names_an_account(type_, keys) else None
    if type_.startswith(("gcp:", "google-native:")) or _is_bigquerys(keys):
        if not {"table", "tables"}.isdisjoint(words):
            return "table"
        if not {"dataset", "datasets"}.isdisjoint(words):
            return "dataset"
    return None


def _names_an_account(type_: str, keys: tuple[str, ...]) -> bool:
    """Whether a property holds the name of Azure's storage account: banks and clouds have accounts of other kinds."""
    last = keys[-1].lower().translate(_NO_WORD)
    if _STORAGE_ACCOUNT.search(last) or keys[-1] == "account-name":  # a flag of `az storage`
        return True
    of_azure = type_.startswith(("azure:storage/", "azure-native:storage"))
    return bool(_ACCOUNT_NAME.search(last)) and (of_azure or bool(_OF_AZURE.search(".".join(keys))))


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
    last: str
    types: str
    kind: Any
    use: Use
    reason: str


@functools.cache
def _properties() -> tuple[_Property, ...]:
    """Rows of data/store_properties.csv: the longest type and path first, for the more exact row decides."""
    rows = sorted(table("store_properties.csv"), key=lambda row: (-len(row["types"]), -len(row["property"])))
    return tuple(_property(row) for row in rows)


def _property(row: dict[str, str]) -> _Property:
    path, use = row["property"], cast("Use", row["use"])
    return _Property(_pattern(path), _last(path), row["types"], row["kind"], use, row["reason"])


@functools.cache
def _named_otherwise() -> frozenset[str]:
    """Last names of properties that hold a store though their names do not say so."""
    return frozenset(
        row["property"].rpartition(".")[2].lower()
        for row in table("store_properties.csv")
        if row["kind"] not in ("use", "none")
    )


@functools.lru_cache(maxsize=5_000)
def _rows_of(type_: str) -> tuple[_Property, ...]:
    return tuple(row for row in _properties() if type_.startswith(row.types))


@functools.lru_cache(maxsize=5_000)
def _may_be_listed(type_: str) -> re.Pattern[str]:
    """What the last names of a type's rows look like: one look instead of one for each row."""
    return re.compile("|".join(dict.fromkeys(row.last for row in _rows_of(type_))) or r"(?!)")


def _last(path: str) -> str:
    return _any(path.lower().lstrip("^").rpartition(".")[2])


def _any(part: str) -> str:
    return re.escape(part).replace(r"\*", "[^.]*")


def _pattern(path: str) -> re.Pattern[str]:
    """`a.b` is a name `b` anywhere below an `a`; `^a` is at the top; `*` stands for any part of one name."""
    top, parts = path.startswith("^"), path.lower().lstrip("^").split(".")
    made = r"\.(?:[^.]+\.)*".join(_any(part) for part in parts)
    return re.compile(("^" if top else r"(?:^|\.)") + made + "$")


@functools.cache
def _uses() -> dict[str, Use]:
    return {row["word"]: row["use"] for row in table("store_words.csv")}  # pyright: ignore[reportReturnType]


@functools.cache
def _uses_above() -> dict[str, Use]:
    """The words that also apply to what is below a property of such a name."""
    return {row["word"]: row["use"] for row in table("store_words.csv") if row["above"] == "yes"}  # pyright: ignore[reportReturnType]


@functools.cache
def _public() -> re.Pattern[str]:
    names = [row["name"].lower() for row in table("public_stores.csv")]
    return re.compile("|".join(re.escape(name).replace(r"\*", ".*") for name in names))
