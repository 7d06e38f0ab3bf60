"""Bytes of weights, gradients, optimiser, activations and KV cache on each GPU.

Sources: training states, ZeRO (arXiv 1910.02054); activations, Korthikanti et al. (arXiv 2205.05198) carried over to
grouped-query attention and SwiGLU; four-bit weights, QLoRA (arXiv 2305.14314) and torchao; the KV cache, vLLM
(arXiv 2309.06180).
"""

from __future__ import annotations

from typing import Literal

from infra.advice.layout import Layout
from infra.advice.model import Dtype, Shape

Method = Literal["full", "lora"]

# Bytes a weight. int4 has a 16-bit scale and zero for each 64 weights (torchao int4wo-64).
WEIGHT_BYTES = {"bf16": 2.0, "int8": 1.0, "int4": 0.5 + 4 / 64}
# What a frozen base is kept in: for four bits NF4 with double quantisation, 4.127 bits (QLoRA, section 3).
FROZEN_BYTES = {**WEIGHT_BYTES, "int4": 4.127 / 8}
# Mixed precision with Adam: bf16 weight and gradient, fp32 weight and two moments (ZeRO, section 3.1).
STATE_BYTES = 2 + 2 + 12
LORA_RANK = 16
# Tokens that vLLM's server takes at once while it reads prompts on GPUs of 70 GiB and more; 2,048 on smaller ones and
# on A100 (engine/arg_utils.py, get_batch_defaults), for which this is on the safe side.
PREFILL_CHUNK = 8192
MAX_SEQUENCES = 256  # that vLLM has in a batch


def weights(shape: Shape, dtype: Dtype, bytes_each: dict[str, float] | None = None) -> float:
    """The model's weights; embedding and output layer stay in bf16, as quantised checkpoints have them."""
    quantised = (bytes_each or WEIGHT_BYTES)[dtype] * (shape.parameters - shape.embeddings)
    return quantised + 2 * shape.embeddings


def adapters(shape: Shape) -> int:
    """Parameters of LoRA adapters on every linear layer (arXiv 2106.09685), each rank x (in + out).

    Latent attention and mixers are taken as plain attention of as many heads.
    """
    attention = 4 * shape.hidden + 2 * shape.q_dim + 2 * shape.kv_dim
    parts = [shape.ffn] * (shape.experts or 1) + [shape.shared_ffn]
    sparse = sum(shape.ffn_matrices * (shape.hidden + part) for part in parts if part)
    dense = shape.ffn_matrices * (shape.hidden + shape.dense_ffn)
    sides = shape.layers * attention + (shape.layers - shape.dense_layers) * sparse
    return LORA_RANK * (sides + shape.dense_layers * dense)


def training_states(shape: Shape, method: Method, dtype: Dtype) -> float:
    """Weights, gradients and optimiser, before they are sharded."""
    if method == "full":
        return STATE_BYTES * shape.parameters
    return weights(shape, dtype, FROZEN_BYTES) + STATE_BYTES * adapters(shape)


def layer_activations(shape: Shape) -> int:
    """What one layer keeps a token for its backward pass, in bf16, without dropout and with flash attention.

    Two norms, their outputs, queries, attention's output, keys, values, and the three of SwiGLU. 34 x hidden for
    Llama-3-8B, as for the GPT layer of Korthikanti et al. without its attention matrix. A mixer is taken as attention.
    """
    return 8 * shape.hidden + 4 * shape.q_dim + 4 * shape.kv_dim + 2 * shape.ffn_matrices * shape.active_ffn


def activations(shape: Shape, tokens: int, *, recompute: bool) -> int:
    """Activations of `tokens` in all layers, with the logits in fp32.

    With recomputation each layer keeps its input, and one layer at a time is made again.
    """
    if recompute:
        kept = shape.layers * 2 * shape.hidden + layer_activations(shape)
    else:
        kept = shape.layers * layer_activations(shape)
    return tokens * (kept + 4 * shape.vocab)


def training(shape: Shape, method: Method, dtype: Dtype, context: int, layout: Layout) -> float:
    """Bytes on each GPU: states sharded by FSDP, the layers gathered at a time, and activations.

    FSDP holds two layers whole (one at work, one on its way) and, in full training, the gradients of one.
    """
    states = training_states(shape, method, dtype) / (layout.fsdp * layout.tensor)
    gathered = 0
    if layout.fsdp > 1:
        gathered = 2 * shape.layer * (3 if method == "full" else 2)
    elif method == "lora" and dtype != "bf16":
        gathered = 2 * shape.layer  # the layer at work, in bf16 again
    used = activations(shape, layout.sequences * context, recompute=layout.recompute)
    return states + (gathered + used) / layout.tensor


def kv_cache(shape: Shape) -> int:
    """Bytes that one more token adds to the KV cache: in bf16, of every layer that attends to all tokens."""
    return 2 * shape.full * shape.kept


def serving(shape: Shape, dtype: Dtype, context: int, layout: Layout, sequences: int = 1) -> float:
    """Bytes on each GPU of a replica: weights, the caches of `sequences` of `context` tokens, work on one chunk."""
    return serving_fixed(shape, dtype, context, layout) + sequences * sequence(shape, context, layout)


def serving_fixed(shape: Shape, dtype: Dtype, context: int, layout: Layout) -> float:
    """The part of `serving` that users do not add to.

    While a prompt is read, a windowed layer keeps the chunk beside its window (vLLM, v1/kv_cache_interface.py).
    """
    work = PREFILL_CHUNK * (8 * shape.hidden + 6 * shape.active_ffn / layout.tensor)
    logits = 4 * MAX_SEQUENCES * shape.vocab
    beside = min(PREFILL_CHUNK, max(0, context - shape.window)) if shape.windowed else 0
    chunk = 2 * shape.kept * shape.windowed * beside / _splits(shape, layout)
    return weights(shape, dtype) / (layout.tensor * layout.pipeline) + work + logits + chunk


def sequence(shape: Shape, context: int | float, layout: Layout) -> float:
    """Bytes on each GPU that one sequence of `context` tokens keeps: its cache and, of mixers, its state, in bf16."""
    cache = 2 * shape.kept * shape.reach(context) / _splits(shape, layout)
    return cache + 2 * shape.mixers * shape.mixer_state / (layout.tensor * layout.pipeline)


def _splits(shape: Shape, layout: Layout) -> int:
    """Tensor parallel splits a cache by KV heads, and repeats them beyond; a latent cache is whole on every GPU."""
    return (1 if shape.latent else min(layout.tensor, shape.kv_heads)) * layout.pipeline
