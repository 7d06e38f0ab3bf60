"""Layers without attention: their parameters, and the state that each keeps of a sequence, however long it is.

Sources: Mamba (arXiv 2312.00752), Mamba-2 (arXiv 2405.21060), Gated DeltaNet (arXiv 2412.06464), and the layers of
Jamba, Mamba2 and Qwen3Next in Hugging Face transformers.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.advice.config_keys import Config
from infra.settings.errors import Problem, SettingsError


@dataclass(frozen=True)
class Mixer:
    """One layer: parameters, and values (not bytes) of the state of a sequence, with its convolution's."""

    parameters: int
    state: int


def mixer(config: Config) -> Mixer:
    """The mixer of the model type.

    Raises:
        SettingsError: it is not known, or a key of it is missing.
    """
    match config.model_type:
        case "jamba":
            return _mamba(config)
        case "mamba2":
            return _mamba2(config)
        case "qwen3_next":
            return _delta_net(config)
        case other:
            allowed = (
                "jamba, mamba2 or qwen3_next: the linear attention or state space of others is not modelled"
            )
            raise SettingsError([Problem("model_type", other or "nothing", allowed)])


def _mamba(config: Config) -> Mixer:
    _given(config, "mamba_d_state", "mamba_d_conv", "mamba_expand", "mamba_dt_rank")
    inner, state = config.mamba_expand * config.hidden_size, config.mamba_d_state
    rank, kernel = config.mamba_dt_rank, config.mamba_d_conv
    projections = 3 * config.hidden_size * inner + inner * (rank + 2 * state) + rank * inner
    return Mixer(projections + inner * (kernel + state), inner * (state + kernel))


def _mamba2(config: Config) -> Mixer:
    _given(config, "state_size", "n_groups", "conv_kernel", "head_dim")
    heads, inner = config.num_attention_heads, config.num_attention_heads * config.width_of_a_head
    convolved = inner + 2 * config.n_groups * config.state_size
    projections = config.hidden_size * (inner + convolved + heads) + inner * config.hidden_size
    return Mixer(
        projections + convolved * config.conv_kernel,
        inner * config.state_size + convolved * config.conv_kernel,
    )


def _delta_net(config: Config) -> Mixer:
    _given(
        config,
        "linear_num_key_heads",
        "linear_num_value_heads",
        "linear_key_head_dim",
        "linear_value_head_dim",
        "linear_conv_kernel_dim",
    )
    heads = config.linear_num_value_heads
    keys = config.linear_num_key_heads * config.linear_key_head_dim
    values = heads * config.linear_value_head_dim
    convolved = 2 * keys + values
    # Queries, keys, values and the gate; two numbers a head; and back.
    projections = config.hidden_size * (convolved + values + 2 * heads) + values * config.hidden_size
    convolution = convolved * config.linear_conv_kernel_dim
    return Mixer(projections + convolution, values * config.linear_key_head_dim + convolution)


def _given(config: Config, *keys: str) -> None:
    if missing := [key for key in keys if not getattr(config, key)]:
        raise SettingsError([Problem(key, "nothing", "it must be given: layers need it") for key in missing])
