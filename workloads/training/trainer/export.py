"""Turns the newest good checkpoint into a folder that every program of Hugging Face and vLLM reads.

python -m trainer.export --recipe FILE --checkpoint-uri URI --to FOLDER
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import fsspec
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.fsspec_filesystem import FsspecReader
from transformers import AutoConfig, AutoModelForCausalLM

from . import models
from .launch import REFUSED
from .publication import DamagedError, Folder, Published, refusals, scratch
from .recipe import TINY, Recipe, RecipeError
from .tokens import byte_tokenizer


def export(recipe: Recipe, checkpoint_uri: str, target: str) -> Published:
    """Writes config.json, model.safetensors and the tokenizer's files; the checkpoint that they are of."""
    folder = Folder(checkpoint_uri)
    checkpoint = newest_good(folder)
    with tempfile.TemporaryDirectory() as copies:
        source = Path(copies) / "source"
        model = _empty(recipe, source)
        weights: dict[str, Any] = {
            name: torch.empty_like(value) for name, value in model.state_dict().items()
        }
        reader = FsspecReader(f"{folder.uri}/{checkpoint.name}")
        dcp.load({"model": weights}, storage_reader=reader, no_dist=True)
        model.load_state_dict(weights)
        result = Path(copies) / "result"
        model.save_pretrained(result)
        _copy_tokenizer(source if "://" in recipe.model.name else Path(recipe.model.name), result)
        _upload(result, target)
    return checkpoint


def newest_good(folder: Folder) -> Published:
    """The newest checkpoint whose digests are right; RecipeError if there is none."""
    damage = ""
    for published in folder.published():
        try:
            folder.verify(published)
        except DamagedError as error:
            damage = damage or f": {error}"
            continue
        return published
    raise RecipeError(f"{folder.uri} holds no good checkpoint{damage}")


def _empty(recipe: Recipe, scratch: Path) -> Any:
    if recipe.model.name == TINY:
        return models.tiny(recipe.data.seed)
    source = Path(recipe.model.name)
    if "://" in recipe.model.name:
        source = scratch
        models.download(recipe.model.name, source, tuple(set(models.WANTED_FILES) - {".safetensors"}))
    return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source), dtype=torch.float32)


def _copy_tokenizer(source: Path, result: Path) -> None:
    if not source.is_dir():
        byte_tokenizer().save_pretrained(result)
        return
    for file in source.iterdir():
        if file.name.startswith(("tokenizer", "special_tokens", "vocab", "merges", "chat_template")):
            (result / file.name).write_bytes(file.read_bytes())


def _upload(result: Path, target: str) -> None:
    with refusals(target):
        files, root = fsspec.core.url_to_fs(target.rstrip("/"))
        if "://" not in target:
            files.makedirs(root, exist_ok=True)
        # config.json last: what has it is whole.
        for file in sorted(result.iterdir(), key=lambda file: file.name == "config.json"):
            files.put_file(str(file), f"{root}/{file.name}")


def main(arguments: list[str]) -> int:
    """Exports; the exit code."""
    parser = argparse.ArgumentParser(prog="trainer.export", description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--checkpoint-uri", required=True)
    parser.add_argument("--to", required=True, help="folder for the model: a path, s3:// or gs://")
    given = parser.parse_args(arguments)
    try:
        with scratch():
            checkpoint = export(Recipe.read(given.recipe.read_text()), given.checkpoint_uri, given.to)
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    print(f"event=exported step={checkpoint.step} to={given.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
