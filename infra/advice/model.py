"""The shape of a decoder-only language model, and its parameters: from a size, a known name or a `config.json`."""

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
from infra.settings.errors import Problem, SettingsError
from infra.spelling import nearest

# What weights are kept in: 16, 8 (integers or floats) or 4 bits.
Dtype = Literal["bf16", "int8", "int4"]
DATA = Path(__file__).parent / "data"
SMALLEST, LARGEST = 0.1, 2000  # billions of parameters: below, the vocabulary is all there is


@dataclass(frozen=True)
class Shape:
    """A decoder-only model: of its `layers`, each has attention or a mixer, and a feed-forward part.

    Attention is grouped-query with four plain projections, unless `attention_parameters` says what one layer's has
    (0: the plain ones). `latent` is what a layer with multi-head latent attention caches of a token (values, not
    bytes; 0: keys and values of every head). `windowed` layers attend to the last `window` tokens only, in a sliding
    window or a chunk. `mixers` layers have no attention but linear attention or a state space (Mamba), with
    `mixer_parameters` each, and keep `mixer_state` values a sequence, however long.

    The feed-forward part is gated (SwiGLU, three matrices). `experts` is 0 for a dense model; `ffn` is the width of one
    expert, `shared_ffn` that of the part which every token passes; `dense_layers` of a mixture have no experts, and the
    width `dense_ffn`. `tied`: the output layer is the embedding. `context` is the longest sequence in tokens, 0 where
    it is not known; `weights` is how the published checkpoint keeps them. `notes` are sentences about what was assumed.
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
    dense_layers: int = 0
    dense_ffn: int = 0
    windowed: int = 0
    window: int = 0
    mixers: int = 0
    mixer_parameters: int = 0
    mixer_state: int = 0
    attention_parameters: int = 0
    latent: int = 0
    context: int = 0
    weights: Dtype = "bf16"
    notes: tuple[str, ...] = ()

    @property
    def q_dim(self) -> int:
        """The width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def kv_dim(self) -> int:
        """The width of all key heads together, which is that of the values too."""
        return self.kv_heads * self.head_dim

    @property
    def full(self) -> int:
        """Layers that attend to every token of the context."""
        return self.layers - self.windowed - self.mixers

    @property
    def kept(self) -> int:
        """Values that a layer with attention caches of one token."""
        return self.latent or 2 * self.kv_dim

    def reach(self, tokens: int | float) -> float:
        """Tokens that the last of `tokens` attends to, summed over the layers."""
        return self.full * tokens + self.windowed * min(tokens, self.window)

    @property
    def active_ffn(self) -> int:
        """Width of the feed-forward parts that one token passes, in the widest layer."""
        return max(self._active, self.dense_ffn)

    @property
    def _active(self) -> int:
        return self.shared_ffn + self.ffn * (self.experts_per_token or 1)

    @property
    def embedding(self) -> int:
        """Parameters of one embedding matrix."""
        return self.vocab * self.hidden

    @property
    def embeddings(self) -> int:
        """The embedding and the output layer: quantised checkpoints keep them in bf16."""
        return self.embedding * (1 if self.tied else 2)

    @property
    def layer(self) -> int:
        """Parameters of the largest layer, every expert counted."""
        widest = max(self.shared_ffn + self.ffn * (self.experts or 1), self.dense_ffn)
        mixing = max(self.attention if self.mixers < self.layers else 0, self.mixer_parameters)
        return mixing + self._feed_forward(widest) + self.hidden * (self.experts + 2)

    @property
    def attention(self) -> int:
        """Parameters of one layer's attention."""
        return self.attention_parameters or 2 * self.hidden * (self.q_dim + self.kv_dim)

    @property
    def parameters(self) -> int:
        """Parameters of the whole model, those of every expert included."""
        return self._layers(self.shared_ffn + self.ffn * (self.experts or 1)) + self.embeddings + self.hidden

    @property
    def multiplied(self) -> int:
        """Parameters that one token is multiplied with: active experts, no embedding, the output layer."""
        return self._layers(self._active) + self.embedding

    @property
    def expert_share(self) -> float:
        """The share of all layers that is experts, of which a token passes only some."""
        experts = (self.layers - self.dense_layers) * self._feed_forward(self.ffn * self.experts)
        return experts / (self.parameters - self.embeddings)

    def _layers(self, ffn: int) -> int:
        """Parameters of all layers, where those that are not dense have a feed-forward part of this width."""
        mixing = (self.layers - self.mixers) * self.attention + self.mixers * self.mixer_parameters
        sparse = (self.layers - self.dense_layers) * (self._feed_forward(ffn) + self.hidden * self.experts)
        dense = self.dense_layers * self._feed_forward(self.dense_ffn)
        return mixing + sparse + dense + 2 * self.hidden * self.layers

    def _feed_forward(self, width: int) -> int:
        return self.ffn_matrices * self.hidden * width


def published(name: str) -> Shape | None:
    """The model of that name in the table, letter case aside."""
    return next((row.shape for row in _published() if row.name.casefold() == name.casefold()), None)


def row_of(shape: Shape) -> str | None:
    """The row of `models.csv` for a shape, its name to be put before it; None where its context is not known."""
    if not shape.context:
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
    raise SettingsError([unknown(model)])


def unknown(model: str) -> Problem:
    """What to give for a model that is neither a file nor in the table: names the nearest of the table."""
    names = [row.name for row in _published()]
    allowed = f"a size from {SMALLEST}b to {LARGEST}b, a path to a config.json, or one of {', '.join(names)}"
    if "/" in model:
        allowed = f"a file (there is none of that name), {allowed}"
    return Problem("model", model, allowed, nearest(model.rpartition("/")[2], names))


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
    ffn: int = Field(ge=0)
    vocab: int = Field(gt=0)
    tied: bool
    experts: int = Field(ge=0)
    experts_per_token: int = Field(ge=0)
    shared_ffn: int = Field(ge=0)
    ffn_matrices: int = Field(ge=2, le=3)
    dense_layers: int = Field(ge=0)
    dense_ffn: int = Field(ge=0)
    windowed: int = Field(ge=0)
    window: int = Field(ge=0)
    mixers: int = Field(ge=0)
    mixer_parameters: int = Field(ge=0)
    mixer_state: int = Field(ge=0)
    attention_parameters: int = Field(ge=0)
    latent: int = Field(ge=0)
    context: int = Field(gt=0)
    weights: Dtype

    @property
    def shape(self) -> Shape:
        return Shape(**self.model_dump(exclude={"size", "as_of", "source"}))


@cache
def _published() -> list[_PublishedRow]:
    return read(DATA / "models.csv", _PublishedRow)
