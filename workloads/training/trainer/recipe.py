"""What a training job does, as JSON in camelCase. Standard library only: the settings refuse a bad recipe with it."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

LOSSES = ("pretrain", "supervised", "preference")
PRECISIONS = ("bf16", "fp32")
CLOUDS = ("aws", "google", "")
# The model and the data that need no lake: they prove a cluster, and are no use for anything else.
TINY = "tiny"
BUILTIN = "builtin"


class RecipeError(Exception):
    """A recipe, its data or its checkpoints can't be used: the message says what, where and what is allowed."""


def _number(default: Any = MISSING, *, least: float | None = None, above: float | None = None) -> Any:
    return field(default=default, metadata={"least": least, "above": above})


def _choice(default: str, choices: tuple[str, ...]) -> Any:
    return field(default=default, metadata={"choices": choices})


def _text(default: Any = MISSING) -> Any:
    return field(default=default, metadata={"text": True})


@dataclass(frozen=True)
class Adapter:
    """LoRA: train matrices of `rank` beside the model's own, scaled by `alpha` / `rank`."""

    rank: int = _number(least=1)
    alpha: float = _number(16.0, above=0)


@dataclass(frozen=True)
class Model:
    """`name`: "tiny", or a folder (path, s3://, gs://) with a Hugging Face causal model."""

    name: str = _text(TINY)
    adapter: Adapter | None = None


@dataclass(frozen=True)
class Data:
    """`uri`: a folder that `python -m trainer.prepare` wrote, or "builtin". `tokenizer`: "bytes" or a folder.

    `commit`: which version it is, by DVC's md5 of the folder (`….dir`) or a commit of lakeFS; `remote`: DVC's remote
    that has it. The record of the run keeps both, and `trainer.reproduce` fetches the data by them.
    """

    uri: str = _text(BUILTIN)
    tokenizer: str = _text("bytes")
    sequence_length: int = _number(128, least=2)
    seed: int = _number(0, least=0)
    commit: str | None = _text(None)
    remote: str | None = _text(None)


