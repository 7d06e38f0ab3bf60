"""A model that the trainer exported: a folder with config.json and weights in safetensors."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from .errors import RegistryError


def digest(folder: str) -> str:
    """SHA-256 over the folder's files: a line each of digest and name, by name, as `sha256sum` writes it.

    RegistryError where the folder is not there, or is no export.
    """
    try:
        repository = get_artifact_repository(folder)
        names = sorted(_names(repository, ""))
        _check(folder, names)
        lines = "".join(f"{_digest_of(repository, name)}  {name}\n" for name in names)
    except MlflowException as error:
        raise RegistryError(f"{folder} can't be read: {error.message}") from error
    except RegistryError:
        raise
    except Exception as error:
        # Whatever the client of the store raises.
        raise RegistryError(f"{folder} can't be read: {error}") from error
    return hashlib.sha256(lines.encode()).hexdigest()


def _check(folder: str, names: list[str]) -> None:
    if not names:
        raise RegistryError(f"{folder} is empty, or not there: give the folder of `trainer.export --to`")
    wanted = {
        "config.json": "config.json" in names,
        "*.safetensors": any(n.endswith(".safetensors") for n in names),
    }
    if missing := [name for name, there in wanted.items() if not there]:
        raise RegistryError(
            f"{folder} has no {' and no '.join(missing)}: give the folder of `trainer.export --to`"
        )


def _names(repository: ArtifactRepository, path: str) -> Iterator[str]:
    for found in repository.list_artifacts(path or None):
        if found.is_dir:
            yield from _names(repository, found.path)
        else:
            yield found.path


def _digest_of(repository: ArtifactRepository, name: str) -> str:
    # One file at a time: a model of many shards needs the room of its largest.
    with tempfile.TemporaryDirectory() as room:
        copy = Path(repository.download_artifacts(name, room))
        with copy.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
