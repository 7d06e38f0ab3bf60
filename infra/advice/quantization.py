"""What a model's weights are kept in: as its checkpoint has them, or as vLLM makes them while it loads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal

from infra.advice.model import DATA, Dtype, Shape, published
from infra.catalog.tables import Row, read

# How publishers end the name of a quantised checkpoint: Qwen/Qwen3-8B-AWQ, RedHatAI/Llama-3.1-8B-Instruct-FP8-dynamic.
ENDINGS: tuple[tuple[str, Dtype], ...] = (
    (r"-fp8(-dynamic|-block)?", "int8"),
    (r"-(gptq-)?int8", "int8"),
    (r"-quantized\.w8a(8|16)", "int8"),
    (r"-(awq|gptq)(-int4)?", "int4"),
    (r"-(int4|nvfp4|mxfp4|quantized\.w4a16)", "int4"),
)

# How publishers end the name of a model that is tuned further, or again: google/gemma-3-27b-it, DeepSeek-R1-0528.
TUNED = r"(-(instruct|chat|base|it|pt|\d{4}))+$"


class Quantization(Row):
    """A method of vLLM's `--quantization`. `made` says whether the checkpoint must have it, or loading makes it.

    `weights` is empty where the method alone doesn't say how large the weights are. `capability` is the least compute
    capability with which vLLM loads it (`get_min_capability` of its class), as in the catalogue's GPUs.
    """

    method: str
    weights: Dtype | Literal[""]
    made: Literal["checkpoint", "loading"]
    capability: int


@cache
def quantizations() -> Mapping[str, Quantization]:
    """Every method by its name."""
    return {row.method: row for row in read(DATA / "quantizations.csv", Quantization)}


def checkpoint(model: str) -> tuple[Shape, Dtype] | None:
    """The shape of a model of the Hugging Face hub, and what its checkpoint keeps its weights in; None if not known.

    A tuned model (`-Instruct`, `-it`) and a dated one (`-0528`) have the shape of their base; the owner before the
    slash does not matter.
    """
    name, kept = _plain(model.rpartition("/")[2])
    shape = published(name) or published(re.sub(TUNED, "", name, flags=re.IGNORECASE))
    return (shape, kept or shape.weights) if shape else None


def _plain(name: str) -> tuple[str, Dtype | None]:
    """The name without the ending of a quantised checkpoint, and what that says."""
    for ending, kept in ENDINGS:
        if found := re.fullmatch(rf"(.+?){ending}", name, re.IGNORECASE):
            return found[1], kept
    return name, None
