"""Shapes: from sizes, names and config.json files, and what is said of wrong ones."""

import json
from pathlib import Path

import pytest

from infra.advice.config_json import read_config
from infra.advice.model import known_or_scaled
from infra.settings.errors import SettingsError

LLAMA_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
    "rope_theta": 500000.0,
}


def _file(folder: Path, content: object) -> Path:
    path = folder / "config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("model", "billions"),
    [
        ("SmolLM2-135M", 0.1345),
        ("0.6b", 0.596),
        ("1b", 1.236),
        ("3b", 3.213),
        ("4b", 4.022),
        ("7b", 7.248),
        ("8b", 8.030),
        ("14b", 14.77),
        ("24b", 23.57),
        ("32b", 32.76),
        ("70b", 70.55),
        ("405b", 405.9),
        ("Mixtral-8x7B", 46.70),
        ("Qwen3-30B-A3B", 30.53),
        ("gpt-oss-120b", 116.8),
    ],
)
def test_published_parameters(model: str, billions: float) -> None:
    """What the model cards on Hugging Face say."""
    assert known_or_scaled(model).parameters / 1e9 == pytest.approx(billions, rel=0.005)


@pytest.mark.parametrize(
    ("model", "billions"), [("Mixtral-8x7B", 12.9), ("Qwen3-30B-A3B", 3.3), ("gpt-oss-120b", 5.1)]
)
def test_published_active_parameters(model: str, billions: float) -> None:
    """Model cards; some count the embedding, which is a look-up and no product."""
    assert known_or_scaled(model).multiplied / 1e9 == pytest.approx(billions, rel=0.12)


@pytest.mark.parametrize("billions", [0.1, 0.3, 13, 65, 110, 1000])
def test_any_size_is_scaled(billions: float) -> None:
    assert known_or_scaled(f"{billions}B").parameters / 1e9 == pytest.approx(billions, rel=0.05)


def test_millions() -> None:
    assert known_or_scaled("600m") == known_or_scaled("0.6b")


@pytest.mark.parametrize("model", ["", "9x", "0b", "5000b", "llama", "-8b"])
def test_no_such_model(model: str) -> None:
    with pytest.raises(SettingsError, match=r"a size from 0\.1b to 2000b"):
        known_or_scaled(model)


def test_config_of_llama(tmp_path: Path) -> None:
    read = read_config(_file(tmp_path, LLAMA_8B))
    known = known_or_scaled("8b")
    assert (read.parameters, read.kv_dim, read.head_dim) == (known.parameters, known.kv_dim, 128)


def test_config_of_mixtures(tmp_path: Path) -> None:
    """Mixtral names its experts num_local_experts, Qwen num_experts and gives their width apart."""
    mixtral = LLAMA_8B | {"vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2}
    assert read_config(_file(tmp_path, mixtral)).parameters == known_or_scaled("Mixtral-8x7B").parameters
    qwen = LLAMA_8B | {
        "hidden_size": 2048,
        "num_hidden_layers": 48,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "vocab_size": 151936,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 768,
    }
    assert read_config(_file(tmp_path, qwen)).parameters == known_or_scaled("Qwen3-30B-A3B").parameters


def test_shared_experts_are_passed_by_every_token(tmp_path: Path) -> None:
    config = LLAMA_8B | {
        "n_routed_experts": 64,
        "num_experts_per_tok": 6,
        "n_shared_experts": 2,
        "moe_intermediate_size": 1408,
    }
    assert read_config(_file(tmp_path, config)).active_ffn == 8 * 1408


def test_tied_where_the_config_is_silent(tmp_path: Path) -> None:
    silent = {key: value for key, value in LLAMA_8B.items() if key != "tie_word_embeddings"}
    assert not read_config(_file(tmp_path, silent)).tied
    assert read_config(_file(tmp_path, silent | {"model_type": "gemma2"})).tied


def test_text_part_of_a_model_that_sees(tmp_path: Path) -> None:
    assert read_config(_file(tmp_path, {"vision_config": {}, "text_config": LLAMA_8B})).layers == 32


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_hidden_layers": None}, "num_hidden_layers"),
        ({"hidden_size": "wide"}, "hidden_size: wide"),
        (
            {"num_key_value_heads": 5},
            r"num_key_value_heads: 5\n +allowed: a divisor of num_attention_heads \(32\)",
        ),
        ({"hidden_size": 4097}, "head_dim"),
        ({"num_experts": 8}, "num_experts_per_tok"),
        ({"num_experts": 8, "num_experts_per_tok": 9}, "1 to the count of experts"),
        ({"kv_lora_rank": 512}, "v_head_dim: nothing"),
        ({"layer_types": ["full_attention"]}, "num_hidden_layers of them: 32"),
        ({"layer_types": ["conv"] * 32}, "layer_types: conv"),
        ({"layer_types": ["sliding_attention"] * 32}, "sliding_window: nothing"),
        ({"layer_types": ["linear_attention"] * 32}, "model_type: llama"),
        ({"model_type": "lfm2", "conv_L_cache": 3}, "model_type: lfm2"),
        ({"model_type": "new_hybrid", "mamba_d_state": 16}, "mamba_d_state says that not every layer"),
        ({"model_type": "jamba", "mamba_d_conv": 0}, "mamba_d_conv: nothing"),
        ({"vocab_size": 0}, "vocab_size: 0"),
    ],
)
def test_wrong_keys_are_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = _file(tmp_path, LLAMA_8B | change)
    with pytest.raises(SettingsError, match=said) as refused:
        read_config(path)
    assert str(path) in str(refused.value)


def test_every_missing_key_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read_config(_file(tmp_path, {}))
    assert len(refused.value.problems) == 5


@pytest.mark.parametrize(("content", "said"), [("{", "no JSON"), ("[]", "an object")])
def test_no_config(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_config(_file(tmp_path, content))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_config(tmp_path / "config.json")
    with pytest.raises(SettingsError, match="directory"):
        read_config(tmp_path)
