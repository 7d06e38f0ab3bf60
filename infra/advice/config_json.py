"""A model's shape from its Hugging Face `config.json`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infra.advice.config_defaults import completed
from infra.advice.config_keys import Config
from infra.advice.config_layers import FULL, MIXER, WINDOW, attention_parameters, dense_layers, layer_kinds
from infra.advice.config_mixers import mixer
from infra.advice.config_weights import weights_of
from infra.advice.model import Shape
from infra.settings.errors import Problem, SettingsError, path_of, problems_of

# Feed-forward parts of two matrices, not three: these model types have no gate.
UNGATED = ("gpt2", "gpt_neox", "phi", "opt", "starcoder2", "nemotron")


def read_config(path: Path) -> Shape:
    """The shape that a `config.json` describes (its `text_config`, if it is of a model that also sees or hears).

    Raises:
        SettingsError: there is no such file, it is no JSON object, a key is missing or wrong (every key at once), or
            the model has layers whose memory is not known here.
    """
    outer = _object(path)
    inner = outer.get("text_config")
    given = completed(inner if isinstance(inner, dict) and "hidden_size" not in outer else outer)
    given.setdefault("quantization_config", outer.get("quantization_config"))
    try:
        config = Config.model_validate(given)
    except ValidationError as error:
        # The keys as the file has them: of settings, problems_of gives camelCase.
        found = zip(problems_of(error, Config), error.errors(), strict=True)
        raise SettingsError(
            [replace(problem, path=f"{path}: {path_of(wrong['loc'])}") for problem, wrong in found]
        ) from None
    try:
        return _shape(config, given, path)
    except SettingsError as error:
        raise SettingsError(
            [replace(problem, path=f"{path}: {problem.path}") for problem in error.problems]
        ) from None


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            [Problem("model", str(path), f"a file that can be read: {error.strerror}")]
        ) from None
    except ValueError as error:
        raise SettingsError([Problem(str(path), f"no JSON: {error}", "the model's config.json")]) from None
    if not isinstance(found, dict):
        raise SettingsError([Problem(str(path), type(found).__name__, "an object: the model's config.json")])
    return found


def _shape(config: Config, given: dict[str, Any], path: Path) -> Shape:
    kinds, assumed = layer_kinds(config, given)
    weights, unclear = weights_of(config.quantization_config)
    mixing = mixer(config) if MIXER in kinds else None
    dense = dense_layers(config)
    return Shape(
        name=f"{config.model_type or 'model'} of {path}",
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=config.kv_heads,
        head_dim=config.width_of_a_head,
        ffn=config.expert_width if config.experts else config.intermediate_size,
        vocab=config.vocab_size,
        # Configurations leave out what is their class's default: tied in Gemma, apart in Llama and its kin.
        tied=config.model_type.startswith("gemma")
        if config.tie_word_embeddings is None
        else config.tie_word_embeddings,
        experts=config.experts,
        experts_per_token=config.num_experts_per_tok,
        shared_ffn=config.shared_width,
        ffn_matrices=2 if config.model_type in UNGATED else 3,
        dense_layers=dense,
        dense_ffn=(config.intermediate_size_mlp or config.intermediate_size) if dense else 0,
        windowed=kinds.count(WINDOW),
        window=config.window if WINDOW in kinds else 0,
        mixers=kinds.count(MIXER),
        mixer_parameters=mixing.parameters if mixing else 0,
        mixer_state=mixing.state if mixing else 0,
        attention_parameters=attention_parameters(config) if FULL in kinds or WINDOW in kinds else 0,
        latent=config.latent,
        context=config.max_position_embeddings,
        weights=weights,
        notes=tuple(note for note in (assumed, unclear) if note),
    )
