"""Tokens a second: training by model FLOPs utilisation, serving by the roofline of memory and arithmetic.

Sources: FLOPs a token, Kaplan et al. (arXiv 2001.08361) and PaLM (arXiv 2204.02311, appendix B); utilisation,
data/mfu.csv; the roofline, Williams et al. 2009 and Pope et al. (arXiv 2211.05102); ring collectives, NCCL's notes.
"""

from __future__ import annotations

from functools import cache

from pydantic import Field

from infra.advice.layout import Host, Layout
from infra.advice.memory import FROZEN_BYTES, WEIGHT_BYTES, Dtype, Method, sequence, weights
from infra.advice.model import DATA, Shape
from infra.catalog.gpus import Gpu
from infra.catalog.tables import Row, read

# The share of memory bandwidth that decoding had with each kind of weight: Llama-3-8B on an A100 80 GB (2,039 GB/s),
# 95.6, 153 and 181 tokens/s (pytorch/ao torchao/sparsity/README.md).
BANDWIDTH_SHARE = {"bf16": 0.70, "int8": 0.56, "int4": 0.37}
MATMUL_SHARE = 0.5  # assumed: of the tensor rate, in prefill and in large batches
LINK_SHARE = 0.65  # of a link's speed, in collectives (calculon-ai/calculon systems/a100_80g.json)
ALL_REDUCE_S = 15e-6  # assumed: the least that one takes
PROMPT_SHARE = 0.75  # assumed: of a context, the prompt; the rest is generated


class _MfuRow(Row):
    gpu: str
    mfu: float = Field(gt=0, lt=1)


@cache
def _measured() -> dict[str, float]:
    return {row.gpu: row.mfu for row in read(DATA / "mfu.csv", _MfuRow)}


def mfu(gpu: Gpu) -> float:
    """The share of the tensor rate that training has; the lowest of the measured for GPUs that nobody published."""
    return _measured().get(gpu.name, min(_measured().values()))


def training_flops(shape: Shape, method: Method, context: int) -> float:
    """FLOPs a token, forward and backward: 6 for a parameter (4 where its gradient isn't needed), and attention."""
    for_each = 6 if method == "full" else 4
    return for_each * shape.multiplied + 12 * shape.q_dim * shape.reach(context)


def training(shape: Shape, method: Method, dtype: Dtype, context: int, host: Host, layout: Layout) -> float:
    """Tokens a second of the whole cluster. FSDP's traffic hides behind arithmetic, tensor parallel's does not.

    Recomputation adds a forward pass: a third more arithmetic.
    """
    tokens = layout.sequences * context
    flops = training_flops(shape, method, context) * tokens * (4 / 3 if layout.recompute else 1)
    arithmetic = flops / (layout.tensor * host.gpu.bf16_tflops * 1e12 * mfu(host.gpu))
    step = max(arithmetic, _fsdp_seconds(shape, method, dtype, host, layout))
    # A layer gathers and scatters four times forward and four times backward (Korthikanti et al., section 4.2.2).
    step += 8 * shape.layers * _ring(2 * tokens * shape.hidden, layout.tensor, host.gpu)
    return layout.fsdp * tokens / step


def _fsdp_seconds(shape: Shape, method: Method, dtype: Dtype, host: Host, layout: Layout) -> float:
    """Two gathers of the weights and one scatter of the gradients (none of frozen weights)."""
    moved = 3 * 2 * shape.parameters if method == "full" else 2 * weights(shape, dtype, FROZEN_BYTES)
    inside = _ring(moved / layout.tensor, layout.fsdp, host.gpu)
    if layout.machines == 1:
        return inside
    between = moved * (layout.machines - 1) / layout.machines / (host.fabric_gbs * 1e9 * LINK_SHARE)
    return max(inside, between)


def _ring(size: float, ranks: int, gpu: Gpu) -> float:
    """Seconds to gather or scatter `size` bytes among `ranks` GPUs of one machine."""
    return size * (ranks - 1) / ranks / (gpu.link_gbs * 1e9 * LINK_SHARE)


def decode(shape: Shape, dtype: Dtype, context: int, users: float, gpu: Gpu, layout: Layout) -> float:
    """Seconds in which a replica makes one token for each of `users`, whose caches are full.

    Every weight and every cache is read once: of a mixture of experts, those that some user's token passes. The stages
    of a pipeline work on parts of the batch in turn, so that each part reads the weights, and the caches are read
    in parallel.
    """
    untouched = (
        shape.expert_share * (1 - shape.experts_per_token / shape.experts) ** users if shape.experts else 0
    )
    layers = WEIGHT_BYTES[dtype] * (shape.parameters - shape.embeddings) * (1 - untouched)
    output = 2 * shape.embedding  # of the embedding itself, a row a token is read
    caches = users * sequence(shape, context, layout)
    in_16_bits = (output / layout.tensor + caches) / BANDWIDTH_SHARE["bf16"]
    memory = (layers / layout.tensor / BANDWIDTH_SHARE[dtype] + in_16_bits) / (gpu.bandwidth_gbs * 1e9)
    arithmetic = 2 * shape.multiplied * users / (layout.tensor * layout.pipeline * _rate(gpu, dtype))
    return max(memory, arithmetic) + _all_reduces(shape, users, gpu, layout)


def prefill(shape: Shape, dtype: Dtype, tokens: float, gpu: Gpu, layout: Layout) -> float:
    """Seconds of a replica's time for a prompt: arithmetic, with causal attention, and tensor parallel's traffic."""
    flops = 2 * shape.multiplied * tokens + 2 * shape.q_dim * shape.reach(tokens) * tokens
    arithmetic = flops / (layout.tensor * layout.pipeline * _rate(gpu, dtype))
    return arithmetic + _all_reduces(shape, tokens, gpu, layout)


def serving(shape: Shape, dtype: Dtype, context: int, users: float, gpu: Gpu, layout: Layout) -> float:
    """Generated tokens a second of one replica, which stops decoding while it reads its users' prompts."""
    generated = (1 - PROMPT_SHARE) * context
    reading = users * prefill(shape, dtype, PROMPT_SHARE * context, gpu, layout)
    return users * generated / (reading + generated * decode(shape, dtype, context, users, gpu, layout))


def _all_reduces(shape: Shape, tokens: float, gpu: Gpu, layout: Layout) -> float:
    """Two a layer (Megatron-LM, arXiv 1909.08053), each a scatter and a gather."""
    if layout.tensor == 1:
        return 0
    one = 2 * _ring(2 * tokens * shape.hidden / layout.pipeline, layout.tensor, gpu)
    return 2 * shape.layers * (one + ALL_REDUCE_S)


def _rate(gpu: Gpu, dtype: Dtype) -> float:
    """Operations a second: int8 with int8 activations where that is faster; four-bit weights are made bf16 first."""
    tera = max(gpu.int8_tops, gpu.bf16_tflops) if dtype == "int8" else gpu.bf16_tflops
    return tera * 1e12 * MATMUL_SHARE
