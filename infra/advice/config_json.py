"""A model's shape from its Hugging Face `config.json`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from infra.advice.model import Shape
from infra.settings.errors import Problem, SettingsError, path_of, problems_of, refuse

# Feed-forward parts of two matrices, not three: these model types have no gate.
UNGATED = ("gpt_neox", "phi", "opt", "starcoder2", "nemotron")

Count = Annotated[int, Field(gt=0)]


class _Config(BaseModel):
    """The keys that decide memory and speed; all others are ignored. A count of experts is 0 for a dense model."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model_type: str = ""
    hidden_size: Count
    num_hidden_layers: Count
    num_attention_heads: Count
    vocab_size: Count
    intermediate_size: Count
    num_key_value_heads: Count | None = None
    head_dim: Count | None = Field(default=None, validate_default=True)
    tie_word_embeddings: bool | None = None
    experts: int = Field(
        default=0, ge=0, validation_alias=AliasChoices("num_local_experts", "num_experts", "n_routed_experts")
    )
    num_experts_per_tok: int = Field(default=0, ge=0, validate_default=True)
    moe_intermediate_size: Count | None = None
    shared_expert_intermediate_size: int = Field(default=0, ge=0)
    n_shared_experts: int = Field(default=0, ge=0)
    kv_lora_rank: int | None = None
    max_position_embeddings: int = Field(default=0, ge=0)
    layer_types: list[str] = []

    @field_validator("num_key_value_heads")
    @classmethod
    def _heads_in_groups(cls, kv_heads: int | None, info: ValidationInfo) -> int | None:
        heads = info.data.get("num_attention_heads")
        if kv_heads and heads and heads % kv_heads:
            raise refuse(f"a divisor of num_attention_heads ({heads})")
        return kv_heads

    @field_validator("head_dim")
    @classmethod
    def _head_dim_follows(cls, head_dim: int | None, info: ValidationInfo) -> int | None:
        hidden, heads = info.data.get("hidden_size"), info.data.get("num_attention_heads")
        if head_dim is None and hidden and heads and hidden % heads:
            raise refuse(f"give it: hidden_size {hidden} is no multiple of num_attention_heads {heads}")
        return head_dim

    @field_validator("num_experts_per_tok")
    @classmethod
    def _experts_agree(cls, active: int, info: ValidationInfo) -> int:
        experts = info.data.get("experts", 0)
        if (experts and not active) or active > experts:
            raise refuse(f"1 to the count of experts ({experts})" if experts else "0: there are no experts")
        return active

    @field_validator("kv_lora_rank")
    @classmethod
    def _no_latent_attention(cls, rank: int | None) -> int | None:
        if rank:
            raise refuse("none: multi-head latent attention is not modelled; take a size, as MODEL=70b")
        return rank


def read_config(path: Path) -> Shape:
    """The shape that a `config.json` describes (its `text_config`, if it is of a model that also sees or hears).

    Raises:
        SettingsError: there is no such file, it is no JSON object, or a key is missing or wrong; every key at once.
    """
    given = _object(path)
    given = given if "hidden_size" in given else given.get("text_config", given)
    try:
        config = _Config.model_validate(given)
    except ValidationError as error:
        # The keys as the file has them: of settings, problems_of gives camelCase.
        found = zip(problems_of(error, _Config), error.errors(), strict=True)
        raise SettingsError(
            [replace(problem, path=f"{path}: {path_of(wrong['loc'])}") for problem, wrong in found]
        ) from None
    return _shape(config, path)


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


def _shape(config: _Config, path: Path) -> Shape:
    expert = config.moe_intermediate_size or config.intermediate_size
    tied = config.tie_word_embeddings
    return Shape(
        name=f"{config.model_type or 'model'} of {path}",
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads or config.num_attention_heads,
        head_dim=config.head_dim or config.hidden_size // config.num_attention_heads,
        ffn=expert if config.experts else config.intermediate_size,
        vocab=config.vocab_size,
        # Configurations leave out what is their class's default: tied in Gemma, apart in Llama and its kin.
        tied=config.model_type.startswith("gemma") if tied is None else tied,
        experts=config.experts,
        experts_per_token=config.num_experts_per_tok,
        shared_ffn=config.shared_expert_intermediate_size or config.n_shared_experts * expert,
        ffn_matrices=2 if config.model_type in UNGATED else 3,
        windowed=config.layer_types.count("sliding_attention"),
        context=config.max_position_embeddings,
    )
