"""What made a run what it is, as one document beside its checkpoints: `runs/run.json`.

Code, image, libraries, recipe, seed, data, model, ranks and the machine's arithmetic. `trainer.reproduce` makes the run
again from it. It holds one entry for each start of the job that was not like the one before.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import fsspec

from .data import INDEX
from .ledger import RUNS_FOLDER
from .publication import Folder, file_digest, listed, refusals
from .recipe import BUILTIN, TINY, Recipe, RecipeError

RUN = "run.json"


def keep(folder: Folder, recipe: Recipe, device: str, ranks: int) -> None:
    """Adds this start to the record in the folder of the job, unless it is like the latest."""
    start = this_start(recipe, device, ranks)
    try:
        starts = read(folder) if _exists(folder) else []
    except RecipeError as error:
        # A node that went while it wrote. Training goes on, and the record says that it does not know all.
        starts = [{"unreadable": str(error)}]
    if not starts or differences(starts[-1], start):
        write(folder, [*starts, start])


def read(folder: Folder) -> list[dict[str, Any]]:
    """The starts of a job; RecipeError if there is no record, or it is not as it was written."""
    where = f"{folder.uri}/{RUNS_FOLDER}/{RUN}"
    try:
        document = json.loads(folder.read(RUNS_FOLDER, RUN))
        if document["sha256"] != _digest(document["starts"]):
            raise RecipeError(f"{where} has not its own digest: it was changed after it was written")
        return document["starts"]
    except FileNotFoundError:
        raise RecipeError(f"{where} is not there: give the folder of a job's checkpoints") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(f"{where} is no record of a run ({error})") from error


def write(folder: Folder, starts: list[dict[str, Any]]) -> None:
    """Keeps the record, with its own digest."""
    document = {"starts": starts, "sha256": _digest(starts)}
    folder.write(RUNS_FOLDER, RUN, json.dumps(document, indent=1).encode())


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The fields in which two starts are not alike, but for when they were."""
    return sorted(name for name in (one.keys() | other.keys()) - {"at"} if one.get(name) != other.get(name))


def this_start(recipe: Recipe, device: str, ranks: int) -> dict[str, Any]:
    """The entry of the start that this process is the first rank of. `device`: "cpu", or the GPU's name."""
    document = json.loads(recipe.write())
    return {
        "at": time.time(),
        "code": {"commit": os.environ.get("CODE_COMMIT") or None, "sha256": code_digest()},
        "image": os.environ.get("IMAGE") or None,
        "python": platform.python_version(),
        "libraries": libraries(),
        "recipe": document,
        "recipeSha256": _digest(document),
        "seed": recipe.data.seed,
        "data": {"commit": recipe.data.commit, "files": data_files(recipe)},
        # Of a model for GPUs it would take minutes of a start, and no run on GPUs can be made again bit for bit.
        "model": model_files(recipe) if device == "cpu" else None,
        "ranks": ranks,
        "device": device,
        "arithmetic": arithmetic(),
    }


def code_digest() -> str:
    """Of the trainer's own files, as they lie where it runs: true whatever anybody says about commits."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(f"{file.relative_to(package).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def libraries() -> dict[str, str]:
    """Versions of the distributions that this process has imported something of."""
    roots = {name.partition(".")[0] for name in sys.modules}
    packages = importlib.metadata.packages_distributions()
    names = {name for root in roots & packages.keys() for name in packages[root]}
    return {name: importlib.metadata.version(name) for name in sorted(names)}


def arithmetic() -> dict[str, Any]:
    """What the order and the width of sums depend on, beside the code."""
    import torch  # whoever reads records has no need of it

    return {
        "deterministicAlgorithms": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
    }


def data_files(recipe: Recipe) -> dict[str, str]:
    """The digests of the files of the data. Of prepared data the index alone: it holds those of its shards."""
    if recipe.data.uri == BUILTIN:
        return {}
    names = (INDEX,) if recipe.loss == "pretrain" else (".parquet", ".jsonl")
    return digests(recipe.data.uri, names)


def model_files(recipe: Recipe) -> dict[str, str]:
    """The digests of the files of the model; none of the built-in one, whose weights are of the recipe's seed."""
    return {} if recipe.model.name == TINY else digests(recipe.model.name, (".json", ".safetensors"))


def digests(uri: str, endings: tuple[str, ...]) -> dict[str, str]:
    """The SHA-256 of the files of a folder with these endings, by their path in it."""
    with refusals(uri):
        files, root = fsspec.core.url_to_fs(uri.rstrip("/"))
        paths = sorted(path for path in listed(files, root) if path.endswith(endings))
        return {path[len(root) :].lstrip("/"): file_digest(files, path) for path in paths}


def _exists(folder: Folder) -> bool:
    return f"{folder.root}/{RUNS_FOLDER}/{RUN}" in listed(folder.files, folder.root)


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
