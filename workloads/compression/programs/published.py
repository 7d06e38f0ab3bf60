"""Publishes a model as one folder that every program of Hugging Face and vLLM reads, whole or not there.

`config.json` comes after all that it needs, and `manifest.json` last: it has the size and the digest of every file, and
its own. A folder without the first is no model to Hugging Face, and one without the second none to us.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from workloads.training.trainer.publication import MANIFEST, File, listed, refusals
from workloads.training.trainer.recipe import RecipeError

CONFIG = "config.json"
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Manifest:
    """What a publisher wrote of a folder. `details`: what the folder is."""

    details: dict[str, Any]
    files: tuple[File, ...]

    @staticmethod
    def read(text: bytes, where: str) -> Manifest:
        """The manifest in `text`; RecipeError if a byte of it is another than was written."""
        try:
            document = json.loads(text)
            written = document.pop("sha256")
            files = tuple(File(name, size, digest) for name, (size, digest) in document["files"].items())
            whole, details = written == _digest(document), document["details"]
        except (ValueError, KeyError, TypeError, AttributeError):
            whole, files, details = False, (), {}
        if not whole:
            raise RecipeError(f"{where}/{MANIFEST} is damaged: publish the model again")
        return Manifest(details, files)

    @staticmethod
    def write(details: dict[str, Any], files: list[File]) -> bytes:
        """The bytes that `read` takes."""
        body = {
            "savedAt": time.time(),
            "details": details,
            "files": {file.name: [file.size, file.sha256] for file in files},
        }
        return json.dumps({**body, "sha256": _digest(body)}, indent=1).encode()


def published(target: str) -> Manifest | None:
    """What is at `target`; None if there is nothing, or what an interrupted job left. RecipeError if a model is there
    that nobody published with a manifest."""
    with refusals(target):
        files, root = fsspec.core.url_to_fs(target.rstrip("/"))
        files.invalidate_cache()
        names = {path[len(root) :].lstrip("/") for path in listed(files, root)}
        if MANIFEST in names:
            return Manifest.read(files.cat_file(f"{root}/{MANIFEST}"), target)
    if CONFIG in names:
        raise RecipeError(f"{target} holds another model already: give a folder of its own")
    return None


def publish(folder: Path, target: str, details: dict[str, Any]) -> None:
    """Copies the files of `folder` to `target`, which is whole from the moment at which the manifest is there."""
    paths = sorted(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name == CONFIG
    )
    measured = [file_of(folder, path) for path in paths]
    with refusals(target):
        files, root = fsspec.core.url_to_fs(target.rstrip("/"))
        for path, file in zip(paths, measured, strict=True):
            _put(files, f"{root}/{file.name}", path)
        (folder / MANIFEST).write_bytes(Manifest.write(details, measured))
        _put(files, f"{root}/{MANIFEST}", folder / MANIFEST)


def verify(folder: Path, manifest: Manifest, where: str) -> None:
    """RecipeError unless the files of `folder` are those that its publisher wrote."""
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file() or file_of(folder, path) != file:
            raise RecipeError(
                f"{where}/{file.name} is not as its manifest says: it was changed, or copied in part; copy it again"
            )


def file_of(folder: Path, path: Path) -> File:
    """The size and the digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return File(path.relative_to(folder).as_posix(), path.stat().st_size, digest.hexdigest())


def _put(files: Any, path: str, source: Path) -> None:
    if not isinstance(files, LocalFileSystem):
        files.put_file(str(source), path)
        return
    # An object store shows an object when all of it is there; so does a rename.
    files.makedirs(path.rpartition("/")[0], exist_ok=True)
    files.put_file(str(source), f"{path}.part")
    files.mv(f"{path}.part", path)


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
