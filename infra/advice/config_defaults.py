"""What a `config.json` leaves out: keys that equal the default of their model class, and keys under other names."""

from __future__ import annotations

import json
from functools import cache
from math import ceil
from typing import Any

from infra.advice.model import DATA
from infra.catalog.tables import Row, read

# GPT-2's names and those of state-spaces' Mamba, and what every other model calls the same.
OTHER_NAMES = {
    "n_embd": "hidden_size",
    "n_layer": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "n_positions": "max_position_embeddings",
    "n_inner": "intermediate_size",
    "d_model": "hidden_size",
    "d_intermediate": "intermediate_size",
    "num_heads": "num_attention_heads",
}


class _Default(Row):
    """A key that a model class fills in where its configuration says nothing; `value` is JSON."""

    model_type: str
    key: str
    value: str


def completed(given: dict[str, Any]) -> dict[str, Any]:
    """The configuration under the usual names, with the defaults of its model type for what it leaves out.

    A null is a value (of `sliding_window`: none), and no default stands in for it.
    """
    named = {OTHER_NAMES.get(key, key): value for key, value in given.items()}
    named.setdefault("model_type", "mamba2" if _is_mamba2(given) else "")
    for key, value in _defaults().get(str(named["model_type"]), {}).items():
        named.setdefault(key, value)
    if named["model_type"] == "gpt2" and named.get("intermediate_size") is None:
        named["intermediate_size"] = 4 * int(named.get("hidden_size") or 0)
    if named["model_type"] == "mamba2":
        _mamba_heads(named)
    if named["model_type"] == "jamba" and named.get("mamba_dt_rank") in (None, "auto"):
        named["mamba_dt_rank"] = ceil(int(named.get("hidden_size") or 0) / 16)
    return {key: value for key, value in named.items() if value is not None}


def _is_mamba2(given: dict[str, Any]) -> bool:
    """Whether it is in state-spaces' own form, which has no model type."""
    layers = given.get("ssm_cfg")
    return isinstance(layers, dict) and layers.get("layer") == "Mamba2"


def _mamba_heads(named: dict[str, Any]) -> None:
    """state-spaces' checkpoints give no heads: they make up `expand` times the width, and one group."""
    if "ssm_cfg" in named:
        named["n_groups"] = 1
        named["head_dim"] = 64
        named["tie_word_embeddings"] = named.get("tie_embeddings", True)
        named["num_attention_heads"] = named["expand"] * int(named.get("hidden_size") or 0) // 64


@cache
def _defaults() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in read(DATA / "config_defaults.csv", _Default):
        found.setdefault(row.model_type, {})[row.key] = json.loads(row.value)
    return found
