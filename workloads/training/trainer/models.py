"""The model of a recipe on a mesh: any causal model of Hugging Face, sharded by transformers on torch's own APIs."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import fsspec
import torch
import torch.distributed as dist
from safetensors.torch import save
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.distributed import DistributedConfig
from transformers.utils import logging

from .agreement import together
from .pipeline import Pipeline
from .publication import listed, refusals, scratch
from .recipe import TINY, TINY_SHAPE, Mesh, Recipe, RecipeError, Shape, check_shape
from .tokens import BYTES_VOCABULARY, END

# Bars of each rank are no use in a log.
logging.disable_progress_bar()

WANTED_FILES = (".json", ".safetensors", ".model", ".txt", ".jinja")


def tiny(seed: int) -> LlamaForCausalLM:
    """A Llama of some 470,000 parameters over bytes, with the weights of a seed."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=BYTES_VOCABULARY,
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=TINY_SHAPE.layers,
        num_attention_heads=TINY_SHAPE.heads,
        num_key_value_heads=TINY_SHAPE.key_value_heads,
        # The smallest that vLLM's attention on the CPU has.
        head_dim=32,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        # Of Llama itself they are letters here, and an exported model would never end its answer.
        bos_token_id=None,
        eos_token_id=END,
        use_cache=False,
        dtype="float32",
    )
    return LlamaForCausalLM(config)


def folder(recipe: Recipe) -> Path:
    """A folder of this node with the model: made, given, or copied from the lake. Every rank of the node calls it."""
    name = recipe.model.name
    if name != TINY and "://" not in name:
        return Path(name)
    digest = hashlib.sha256(f"{name} {recipe.data.seed}".encode()).hexdigest()[:16]
    # Of this start: ranks of one node need not have one parent, as under Ray.
    start = [secrets.token_hex(4)]
    dist.broadcast_object_list(start)

    def fill() -> Path:
        with scratch():
            target = Path(tempfile.gettempdir()) / f"model-{start[0]}-{digest}"
            if int(os.environ.get("LOCAL_RANK", "0")) == 0:
                _fill(target, recipe)
        return target

    return together(fill)


def find(recipe: Recipe, mesh: Mesh) -> tuple[Path, Any]:
    """The folder of the model and its config.json. RecipeError if there is no model, or the mesh can't divide it."""
    source = folder(recipe)

    def read() -> Any:
        try:
            config: Any = AutoConfig.from_pretrained(source)
        except (OSError, ValueError) as error:
            raise RecipeError(
                f"model.name is {recipe.model.name}, which holds no model of Hugging Face: {_first_line(error)}"
            ) from error
        heads = config.num_attention_heads
        key_value_heads = getattr(config, "num_key_value_heads", heads) or heads
        check_shape(mesh, Shape(config.num_hidden_layers, heads, key_value_heads))
        return config

    return source, together(read)


def load(
    source: Path, config: Any, recipe: Recipe, mesh: Mesh, device: torch.device
) -> tuple[Any, Pipeline | None]:
    """The model, of which each rank holds the shards that the mesh gives it; with the pipeline whose stage it is."""
    pipeline = Pipeline(source, config, recipe, mesh, device) if mesh.pipeline > 1 else None
    model = pipeline.model if pipeline else _whole(source, recipe, mesh, device)
    model.train()
    if recipe.activation_checkpointing:
        model.gradient_checkpointing_enable()
    if recipe.compile:
        _compile_layers(model)
    return model, pipeline


def _whole(source: Path, recipe: Recipe, mesh: Mesh, device: torch.device) -> Any:
    model = AutoModelForCausalLM.from_pretrained(
        source, dtype=torch.float32, use_cache=False, distributed_config=_distributed(recipe, mesh)
    )
    return model.to(device) if dist.get_world_size() == 1 else model


def shapes(model: Any) -> dict[str, list[int]]:
    """The shape of each parameter of the whole model, also where a rank has but a stage of it."""
    if hasattr(model, "whole_shapes"):
        return model.whole_shapes
    return {name: list(one.shape) for name, one in model.named_parameters()}


def describe(model: Any) -> str:
    """The model in a few words."""
    config = model.config
    return f"{config.model_type}, {config.num_hidden_layers} layers of {config.hidden_size}, {config.vocab_size} tokens"


def layers(model: Any) -> list[torch.nn.Module]:
    """The decoder layers, by the classes that the model names as not to be split."""
    names = set(model._no_split_modules or ())
    return [module for module in model.modules() if type(module).__name__ in names]


def _distributed(recipe: Recipe, mesh: Mesh) -> DistributedConfig | None:
    if dist.get_world_size() == 1:
        return None
    return DistributedConfig(
        tp_size=mesh.tensor,
        fsdp_size=mesh.shard,
        dp_replicate_size=mesh.replicate,
        fsdp_mixed_precision=recipe.precision == "bf16",
    )


def _compile_layers(model: Any) -> None:
    # One by one: FSDP gathers a layer's weights before it, which a graph of the whole model would break at anyway.
    for layer in layers(model):
        layer.compile()


def _fill(target: Path, recipe: Recipe) -> None:
    if (target / "config.json").exists():
        return
    if recipe.model.name == TINY:
        write(tiny(recipe.data.seed), target)
        return
    download(recipe.model.name, target, WANTED_FILES)


def write(model: LlamaForCausalLM, target: Path) -> None:
    """A folder of Hugging Face, written by this rank. `save_pretrained` writes on the first of all ranks alone, and the
    first of another node has no such folder."""
    target.mkdir(parents=True, exist_ok=True)
    tied = set(model._tied_weights_keys or ())
    weights = {name: each for name, each in model.state_dict().items() if name not in tied}
    (target / "model.safetensors").write_bytes(save(weights))
    model.config.to_json_file(target / "config.json")


def download(uri: str, target: Path, endings: tuple[str, ...]) -> None:
    """Copies the files with these endings; config.json last, so that a folder which has it is whole."""
    with refusals(uri):
        files, root = fsspec.core.url_to_fs(uri.rstrip("/"))
        found = sorted(listed(files, root), key=lambda path: path.endswith("/config.json"))
        wanted = [path for path in found if path.endswith(endings)]
        if not wanted:
            raise RecipeError(f"{uri} holds no file: give the folder of a model of Hugging Face")
        for path in wanted:
            local = target / path[len(root) :].lstrip("/")
            local.parent.mkdir(parents=True, exist_ok=True)
            with scratch():
                files.get_file(path, str(local))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
