"""Configurations as publishers have them, against what the publishers say of their models.

The files in `configs/` have the keys of the models' own `config.json` that decide memory and speed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.advice import memory
from infra.advice.config_json import read_config
from infra.advice.layout import Layout
from infra.advice.model import Shape, published
from infra.advice.quantization import checkpoint

CONFIGS = Path(__file__).parent / "configs"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.json"))
ONE = Layout(1)
MIB = 2**20


def _shape(name: str) -> Shape:
    return read_config(CONFIGS / f"{name}.json")


# Billions of parameters, and of those that a token passes (None: not published, or only rounded in the name).
PARAMETERS = [
    # deepseek-ai/DeepSeek-V3 README: 671B total, 37B activated.
    ("DeepSeek-V3", 671, 37),
    # Kimi K2 (arXiv 2507.20534), table 2: 1.04T and 32.6B; its README rounds them to 1T and 32B.
    ("Kimi-K2", 1040, 32.6),
    # ai21labs/Jamba-v0.1 model card: 52B total, 12B active.
    ("Jamba-v0.1", 52, 12),
    ("Qwen3-Next-80B-A3B", 80, None),
    ("gemma-3-27b", 27, 27),
    # Meta: 17B active, 109B total, with the part that sees.
    ("Llama-4-Scout-17B-16E", 109, 17),
    # openai/gpt-oss README and model card: 117B and 5.1B, 21B and 3.6B.
    ("gpt-oss-120b", 117, 5.1),
    ("gpt-oss-20b", 21, 3.6),
    ("Qwen3-30B-A3B", 30.5, 3.3),
    ("Mamba-Codestral-7B", 7.285, 7.285),
    ("mamba2-2.7b", 2.7, 2.7),
    ("gpt2", 0.124, 0.124),
]


@pytest.mark.parametrize(("name", "total", "active"), PARAMETERS)
def test_parameters_are_those_that_are_published(name: str, total: float, active: float | None) -> None:
    """Model cards differ in whether the embedding, a look-up and no product, counts as active."""
    shape = _shape(name)
    assert shape.parameters / 1e9 == pytest.approx(total, rel=0.02)
    if active:
        counted = [shape.multiplied / 1e9, (shape.multiplied + shape.embedding) / 1e9]
        assert min(counted, key=lambda each: abs(each - active)) == pytest.approx(active, rel=0.05)


def test_a_token_of_qwen3_next_passes_more_than_its_name_rounds_to() -> None:
    """By hand: ten experts and the shared one, routers, 36 mixers, 12 layers of attention, the output layer."""
    experts = 48 * (11 * 3 * 2048 * 512 + 512 * 2048)
    mixers = 36 * (2048 * (2 * 2048 + 2 * 4096 + 2 * 32) + 4096 * 2048 + 8192 * 4)
    attention = 12 * 2048 * 256 * (3 * 16 + 2 * 2)
    by_hand = experts + mixers + attention + 151936 * 2048
    assert _shape("Qwen3-Next-80B-A3B").multiplied == pytest.approx(by_hand, rel=0.001)


@pytest.mark.parametrize(
    ("name", "token_bytes"),
    [
        # "Insights into DeepSeek-V3" (arXiv 2505.09343), table 1: 70.272 KB a token.
        ("DeepSeek-V3", 70_272),
        ("Kimi-K2", 70_272),
        ("Jamba-v0.1", 2 * 8 * 128 * 2 * 4),
        ("Qwen3-Next-80B-A3B", 2 * 2 * 256 * 2 * 12),
        ("gemma-3-27b", 2 * 16 * 128 * 2 * 10),
        ("Llama-4-Scout-17B-16E", 2 * 8 * 128 * 2 * 12),
        ("gpt-oss-120b", 2 * 8 * 64 * 2 * 18),
        ("gpt-oss-20b", 2 * 8 * 64 * 2 * 12),
        ("Qwen3-30B-A3B", 98_304),
        ("Mamba-Codestral-7B", 0),
        ("gpt2", 36_864),
    ],
)
def test_a_token_of_a_long_context_adds_what_is_published(name: str, token_bytes: int) -> None:
    shape = _shape(name)
    assert memory.kv_cache(shape) == token_bytes
    far = 1_000_000
    grown = memory.sequence(shape, far + 1, ONE) - memory.sequence(shape, far, ONE)
    assert grown == token_bytes


@pytest.mark.parametrize(
    ("name", "mib"),
    [
        ("gemma-3-27b", 52 * 2 * 16 * 128 * 2 * 1024 / MIB),
        ("Llama-4-Scout-17B-16E", 36 * 2 * 8 * 128 * 2 * 8192 / MIB),
        # Of a Mamba-2 layer: heads x width x state, and the convolution's window (arXiv 2405.21060).
        ("Mamba-Codestral-7B", 64 * (128 * 64 * 128 + (8192 + 2 * 8 * 128) * 4) * 2 / MIB),
        ("Jamba-v0.1", 28 * 8192 * (16 + 4) * 2 / MIB),
        ("Qwen3-Next-80B-A3B", 36 * (32 * 128 * 128 + 8192 * 4) * 2 / MIB),
    ],
)
def test_a_sequence_keeps_its_windows_and_states_however_long(name: str, mib: float) -> None:
    shape = _shape(name)
    for tokens in (10_000, 1_000_000):
        fixed = memory.sequence(shape, tokens, ONE) - tokens * memory.kv_cache(shape)
        assert fixed / MIB == pytest.approx(mib)


def test_a_window_has_the_chunk_that_is_read_beside_it() -> None:
    """vLLM 0.33.0, v1/kv_cache_interface.py: min(window + tokens read at once, the longest sequence), of one prompt."""
    shape = _shape("gemma-3-27b")
    none, some, whole = (memory.serving_fixed(shape, "bf16", tokens, ONE) for tokens in (512, 2048, 131_072))
    token = 52 * 2 * 16 * 128 * 2
    assert some - none == pytest.approx(1024 * token)
    assert whole - none == pytest.approx(8192 * token)


@pytest.mark.parametrize("name", NAMES)
@given(tokens=st.integers(1, 300_000))
def test_a_longer_sequence_never_keeps_less(name: str, tokens: int) -> None:
    shape = _shape(name)
    for layout in (ONE, Layout(1, tensor=8)):
        assert memory.sequence(shape, tokens, layout) <= memory.sequence(shape, tokens + 1, layout)


def test_a_latent_cache_is_whole_on_every_gpu() -> None:
    shape, layout = _shape("DeepSeek-V3"), Layout(1, tensor=8)
    assert memory.sequence(shape, 1000, layout) == memory.sequence(shape, 1000, ONE)
    heads = _shape("Qwen3-30B-A3B")
    assert memory.sequence(heads, 1000, layout) == memory.sequence(heads, 1000, ONE) / 4


@pytest.mark.parametrize(
    ("name", "weights", "gigabytes"),
    [
        # deepseek-ai/DeepSeek-V3: 685 GB on the hub, of which 14B parameters of multi-token prediction are not loaded.
        ("DeepSeek-V3", "int8", 671),
        ("Kimi-K2", "int8", 1030),
        ("Kimi-K2.6", "int4", 580),
        # openai/gpt-oss-120b: 60.8 GiB; -20b: "runs within 16 GB of memory", 12.8 GiB.
        ("gpt-oss-120b", "int4", 65.3),
        ("gpt-oss-20b", "int4", 13.7),
        ("gemma-3-27b", "bf16", 54),
    ],
)
def test_weights_are_kept_as_the_checkpoint_has_them(name: str, weights: str, gigabytes: float) -> None:
    shape = _shape(name)
    assert shape.weights == weights
    assert memory.weights(shape, shape.weights) / 1e9 == pytest.approx(gigabytes, rel=0.04)


@pytest.mark.parametrize(
    ("quantization", "weights", "unclear"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "int4", False),
        ({"quant_method": "gptq", "bits": 8}, "int8", False),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "int4", False),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False}, "int8", False),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "int4", False),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {
                    "group_0": {"input_activations": {"num_bits": 8}, "weights": {"num_bits": 4}},
                },
            },
            "int4",
            False,
        ),
        ({"quant_method": "aqlm"}, "bf16", True),
    ],
)
def test_quantization_config(
    tmp_path: Path, quantization: dict[str, Any], weights: str, unclear: bool
) -> None:
    config = json.loads((CONFIGS / "Qwen3-30B-A3B.json").read_text())
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config | {"quantization_config": quantization}))
    shape = read_config(path)
    assert shape.weights == weights
    assert bool(shape.notes) == unclear


@pytest.mark.parametrize("name", [name for name in NAMES if published(name)])
def test_the_table_has_what_the_configuration_says(name: str) -> None:
    row = published(name)
    assert row
    read = _shape(name)
    # The table's gpt-oss-120b and Qwen3-30B-A3B were written by hand.
    assert replace(read, name=name) == replace(row, name=name)


@pytest.mark.parametrize(
    ("hub", "name", "weights"),
    [
        ("deepseek-ai/DeepSeek-R1-0528", "DeepSeek-R1", "int8"),
        ("deepseek-ai/DeepSeek-V3", "DeepSeek-V3", "int8"),
        ("google/gemma-3-27b-it", "gemma-3-27b", "bf16"),
        ("moonshotai/Kimi-K2-Instruct-0905", "Kimi-K2", "int8"),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct-FP8", "Qwen3-Next-80B-A3B", "int8"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "Llama-4-Scout-17B-16E", "bf16"),
    ],
)
def test_a_name_of_the_hub_is_the_model_of_the_table(hub: str, name: str, weights: str) -> None:
    found = checkpoint(hub)
    assert found
    assert (found[0].name, found[1]) == (name, weights)


def test_a_model_type_that_is_not_known_is_counted_as_full_attention_with_a_word(tmp_path: Path) -> None:
    config = json.loads((CONFIGS / "Qwen3-30B-A3B.json").read_text())
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config | {"model_type": "brand_new"}))
    shape = read_config(path)
    assert shape.full == shape.layers
    assert "brand_new is not known here" in shape.notes[0]
    listed = config | {"model_type": "brand_new", "layer_types": ["full_attention"] * 48}
    path.write_text(json.dumps(listed))
    assert not read_config(path).notes


def test_old_and_new_forms_of_a_pattern_are_one(tmp_path: Path) -> None:
    """Newer configurations list each layer; older ones give the period."""
    config = json.loads((CONFIGS / "gemma-3-27b.json").read_text())
    listed = ["full_attention" if (layer + 1) % 6 == 0 else "sliding_attention" for layer in range(62)]
    config["text_config"]["layer_types"] = listed
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert replace(read_config(path), name="") == replace(_shape("gemma-3-27b"), name="")
    jamba = json.loads((CONFIGS / "Jamba-v0.1.json").read_text())
    jamba["layers_block_type"] = ["attention" if layer % 8 == 4 else "mamba" for layer in range(32)]
    path.write_text(json.dumps(jamba))
    assert replace(read_config(path), name="") == replace(_shape("Jamba-v0.1"), name="")


@pytest.mark.parametrize(
    ("change", "windowed"),
    [
        ({"model_type": "mistral", "sliding_window": 4096}, 48),
        ({"model_type": "mistral", "sliding_window": None}, 0),
        ({"model_type": "qwen3", "use_sliding_window": False, "sliding_window": 4096}, 0),
        (
            {
                "model_type": "qwen3",
                "use_sliding_window": True,
                "sliding_window": 4096,
                "max_window_layers": 40,
            },
            8,
        ),
        ({"model_type": "gemma2", "sliding_window": 4096}, 24),
    ],
)
def test_windows_of_a_model_type(tmp_path: Path, change: dict[str, Any], windowed: int) -> None:
    config = json.loads((CONFIGS / "Qwen3-30B-A3B.json").read_text())
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config | change))
    shape = read_config(path)
    assert (shape.windowed, shape.window) == (windowed, 4096 if windowed else 0)


def test_every_second_layer_of_maverick_has_experts(tmp_path: Path) -> None:
    """Meta: Llama-4-Maverick has 400B parameters, 17B active, 128 experts in every second layer."""
    config = json.loads((CONFIGS / "Llama-4-Scout-17B-16E.json").read_text())
    config["text_config"] |= {"num_local_experts": 128, "interleave_moe_layer_step": 2}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    shape = read_config(path)
    assert shape.dense_layers == 24
    assert shape.parameters / 1e9 == pytest.approx(400, rel=0.02)
    assert (shape.multiplied + shape.embedding) / 1e9 == pytest.approx(17, rel=0.05)
