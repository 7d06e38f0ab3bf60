"""Where a data principal is in a bucket: in rows, in names of folders and objects, in bytes; in every version."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from .store import Bucket, Version
from .table import Change, TableError, change

# Weights and parts of checkpoints: no rows are in them, and they are large. Who trained on what is in RUN.
WEIGHTS = {".safetensors", ".distcp", ".pt", ".pth", ".bin", ".onnx", ".gguf", ".pte"}
RUN = "runs/run.json"
# What can't be changed under its name: DVC's is the MD5 of the content, and commits of a store of branches keep the
# length of what is in `data/` (lakeFS 1.84.0, pkg/upload/path_provider.go: two ids of rs/xid).
BY_CONTENT = re.compile(r"(?:^|/)(?:files/md5/[0-9a-f]{2}/[0-9a-f]{30}|data/[0-9a-v]{20}/[0-9a-v]{20})$")
# Fewer letters are in any large file by chance.
SHORTEST_IN_BYTES = 5
AT_ONCE = 8
HERE = ("table", "folder", "name", "bytes", "content")
_CHUNK = 1 << 22


def look(bucket: Bucket, asked: Change, principal: str | None) -> Iterator[dict[str, Any]]:
    """What is to be said of each version of a bucket: `kind` is `table`, `folder`, `name`, `bytes` or `content` where
    the principal is in it, `unreadable` where nobody can tell, and `clear`, `columnless`, `weights` or `other`."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        versions = (version for version in bucket.versions() if version.size)
        yield from pool.map(lambda version: _seen(bucket, version, asked, principal), versions)


def _seen(bucket: Bucket, version: Version, asked: Change, principal: str | None) -> dict[str, Any]:
    about: dict[str, Any] = asdict(version) | {"uri": f"{bucket.uri}/{version.key}"}
    if PurePosixPath(version.key).suffix in WEIGHTS:
        return about | {"kind": "weights"}
    with tempfile.TemporaryDirectory(prefix="erase-") as folder:
        file = Path(folder) / "object"
        about["sha256"] = bucket.fetch(version, file)
        about |= _rows(version.key, file, asked) or _apart(version.key, file, asked, principal)
    if about["kind"] in HERE:
        lock = bucket.lock(version)
        about |= {"locked_until": lock.until, "locked_by": lock.by, "held": lock.held}
    return about


def _rows(key: str, file: Path, asked: Change) -> dict[str, Any]:
    """What the rows of a table say; nothing where it is none, or they have nobody to find."""
    if _in_folder(key, asked):
        return {"kind": "folder"}
    try:
        counted = change(file, key, None, asked)
    except TableError as error:
        return {"kind": "unreadable", "why": str(error)}
    if counted is None:
        return {}
    numbers = {"found": counted.found, "rows": counted.rows, "emptied": counted.emptied}
    if counted.found:
        return {"kind": "content" if BY_CONTENT.search(key) else "table", **numbers}
    named = _in_name(key, asked)
    return {"kind": "name" if named else "clear" if counted.columns else "columnless", **numbers}


def _apart(key: str, file: Path, asked: Change, principal: str | None) -> dict[str, Any]:
    """What the name and the bytes say of what is no table."""
    if _in_name(key, asked):
        return {"kind": "name"}
    if principal and len(principal) >= SHORTEST_IN_BYTES and _in_bytes(file, principal.encode()):
        return {"kind": "content" if BY_CONTENT.search(key) else "bytes"}
    return {"kind": "other"}


def _in_name(key: str, asked: Change) -> bool:
    """Whether a part of the object's name is the identifier, with or without what follows a full stop."""
    parts = re.split(r"[/=]", unquote(key))
    return any(asked.theirs(part) or asked.theirs(part.partition(".")[0]) for part in parts)


def _in_folder(key: str, asked: Change) -> bool:
    """Whether Hive's names say that all rows are the principal's: `account_id=acc-4/part-0.parquet`."""
    parts = (part.partition("=") for part in key.split("/")[:-1])
    return any(name in asked.columns and asked.theirs(unquote(value)) for name, _, value in parts)


def _in_bytes(file: Path, needle: bytes) -> bool:
    """Whether a text is in a file as a word of its own, in UTF-8."""
    word = re.compile(rb"(?<![0-9A-Za-z])" + re.escape(needle) + rb"(?![0-9A-Za-z])")
    with file.open("rb") as stream:
        tail = b""
        while chunk := stream.read(_CHUNK):
            if word.search(tail + chunk):
                return True
            tail = (tail + chunk)[-len(needle) - 1 :]
    return False


def runs(bucket: Bucket) -> Iterator[dict[str, Any]]:
    """What each training run of a bucket that kept a record was made from."""
    for version in bucket.versions():
        if not (version.latest and version.key.endswith(RUN)):
            continue
        with tempfile.TemporaryDirectory(prefix="erase-") as folder:
            file = Path(folder) / "run.json"
            bucket.fetch(version, file)
            folder_of = version.key.removesuffix(RUN).rstrip("/")
            yield {"run": f"{bucket.uri}/{folder_of}", **_origin(file)}


def _origin(file: Path) -> dict[str, Any]:
    try:
        starts: list[Mapping[str, Any]] = json.loads(file.read_bytes())["starts"]
        data = [one["data"] for one in starts if "data" in one]
        return {
            "data": sorted({one["recipe"]["data"]["uri"] for one in starts if "recipe" in one}),
            "commits": sorted({one["commit"] for one in data if one.get("commit")}),
            "files": sorted({digest for one in data for digest in one["files"].values()}),
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return {"data": [], "commits": [], "files": [], "unreadable": repr(error)}
