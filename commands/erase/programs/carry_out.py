"""What was decided of a version, done: the new object first, looked at, and only then versions deleted."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from .store import Bucket, ChangedError, StoreError, Version
from .table import Change, TableError, change


def carry_out(bucket: Bucket, what: Mapping[str, Any], asked: Change) -> dict[str, Any]:
    """Rewrite (`rewrite`), hide (`remove`) or delete for good (`delete`) a version; `failed` says why not."""
    version = Version(**{each.name: what[each.name] for each in fields(Version)})
    try:
        if what["do"] == "rewrite":
            return {"after": _rewritten(bucket, version, asked)}
        if what["do"] == "remove":
            bucket.remove(version)
        else:
            bucket.delete(version.key, version.id)
    except ChangedError:
        return {"failed": "somebody wrote to it since it was read: run again"}
    except (TableError, StoreError) as error:
        return {"failed": str(error)}
    return {}


def _rewritten(bucket: Bucket, version: Version, asked: Change) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="erase-") as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        bucket.fetch(version, before)
        counted = change(before, version.key, after, asked)
        left = change(after, version.key, None, asked)
        if counted is None or left is None or left.found or left.rows != _rows_left(counted, asked):
            raise TableError("what was written is not what was asked for; the object is as it was")
        if after.stat().st_size > bucket.largest:
            raise TableError(
                f"it is larger than the store takes in one piece ({bucket.largest_said}): write it in parts"
            )
        written = bucket.replace(version, after)
        again = Path(folder) / "again"
        new = Version(version.bucket, version.key, written, True, "", after.stat().st_size, "")
        digest = bucket.fetch(new, again)
        if again.read_bytes() != after.read_bytes():
            raise TableError(
                f"what the store gives back as version {written} is not what was written: run again"
            )
        return {"id": written, "sha256": digest, "rows": left.rows}


def _rows_left(counted: Any, asked: Change) -> int:
    return counted.rows if asked.empty else counted.rows - counted.found
