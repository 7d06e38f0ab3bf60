"""Speed against published figures. The utilisation in data/mfu.csv comes from the 8B rows; the others are held out."""

import pytest

from infra.advice import memory, speed
from infra.advice.layout import Host, Layout
from infra.advice.model import known_or_scaled
from infra.catalog.gpus import gpu


@pytest.mark.parametrize(
    ("card", "size", "gpus", "recompute", "published", "tolerance"),
    [
        # pytorch/torchtitan benchmarks/llama3_h100_202412: FSDP, 5,762 (6,667 compiled)
        ("H100", "8b", 8, False, 5762, 0.10),
        # benchmarks/asyncTP_llama3_h100_2025-06: FSDP 32 x TP 8, full recomputation, bf16
        ("H100", "70b", 256, True, 597, 0.10),
        # docs/performance.md of 2024: 405B in bf16 on 128 x H100, full recomputation
        ("H100", "405b", 128, True, 109, 0.10),
        # docs/performance.md of 2024: 64 x A100
        ("A100", "8b", 64, False, 2973, 0.05),
        ("A100", "70b", 64, True, 331, 0.25),
    ],
)
def test_torchtitan(
    card: str, size: str, gpus: int, recompute: bool, published: float, tolerance: float
) -> None:
    host = Host(gpu(card), 8, None, 400)
    layout = Layout(gpus // 8, fsdp=gpus, recompute=recompute)
    ours = speed.training(known_or_scaled(size), "full", "bf16", 8192, host, layout) / gpus
    assert ours == pytest.approx(published, rel=tolerance)


def test_flops_of_a_token() -> None:
    """PaLM (arXiv 2204.02311), appendix B: 6 N + 12 L H Q T, here of Llama-3-8B: 6 x 7.5e9 + 12 x 32 x 4096 x 8192."""
    ours = speed.training_flops(known_or_scaled("8b"), "full", 8192)
    assert ours == pytest.approx(6 * 7.504e9 + 12 * 32 * 4096 * 8192, rel=0.001)


@pytest.mark.parametrize(("dtype", "published"), [("bf16", 95.6), ("int8", 153), ("int4", 181)])
def test_torchao_decoding(dtype: memory.Dtype, published: float) -> None:
    """torchao, sparsity/README.md: Llama-3-8B on one A100 80 GB, one sequence (whence our shares)."""
    card = gpu("A100").model_copy(update={"bandwidth_gbs": 2039})
    ours = 1 / speed.decode(known_or_scaled("8b"), dtype, 256, 1, card, Layout(1))
    assert ours == pytest.approx(published, rel=0.10)  # our output layer stays in bf16, torchao's does not


def test_vllm_saturated() -> None:
    """runinfra.ai, June 2026: vLLM 0.23, Llama-3.1-8B on one H100: 5,333 tokens/s; an order of magnitude, within 3x."""
    ours = speed.serving(known_or_scaled("8b"), "bf16", 2048, 200, gpu("H100"), Layout(1))
    assert 5333 / 3 < ours < 5333 * 3


def test_a_mixture_reads_only_the_experts_it_needs() -> None:
    mixture, card = known_or_scaled("Qwen3-30B-A3B"), gpu("H100")
    one, many = (speed.decode(mixture, "bf16", 1, users, card, Layout(1)) for users in (1, 256))
    assert one < many / 4
    whole = memory.weights(mixture, "bf16") / (card.bandwidth_gbs * 1e9 * speed.BANDWIDTH_SHARE["bf16"])
    assert many == pytest.approx(whole, rel=0.01)


def test_tensor_parallel_costs_more_over_pcie() -> None:
    shape, layout = known_or_scaled("70b"), Layout(1, tensor=8)
    slow = gpu("H100").model_copy(update={"link": "PCIe", "link_gbs": 32})
    assert speed.prefill(shape, "bf16", 8192, slow, layout) > 2 * speed.prefill(
        shape, "bf16", 8192, gpu("H100"), layout
    )


def test_a_slow_fabric_slows_training() -> None:
    shape, layout = known_or_scaled("8b"), Layout(4, fsdp=32)
    slow, fast = (
        speed.training(shape, "full", "bf16", 8192, Host(gpu("H100"), 8, None, gigabytes), layout)
        for gigabytes in (3, 400)
    )
    assert slow < fast / 2
