"""The shape of a decoder-only transformer, and its parameters: from a size, a known name or a `config.json`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from math import log
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from infra.catalog.tables import Row, read
from infra.settings.errors import Problem, SettingsError, nearest

# What weights are kept in: 16, 8 (integers or floats) or 4 bits.
Dtype = Literal["bf16", "int8", "int4"]
DATA = Path(__file__).parent / "data"
SMALLEST, LARGEST = 0.1, 2000  # billions of parameters: below, the vocabulary is all there is


@dataclass(frozen=True)
class Shape:
    """A decoder-only transformer with grouped-query attention and a gated feed-forward part (SwiGLU), as Llama's.

    `experts` is 0 for a dense model; `ffn` is the width of one expert, `shared_ffn` that of the part which every token
    passes. `tied`: the output layer is the embedding. `windowed` layers attend to a sliding window only. `context` is
    the longest sequence in tokens, 0 where it is not known; `weights` is how the published checkpoint keeps them.
    Counts are parameters; biases (far below 1%) are left out.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    tied: bool
    experts: int = 0
    experts_per_token: int = 0
    shared_ffn: int = 0
    ffn_matrices: int = 3
    windowed: int = 0
    context: int = 0
    weights: Dtype = "bf16"

    @property
    def q_dim(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_dim(self) -> int:
        return self.kv_heads * self.head_dim

    @property
    def active_ffn(self) -> int:
        """Width of the feed-forward parts that one token passes."""
        return self.shared_ffn + self.ffn * (self.experts_per_token or 1)

    @property
    def embedding(self) -> int:
        return self.vocab * self.hidden

    @property
    def embeddings(self) -> int:
        """The embedding and the output layer: quantised checkpoints keep them in bf16."""
        return self.embedding * (1 if self.tied else 2)

    @property
    def layer(self) -> int:
        """Parameters of one layer, every expert counted."""
        return self._layer(self.shared_ffn + self.ffn * (self.experts or 1))

    @property
    def parameters(self) -> int:
        return self.layers * self.layer + self.embeddings + self.hidden

    @property
    def multiplied(self) -> int:
        """Parameters that one token is multiplied with: active experts, no embedding, the output layer."""
        return self.layers * self._layer(self.active_ffn) + self.embedding

    @property
    def expert_share(self) -> float:
        """The share of a layer that is experts, of which a token passes only some."""
        return self.ffn_matrices * self.hidden * self.ffn * self.experts / self.layer

    def _layer(self, ffn: int) -> int:
        attention = 2 * self.hidden * (self.q_dim + self.kv_dim)
        return attention + self.hidden * (self.ffn_matrices * ffn + self.experts + 2)


def published(name: str) -> Shape | None:
    """The model of that name in the table, letter case aside."""
    return next((row.shape for row in _published() if row.name.casefold() == name.casefold()), None)


def row_of(shape: Shape) -> str | None:
    """The row of `models.csv` for a shape, its name to be put before it; None where the table has no column for it."""
    if shape.shared_ffn or shape.ffn_matrices != 3 or not shape.context:
        return None
    columns = [name for name in _PublishedRow.model_fields if name not in {"name", "size", *Row.model_fields}]
    cells = (str(getattr(shape, column)).lower() for column in columns)
    return ",".join(["", "", *cells, date.today().isoformat(), "config.json"])


def known_or_scaled(model: str) -> Shape:
    """The published model of that name or size (`8b`), else the nearest, with as many layers as make up the size.

    Raises:
        SettingsError: neither a size nor a known name.
    """
    if known := published(model):
        return known
    if size := re.fullmatch(r"(\d+(?:\.\d+)?)([bm])", model.casefold()):
        billions = float(size[1]) / (1000 if size[2] == "m" else 1)
        if SMALLEST <= billions <= LARGEST:
            return _of_size(billions)
    sizes = [row.name for row in _published()]
    allowed = f"a size from {SMALLEST}b to {LARGEST}b, a path to a config.json, or one of {', '.join(sizes)}"
    raise SettingsError([Problem("model", model, allowed, nearest(model, sizes))])


def _of_size(billions: float) -> Shape:
    nearest_row = min(
        (row for row in _published() if row.size), key=lambda row: abs(log(row.size / billions))
    )
    like = nearest_row.shape
    if nearest_row.size == billions:
        return like
    layers = max(1, round((billions * 1e9 - like.embeddings) / like.layer))
    return replace(like, layers=layers, context=0, name=f"{billions:g}B ({like.name} with {layers} layers)")


class _PublishedRow(Row):
    name: str
    size: Annotated[float, BeforeValidator(lambda cell: cell or 0)] = Field(ge=0)
    layers: int = Field(gt=0)
    hidden: int = Field(gt=0)
    heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    ffn: int = Field(gt=0)
    vocab: int = Field(gt=0)
    tied: bool
    experts: int = Field(ge=0)
    experts_per_token: int = Field(ge=0)
    windowed: int = Field(ge=0)
    context: int = Field(gt=0)
    weights: Dtype

    @property
    def shape(self) -> Shape:
        return Shape(**self.model_dump(exclude={"size", "as_of", "source"}))


@cache
def _published() -> list[_PublishedRow]:
    return read(DATA / "models.csv", _PublishedRow)
