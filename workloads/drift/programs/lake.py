"""Whole objects of the lake, or files: a path, s3:// or gs://. No call asks about a bucket, only about objects."""

from __future__ import annotations

import shutil
from pathlib import Path

import fsspec


def put(uri: str, content: bytes) -> None:
    """Keep an object, in place of the one that was there: whole, or not at all."""
    system, path = fsspec.core.url_to_fs(uri)
    if "file" not in system.protocol:
        system.pipe_file(path, content)
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    draft.write_bytes(content)
    draft.rename(target)


def get(uri: str) -> bytes | None:
    """The object; None where there is none."""
    system, path = fsspec.core.url_to_fs(uri)
    try:
        return system.cat_file(path)
    except FileNotFoundError:
        return None


def local_copies(uri: str, suffix: str, folder: Path) -> list[Path]:
    """The files below a folder whose names end so, in order; remote ones are copied into `folder`, which is emptied."""
    system, path = fsspec.core.url_to_fs(uri)
    found = sorted(name for name in system.find(path) if name.endswith(suffix))
    if "file" in system.protocol:
        return [Path(name) for name in found]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copies = [folder / f"{number}{suffix}" for number in range(len(found))]
    system.get(found, [str(each) for each in copies])
    return copies
