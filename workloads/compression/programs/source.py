"""Reads a causal model of Hugging Face, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from workloads.compression.programs.published import CONFIG, Manifest, file_of, verify
from workloads.training.trainer.models import WANTED_FILES, download
from workloads.training.trainer.publication import MANIFEST
from workloads.training.trainer.recipe import RecipeError
from workloads.training.trainer.tokens import Encoder, encoder

_INDEX = "model.safetensors.index.json"
_WEIGHTS = "model.safetensors"
# What tells of the model's terms; files without an ending are read by their whole names.
TERMS = ("README.md", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "NOTICE.txt", "USE_POLICY.md")


@dataclass(frozen=True)
class Source:
    """A model on this machine's disk. `digest`: of all its weights and of what they mean."""

    uri: str
    folder: Path
    digest: str
    licence: str
    tokens: Encoder

    @property
    def bytes(self) -> int:
        """The size of its weights."""
        return weight_bytes(self.folder)

    def config(self) -> Any:
        """Its config.json, as transformers reads it."""
        return AutoConfig.from_pretrained(self.folder)

    def load(self, **more: Any) -> Any:
        """The model, in the precision that it was saved in, on a GPU if there is one."""
        model = AutoModelForCausalLM.from_pretrained(self.folder, dtype="auto", **more)
        return model.to(device()).eval()

    def tokenizer(self) -> Any:
        """Its tokenizer."""
        return AutoTokenizer.from_pretrained(self.folder)


def device() -> torch.device:
    """Where models run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def weight_bytes(folder: Path) -> int:
    """The size of all safetensors in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


def read(uri: str, scratch: Path, name: str) -> Source:
    """The model at `uri`, copied to `scratch` unless it is on the disk already. `name`: the setting that says so, for
    messages. RecipeError if it is not whole, or has no tokenizer."""
    folder = Path(uri)
    if "://" in uri:
        folder = scratch / name.replace(".", "-")
        download(uri, folder, (*WANTED_FILES, *TERMS))
    if not (folder / CONFIG).is_file():
        raise RecipeError(f"{name} {uri} has no {CONFIG}: it holds no model, or one that is only half copied")
    if (manifest := folder / MANIFEST).is_file():
        verify(folder, Manifest.read(manifest.read_bytes(), uri), uri)
    _check_weights(folder, name, uri)
    if not (folder / "tokenizer_config.json").is_file():
        raise RecipeError(f"{name} {uri} has no tokenizer_config.json: copy its tokenizer's files there too")
    if "quantization_config" in json.loads((folder / CONFIG).read_text()):
        raise RecipeError(f"{name} {uri} is quantised already: give the model that it was made of")
    return Source(uri, folder, _digest(folder), _licence(folder), encoder(str(folder)))


def _check_weights(folder: Path, name: str, uri: str) -> None:
    shards = {_WEIGHTS}
    if (index := folder / _INDEX).is_file():
        shards = set(json.loads(index.read_text())["weight_map"].values())
    for shard in sorted(shards):
        if not (folder / shard).is_file():
            raise RecipeError(f"{name} {uri} lacks {shard}: it is only half copied; copy it again")
        try:
            with safe_open(folder / shard, "pt") as opened:
                opened.keys()
        except SafetensorError as error:
            raise RecipeError(f"{name} {uri}: {shard} can't be read ({error}): copy it again") from error


def _digest(folder: Path) -> str:
    parts = sorted(folder.glob("*.safetensors")) + sorted(folder.glob("tokenizer*")) + [folder / CONFIG]
    measured = [file_of(folder, path) for path in parts]
    return hashlib.sha256(" ".join(f"{file.name} {file.sha256}" for file in measured).encode()).hexdigest()


def _licence(folder: Path) -> str:
    """What the front matter of the model's card calls its licence: `license: apache-2.0`."""
    card = folder / "README.md"
    lines = card.read_text().splitlines() if card.is_file() else []
    if lines[:1] == ["---"]:
        for line in lines[1:]:
            if line == "---":
                break
            if line.startswith(("license:", "license_name:")) and (
                named := line.partition(":")[2].strip(" \"'")
            ):
                return named
    return "unknown: the source's card names none"