@dataclass(frozen=True)
class Mesh:
    """Ranks by dimension; their product is the world. Without `shard` it takes the ranks that the others leave."""

    pipeline: int = _number(1, least=1)
    replicate: int = _number(1, least=1)
    shard: int | None = _number(None, least=1)
    tensor: int = _number(1, least=1)

    @property
    def batch_ranks(self) -> int:
        """Groups of ranks that each take samples of their own."""
        return self.replicate * (self.shard or 1)

    def over(self, world: int) -> Mesh:
        """The mesh with `shard` filled in."""
        others = self.pipeline * self.replicate * self.tensor
        mesh = self if self.shard else replace(self, shard=max(1, world // others))
        if others * (mesh.shard or 1) != world:
            raise RecipeError(
                f"mesh {self} has {others * (mesh.shard or 1)} ranks, and the job has {world}: "
                "give dimensions whose product is the number of GPUs of the job"
            )
        return mesh

    def __str__(self) -> str:
        return " x ".join(f"{entry.name} {getattr(self, entry.name) or 'rest'}" for entry in fields(self))


@dataclass(frozen=True)
class Optimizer:
    """AdamW; the learning rate rises over `warmup_steps` and then falls as a cosine to a tenth."""

    learning_rate: float = _number(3e-4, above=0)
    warmup_steps: int = _number(0, least=0)
    weight_decay: float = _number(0.1, least=0)
    clip_norm: float = _number(1.0, above=0)


@dataclass(frozen=True)
class Checkpoints:
    """Keep the newest `keep`, none older than `keep_hours` but the newest. Save at most each `minimum_seconds`.

    `every_steps` replaces the interval that follows from the cost of a save and `interruptions.perHour`.
    """

    keep: int = _number(2, least=1)
    keep_hours: float | None = _number(None, above=0)
    minimum_seconds: float = _number(10.0, least=0)
    every_steps: int | None = _number(None, least=1)


@dataclass(frozen=True)
class Interruptions:
    """Whose metadata service announces interruptions, and how many of them the whole job expects in an hour."""

    cloud: str = _choice("", CLOUDS)
    per_hour: float = _number(0.0, least=0)


@dataclass(frozen=True)
class Cost:
    """Rupees an hour of all nodes of the job."""

    inr_per_hour: float = _number(0.0, least=0)


@dataclass(frozen=True)
class Tracking:
    """Addresses of an MLflow and of a W&B server of your own; without them nothing is sent."""

    mlflow_uri: str | None = _text(None)
    wandb: str | None = _text(None)


@dataclass(frozen=True)
class Recipe:
    """A training job. `batch`: sequences a step over all ranks, in `accumulate` parts, one after the other.

    `replicas`: pods that each hold the model on a mesh of their own, and recover from each other; without it all are
    one mesh.
    """

    steps: int = _number(least=1)
    model: Model = Model()
    data: Data = Data()
    mesh: Mesh = Mesh()
    replicas: int | None = _number(None, least=2)
    loss: str = _choice("pretrain", LOSSES)
    batch: int = _number(32, least=1)
    accumulate: int = _number(1, least=1)
    precision: str = _choice("bf16", PRECISIONS)
    compile: bool = False
    activation_checkpointing: bool = False
    optimizer: Optimizer = Optimizer()
    checkpoints: Checkpoints = Checkpoints()
    interruptions: Interruptions = Interruptions()
    cost: Cost = Cost()
    tracking: Tracking = Tracking()

    @staticmethod
    def read(text: str) -> Recipe:
        """The recipe in a JSON text; RecipeError names the first field that is wrong."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise RecipeError(f"the recipe is not JSON: {error}") from error
        recipe = _read(Recipe, document, "")
        _check_together(recipe)
        return recipe

    def write(self) -> str:
        """The JSON text that `read` takes."""
        return json.dumps(_write(self), indent=2)

    def check_against(self, world: int) -> Mesh:
        """The mesh over `world` ranks, of one replica where there are `replicas`; RecipeError if they can't share the
        model or the batch."""
        mesh = self.mesh.over(world)
        if self.accumulate < mesh.pipeline:
            raise RecipeError(
                f"accumulate {self.accumulate} is fewer parts than the {mesh.pipeline} stages of mesh.pipeline, which "
                f"each work on one: give at least {mesh.pipeline}, better {4 * mesh.pipeline}"
            )
        parts = mesh.batch_ranks * self.accumulate * (self.replicas or 1)
        if self.batch % parts:
            replicas = f"{self.replicas} replicas of " if self.replicas else ""
            raise RecipeError(
                f"batch {self.batch} can't be shared by {replicas}replicate {mesh.replicate} x shard {mesh.shard} "
                f"ranks in {self.accumulate} parts: give a multiple of {parts}"
            )
        if self.model.name == TINY:
            check_shape(mesh, TINY_SHAPE)
        return mesh


@dataclass(frozen=True)
class Shape:
    """What of a model its mesh must divide."""

    layers: int
    heads: int
    key_value_heads: int


TINY_SHAPE = Shape(layers=4, heads=4, key_value_heads=2)


def check_shape(mesh: Mesh, shape: Shape) -> None:
    """Raises RecipeError if `mesh` can't divide a model of this shape."""
    for name, heads in (("attention", shape.heads), ("key-value", shape.key_value_heads)):
        if heads % mesh.tensor:
            raise RecipeError(
                f"mesh.tensor {mesh.tensor} does not divide the {heads} {name} heads of the model: "
                f"give one of {_divisors(math.gcd(shape.heads, shape.key_value_heads))}"
            )
    if mesh.pipeline > shape.layers:
        raise RecipeError(
            f"mesh.pipeline {mesh.pipeline} is more than the {shape.layers} layers of the model: give at most that"
        )


def _divisors(number: int) -> str:
    return ", ".join(str(one) for one in range(1, number + 1) if number % one == 0)


def _check_together(recipe: Recipe) -> None:
    if (recipe.model.name == TINY or recipe.data.uri == BUILTIN) and recipe.data.tokenizer != "bytes":
        raise RecipeError(
            f'data.tokenizer is "{recipe.data.tokenizer}": the built-in model and data know "bytes" alone'
        )
    if recipe.data.uri == BUILTIN and recipe.loss != "pretrain":
        raise RecipeError(
            f'data.uri is "{BUILTIN}", which has no data for the loss "{recipe.loss}": give a folder'
        )
    if recipe.optimizer.warmup_steps >= recipe.steps:
        raise RecipeError(
            f"optimizer.warmupSteps is {recipe.optimizer.warmup_steps}: give fewer than the {recipe.steps} steps"
        )
    if recipe.loss == "pretrain" and recipe.model.adapter:
        raise RecipeError('model.adapter is for the losses "supervised" and "preference"; loss is "pretrain"')
    mesh = recipe.mesh
    if recipe.loss != "pretrain" and max(mesh.pipeline, mesh.tensor, mesh.shard or 1) > 1:
        raise RecipeError(
            f'mesh {mesh}: the loss "{recipe.loss}" is trained on whole models: leave out pipeline, shard and tensor'
        )
    if mesh.pipeline > 1 and mesh.tensor > 1:
        raise RecipeError(
            f"mesh {mesh}: pipeline and tensor together are not supported; set one of them to 1"
        )
    if recipe.replicas:
        _check_replicas(recipe)


def _check_replicas(recipe: Recipe) -> None:
    mesh = recipe.mesh
    if recipe.loss != "pretrain":
        raise RecipeError(
            f'loss is "{recipe.loss}", and replicas recover each other under "pretrain" alone: recover from checkpoints'
        )
    if max(mesh.pipeline, mesh.tensor) > 1:
        raise RecipeError(
            f"mesh {mesh}: a replica is data parallel: leave out pipeline and tensor, or recover from checkpoints"
        )
    if recipe.compile:
        raise RecipeError(
            "compile is set, and the others would wait for a replica that comes back and compiles: leave it out, "
            "or recover from checkpoints"
        )


def camel(name: str) -> str:
    """A field's name in JSON."""
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _write(value: Any) -> Any:
    if not dataclasses.is_dataclass(value):
        return value
    pairs = ((camel(entry.name), getattr(value, entry.name)) for entry in fields(value))
    return {name: _write(part) for name, part in pairs if part is not None}


def _read(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise RecipeError(f"{path or 'the recipe'} is {_show(value)}: give an object")
    known = {camel(entry.name): entry for entry in fields(kind)}
    for name in value:
        if name not in known:
            raise RecipeError(
                f"{path}{'.' if path else ''}{name} is no field: give one of {', '.join(known)}"
            )
    hints = typing.get_type_hints(kind)
    read = {}
    for name, entry in known.items():
        place = f"{path}.{name}" if path else name
        if name in value:
            read[entry.name] = _read_field(hints[entry.name], entry.metadata, value[name], place)
        elif entry.default is MISSING:
            raise RecipeError(f"{place} is missing: give {_allowed(hints[entry.name], entry.metadata)}")
    return kind(**read)


def _read_field(hint: Any, rule: Mapping[str, Any], value: Any, place: str) -> Any:
    kind, optional = _without_none(hint)
    if value is None and optional:
        return None
    if dataclasses.is_dataclass(kind):
        return _read(kind, value, place)
    if not _fits(kind, rule, value):
        raise RecipeError(f"{place} is {_show(value)}: give {_allowed(hint, rule)}")
    return float(typing.cast(float, value)) if kind is float else value


def _without_none(hint: Any) -> tuple[Any, bool]:
    if not isinstance(hint, types.UnionType):
        return hint, False
    return next(part for part in hint.__args__ if part is not types.NoneType), True


def _fits(kind: type, rule: Mapping[str, Any], value: Any) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if kind is str:
        return isinstance(value, str) and (
            value in rule["choices"] if "choices" in rule else bool(value.strip())
        )
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        return False
    return _finite(value) and _in_range(rule, value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _in_range(rule: Mapping[str, Any], value: float) -> bool:
    least, above = rule["least"], rule["above"]
    return (least is None or value >= least) and (above is None or value > above)


def _allowed(hint: Any, rule: Mapping[str, Any]) -> str:
    kind, _ = _without_none(hint)
    if dataclasses.is_dataclass(kind):
        return "an object"
    if kind is bool:
        return "true or false"
    if kind is str:
        return "one of " + ", ".join(f'"{one}"' for one in rule["choices"]) if "choices" in rule else "a text"
    limit = f" of at least {rule['least']}" if rule["least"] is not None else f" above {rule['above']}"
    return f"a {'whole ' if kind is int else ''}number{limit}"


def _show(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
