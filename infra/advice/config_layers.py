"""What each layer of a model is: full attention, a window, or a mixer; and which layers of a mixture are dense.

Sources: Hugging Face transformers, `configuration_<model_type>.py`, where a pattern of layers follows from keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal

from infra.advice.config_keys import Config
from infra.advice.model import DATA
from infra.catalog.tables import Row, read
from infra.settings.errors import Problem, SettingsError

FULL, WINDOW, MIXER = "full", "window", "mixer"
# Words of `layer_types` and of `layers_block_type`.
KINDS = {
    "full_attention": FULL,
    "attention": FULL,
    "sliding_attention": WINDOW,
    "chunked_attention": WINDOW,
    "linear_attention": MIXER,
    "mamba": MIXER,
}
# Beginnings of keys with which a model type that is not known here surely has layers of another kind.
TELLTALES = (
    "attn_layer",
    "attn_type_list",
    "conv_L_cache",
    "full_attention_interval",
    "hybrid",
    "lightning",
    "linear_",
    "mamba",
    "rwkv",
    "ssm",
    "state_size",
)

_Pattern = Callable[[Config, int], str]
_PATTERNS: Mapping[str, _Pattern] = {
    "gemma2": lambda _, layer: WINDOW if layer % 2 == 0 else FULL,
    "gemma3_text": lambda c, layer: FULL if (layer + 1) % (c.sliding_window_pattern or 6) == 0 else WINDOW,
    "cohere2": lambda c, layer: FULL if (layer + 1) % (c.sliding_window_pattern or 4) == 0 else WINDOW,
    "gpt_oss": lambda _, layer: WINDOW if (layer + 1) % 2 else FULL,
    "llama4_text": lambda c, layer: FULL if (layer + 1) % (c.no_rope_layer_interval or 4) == 0 else WINDOW,
    "qwen3_next": lambda c, layer: MIXER if (layer + 1) % (c.full_attention_interval or 4) else FULL,
    "jamba": lambda c, layer: (
        FULL if (layer - c.attn_layer_offset) % (c.attn_layer_period or 8) == 0 else MIXER
    ),
    "mamba": lambda _c, _layer: MIXER,
    "mamba2": lambda _c, _layer: MIXER,
}


class _ModelType(Row):
    """A model type with one kind of layer, unless its configuration lists them.

    `full`: every layer attends to every token, or to `sliding_window` from the layer `max_window_layers` on where
    `use_sliding_window` says so. `sliding`: every layer slides over `sliding_window`, where that is not null.
    """

    model_type: str
    layers: Literal["full", "sliding"]


@cache
def _uniform() -> Mapping[str, str]:
    return {row.model_type: row.layers for row in read(DATA / "model_types.csv", _ModelType)}


def layer_kinds(config: Config, given: Mapping[str, Any]) -> tuple[list[str], str | None]:
    """The kind of every layer, and a sentence where it was assumed.

    Raises:
        SettingsError: a layer is of a kind that is not modelled, or its window is not given.
    """
    words = config.layer_types or config.layers_block_type
    kinds = _by_words(config, words) if words else _by_type(config)
    if kinds is None and (key := _telltale(given)):
        allowed = (
            f"a model type whose layers are known ({', '.join(sorted({*_PATTERNS, *_uniform()}))}), or "
            f"layer_types: {key} says that not every layer attends to every token"
        )
        raise SettingsError([Problem("model_type", config.model_type or "nothing", allowed)])
    if kinds and WINDOW in kinds and not config.window:
        raise SettingsError([Problem("sliding_window", "nothing", "the tokens that a layer slides over")])
    if kinds:
        return kinds, None
    return [FULL] * config.num_hidden_layers, (
        f"Model type {config.model_type or 'none'} is not known here: every layer counted as full attention over the "
        "whole context, with keys and values of every head."
    )


def _by_words(config: Config, words: list[str]) -> list[str]:
    """Layer by layer, as the configuration lists them."""
    if unknown := sorted(set(words) - set(KINDS)):
        raise SettingsError([Problem("layer_types", ", ".join(unknown), ", ".join(KINDS))])
    if len(words) != config.num_hidden_layers:
        allowed = f"num_hidden_layers of them: {config.num_hidden_layers}"
        raise SettingsError([Problem("layer_types", f"{len(words)} layers", allowed)])
    return [KINDS[word] for word in words]


def _by_type(config: Config) -> list[str] | None:
    """By the pattern of the model type; None where that is not known."""
    every = range(config.num_hidden_layers)
    if pattern := _PATTERNS.get(config.model_type):
        return [pattern(config, layer) for layer in every]
    uniform = _uniform().get(config.model_type)
    if uniform is None:
        return None
    if uniform == "sliding":
        return [WINDOW if config.sliding_window else FULL] * len(every)
    if config.use_sliding_window and config.sliding_window:
        return [WINDOW if layer >= config.max_window_layers else FULL for layer in every]
    return [FULL] * len(every)


def _telltale(given: Mapping[str, Any]) -> str | None:
    return next((key for key, value in given.items() if key.startswith(TELLTALES) and value), None)


def dense_layers(config: Config) -> int:
    """Layers of a mixture of experts that have one feed-forward part for every token; 0 of a dense model."""
    if not config.experts:
        return 0
    return sum(not _has_experts(config, layer) for layer in range(config.num_hidden_layers))


def _has_experts(config: Config, layer: int) -> bool:
    if config.moe_layers is not None:
        return layer in config.moe_layers
    if isinstance(config.moe_layer_freq, list):
        return layer < len(config.moe_layer_freq) and bool(config.moe_layer_freq[layer])
    return (
        layer >= config.first_k_dense_replace
        and layer % config.moe_layer_freq == 0
        and (layer + 1) % config.decoder_sparse_step == 0
        and layer not in config.mlp_only_layers
        and (layer + 1) % config.interleave_moe_layer_step == 0
        and (layer - config.expert_layer_offset) % config.expert_layer_period == 0
    )


def attention_parameters(config: Config) -> int:
    """Parameters of one layer's attention; 0 where it has four plain projections."""
    hidden, heads = config.hidden_size, config.num_attention_heads
    if config.kv_lora_rank and config.v_head_dim and config.qk_nope_head_dim:
        # DeepSeek-V2 (arXiv 2405.04434), section 2.1: queries, keys and values through a narrow latent each.
        queries = heads * config.latent_query
        narrow = config.q_lora_rank
        into = hidden * narrow + narrow * queries if narrow else hidden * queries
        out = config.kv_lora_rank * heads * (config.qk_nope_head_dim + config.v_head_dim)
        return into + hidden * config.latent + out + heads * config.v_head_dim * hidden
    if config.model_type == "qwen3_next":
        # Its queries have a gate as wide as they are.
        width = config.width_of_a_head
        return hidden * width * (3 * heads + 2 * config.kv_heads)
    return 0
