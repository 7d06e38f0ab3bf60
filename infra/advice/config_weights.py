"""What a checkpoint keeps its weights in, from the `quantization_config` of its `config.json`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.advice.model import Dtype

# Methods whose name says the size; of the others a key does.
BY_METHOD: dict[str, Dtype] = {"fp8": "int8", "fbgemm_fp8": "int8", "mxfp4": "int4"}
BIT_KEYS = ("bits", "w_bit", "num_bits")
# ModelOpt's `quant_algo`, and the flags of bitsandbytes.
BY_ALGORITHM: dict[str, Dtype] = {"FP8": "int8", "MXFP8": "int8", "NVFP4": "int4", "W4A16_AWQ": "int4"}
BY_FLAG: dict[str, Dtype] = {"load_in_8bit": "int8", "_load_in_8bit": "int8", "load_in_4bit": "int4"}


def weights_of(quantization: dict[str, Any] | None) -> tuple[Dtype, str | None]:
    """The number format of the weights, and a sentence where the configuration names none that is known here."""
    if not quantization:
        return "bf16", None
    method = str(quantization.get("quant_method", "")).lower()
    if found := BY_METHOD.get(method) or _by_key(quantization):
        return found, None
    return "bf16", (
        f"quantization_config ({method or 'no quant_method'}) does not say how many bits a weight has: counted in "
        "bf16; DTYPE=int8 or int4 says it."
    )


def _by_key(quantization: dict[str, Any]) -> Dtype | None:
    for key, value in _pairs(quantization):
        if key in BIT_KEYS and isinstance(value, int) and 0 < value <= 8:
            return "int4" if value <= 4 else "int8"
        if key in BY_FLAG and value is True:
            return BY_FLAG[key]
        if key == "quant_algo" and value in BY_ALGORITHM:
            return BY_ALGORITHM[value]
    return None


def _pairs(given: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every key with its value, those inside others too, except those of activations and the cache."""
    for key, value in given.items():
        if isinstance(value, dict):
            if key not in ("input_activations", "output_activations", "kv_cache_scheme"):
                yield from _pairs(value)
        else:
            yield key, value
