"""Memory against published figures, and what must hold of it whatever is asked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.advice import memory
from infra.advice.layout import GIB, Layout
from infra.advice.model import known_or_scaled

SIZES = ("8b", "70b", "405b")
LLAMA = {size: known_or_scaled(size) for size in SIZES}
KNOWN = ("0.6b", "8b", "70b", "Mixtral-8x7B", "Qwen3-30B-A3B")
GB = 1e9


def test_zero_states() -> None:
    """ZeRO (arXiv 1910.02054), figure 1: 7.5B parameters take 120 GB, 1.9 GB with everything sharded 64 ways."""
    shape = known_or_scaled("7.5b")
    states = memory.training_states(shape, "full", "bf16")
    assert states / GB == pytest.approx(120, rel=0.02)
    assert states / 64 / GB == pytest.approx(1.9, rel=0.03)


@pytest.mark.parametrize(("size", "gigabytes"), [("8b", 16), ("70b", 140), ("405b", 810)])
def test_weights_in_16_bits(size: str, gigabytes: float) -> None:
    """Hugging Face, Llama 3.1 blog: memory for inference, FP16."""
    assert memory.weights(LLAMA[size], "bf16") / GB == pytest.approx(gigabytes, rel=0.01)


@pytest.mark.parametrize(("size", "gigabytes"), [("8b", 4), ("70b", 35), ("405b", 203)])
def test_weights_in_4_bits(size: str, gigabytes: float) -> None:
    """The same blog counts half a byte for every parameter; we add scales, and embeddings in bf16."""
    ours = memory.weights(LLAMA[size], "int4") / GB
    assert gigabytes < ours < gigabytes * 1.55


@pytest.mark.parametrize(
    ("size", "kv_heads", "gibibytes"),
    [("8b", 8, (0.125, 1.95, 15.62)), ("70b", 8, (0.313, 4.88, 39.06)), ("405b", 16, (0.984, 15.38, 123.05))],
)
def test_kv_cache(size: str, kv_heads: int, gibibytes: tuple[float, ...]) -> None:
    """The same blog: KV cache of 1k, 16k and 128k tokens. Its 405B had 16 KV heads; the model released since has 8."""
    shape = replace(LLAMA[size], kv_heads=kv_heads)
    for tokens, published in zip((1024, 16_000, 128_000), gibibytes, strict=True):
        assert memory.kv_cache(shape) * tokens / GIB == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(("size", "lora", "qlora"), [("8b", 16, 6), ("70b", 160, 48), ("405b", 950, 250)])
def test_adapters(size: str, lora: float, qlora: float) -> None:
    """The same blog, memory for training, "estimated": before activations we are within 15% of it."""
    assert memory.training_states(LLAMA[size], "lora", "bf16") / GB == pytest.approx(lora, rel=0.15)
    assert memory.training_states(LLAMA[size], "lora", "int4") / GB == pytest.approx(qlora, rel=0.15)


@pytest.mark.parametrize(("dtype", "gigabytes"), [("bf16", 15.0), ("int8", 7.5), ("int4", 4.2)])
def test_torchao_linear_layers(dtype: memory.Dtype, gigabytes: float) -> None:
    """torchao, sparsity/README.md: Llama-3-8B without its embedding, the output layer quantised too."""
    shape = LLAMA["8b"]
    linear = memory.WEIGHT_BYTES[dtype] * (shape.parameters - shape.embedding)
    assert linear / GB == pytest.approx(gigabytes, rel=0.01)


def test_torchao_checkpoint() -> None:
    """torchao 0.18, docs/source/workflows/inference.md: Llama-3.1-8B is 16.1 GB in bf16, 9.1 in 8 bits."""
    assert memory.weights(LLAMA["8b"], "bf16") / GB == pytest.approx(16.1, rel=0.01)
    assert memory.weights(LLAMA["8b"], "int8") / GB == pytest.approx(9.1, rel=0.01)


def test_activations_of_a_layer() -> None:
    """Korthikanti et al. (arXiv 2205.05198), equation 2 without attention's matrix: 34 s b h; 2 s b h recomputed."""
    shape = LLAMA["8b"]
    assert memory.layer_activations(shape) == 34 * shape.hidden
    one_more = replace(shape, layers=shape.layers + 1)
    grown = memory.activations(one_more, 100, recompute=True) - memory.activations(shape, 100, recompute=True)
    assert grown == 100 * 2 * shape.hidden


def test_torchtitan_8b_lies_between_no_and_full_recomputation() -> None:
    """TorchTitan, benchmarks/llama3_h100_202412: 8 x H100, FSDP, 2 x 8,192 tokens, selective: 82.4 GiB."""
    least, most = (
        memory.training(
            LLAMA["8b"], "full", "bf16", 8192, Layout(1, fsdp=8, sequences=2, recompute=recompute)
        )
        / GIB
        for recompute in (True, False)
    )
    assert least < 82.4 < most
    assert most == pytest.approx(82.4, rel=0.15)


def test_qlora_65b_on_one_48_gb_card() -> None:
    """QLoRA (arXiv 2305.14314): 65B parameters are fine-tuned on one 48 GB GPU; sequences of 512 tokens."""
    layout = Layout(1, recompute=True)
    need = memory.training(known_or_scaled("65b"), "lora", "int4", 512, layout)
    assert 0.8 * 48 < need / GB < 48


layouts = st.builds(
    Layout,
    machines=st.just(1),
    tensor=st.sampled_from((1, 2, 4, 8)),
    pipeline=st.sampled_from((1, 2, 4)),
    fsdp=st.sampled_from((1, 2, 8, 64)),
    sequences=st.integers(1, 8),
    recompute=st.booleans(),
)


@given(st.sampled_from(KNOWN), st.sampled_from(("bf16", "int8", "int4")), st.integers(1, 10**6), layouts)
def test_more_context_never_needs_less(model: str, dtype: memory.Dtype, context: int, layout: Layout) -> None:
    shape = known_or_scaled(model)
    for method in ("full", "lora"):
        one, more = (memory.training(shape, method, dtype, context + add, layout) for add in (0, 1))
        assert one < more
    assert memory.serving(shape, dtype, context, layout) < memory.serving(shape, dtype, context + 1, layout)


@given(st.floats(0.1, 2000), layouts)
def test_fewer_bits_never_need_more(billions: float, layout: Layout) -> None:
    shape = known_or_scaled(f"{billions:.3f}b")
    for need in (
        lambda dtype: memory.serving(shape, dtype, 1000, layout),
        lambda dtype: memory.training_states(shape, "lora", dtype),
    ):
        assert need("int4") <= need("int8") <= need("bf16")


@given(st.sampled_from(KNOWN), layouts)
def test_recomputation_never_needs_more(model: str, layout: Layout) -> None:
    again, kept = (
        memory.training(known_or_scaled(model), "full", "bf16", 2048, replace(layout, recompute=recompute))
        for recompute in (True, False)
    )
    assert again <= kept
