"""Turns the newest good checkpoint into a folder that every program of Hugging Face and vLLM reads.

python -m trainer.export --recipe FILE --checkpoint-uri URI --to FOLDER [--adapter]
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
from peft import PeftModel
from torch.distributed.checkpoint.fsspec_filesystem import FsspecReader
from transformers import AutoConfig, AutoModelForCausalLM

from . import models
from .launch import REFUSED
from .publication import DamagedError, Folder, Published, refusals, scratch
from .recipe import TINY, Recipe, RecipeError
from .tokens import byte_tokenizer


def export(recipe: Recipe, checkpoint_uri: str, target: str, *, adapter: bool = False) -> Published:
    """Writes config.json, model.safetensors and the tokenizer's files; the checkpoint that they are of.

    What LoRA trained is merged into the model, unless `adapter`: then adapter_config.json and adapter_model.safetensors
    are written in the model's place, for whoever has that already.
    """
    if adapter and not recipe.model.adapter:
        raise RecipeError("--adapter is given, and the recipe has no model.adapter: leave it out")
    folder = Folder(checkpoint_uri)
    checkpoint = newest_good(folder)
    with tempfile.TemporaryDirectory() as copies:
        source, result = Path(copies) / "source", Path(copies) / "result"
        if recipe.loss == "pretrain":
            _pretrained(recipe, folder, checkpoint, source).save_pretrained(result)
        else:
            _fine_tuned(recipe, folder, checkpoint, source, adapter).save_pretrained(result)
        _copy_tokenizer(source if "://" in recipe.model.name else Path(recipe.model.name), result)
        _upload(result, target)
    return checkpoint


def _pretrained(recipe: Recipe, folder: Folder, checkpoint: Published, source: Path) -> Any:
    model = _empty(recipe, source)
    weights: dict[str, Any] = {name: torch.empty_like(value) for name, value in model.state_dict().items()}
    reader = FsspecReader(f"{folder.uri}/{checkpoint.name}")
    dcp.load({"model": weights}, storage_reader=reader, no_dist=True)
    model.load_state_dict(weights)
    return model


def _fine_tuned(recipe: Recipe, folder: Folder, checkpoint: Published, source: Path, adapter: bool) -> Any:
    """TRL's checkpoint is a folder of Hugging Face already: of the model, or of the adapter beside it."""
    saved = source.with_name("saved")
    saved.mkdir()
    for file in checkpoint.files:
        if file.name.endswith((".json", ".safetensors")):
            (saved / file.name).write_bytes(folder.read(checkpoint.name, file.name))
    if not recipe.model.adapter:
        return AutoModelForCausalLM.from_pretrained(saved, dtype=torch.float32)
    model = PeftModel.from_pretrained(_base(recipe, source), saved)
    # Where the model was while it trained is gone.
    model.peft_config["default"].base_model_name_or_path = recipe.model.name
    return model if adapter else model.merge_and_unload()


def _base(recipe: Recipe, source: Path) -> Any:
    if recipe.model.name == TINY:
        return models.tiny(recipe.data.seed)
    if "://" in recipe.model.name:
        models.download(recipe.model.name, source, models.WANTED_FILES)
    name = source if "://" in recipe.model.name else recipe.model.name
    return AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)


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
    parser.add_argument("--adapter", action="store_true", help="LoRA's matrices alone, without the model")
    given = parser.parse_args(arguments)
    try:
        recipe = Recipe.read(given.recipe.read_text())
        with scratch():
            checkpoint = export(recipe, given.checkpoint_uri, given.to, adapter=given.adapter)
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    print(f"event=exported step={checkpoint.step} to={given.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
