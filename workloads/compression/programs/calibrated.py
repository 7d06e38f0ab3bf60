"""GPTQ, AWQ, SparseGPT by llmcompressor: what flows through a layer decides how its weights are rounded or pruned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme, QuantizationStrategy
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.gptq import GPTQModifier
from llmcompressor.modifiers.pruning import SparseGPTModifier
from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform.awq import AWQModifier

from workloads.compression.programs.job import Job
from workloads.compression.programs.layers import check_group, linears
from workloads.compression.programs.quality import rows
from workloads.compression.programs.source import Source
from workloads.training.trainer.recipe import RecipeError

MOST_SAMPLES = 512


def compress(job: Job, source: Source, result: Path) -> None:
    """Writes the model to `result`."""
    assert job.texts
    if job.method == "awq" and not torch.cuda.is_available():
        # It pins memory for a GPU, whether there is one or not (llmcompressor 0.14, pipelines/cache.py).
        raise RecipeError('method "awq" needs a GPU: give a pool that has one, or the method "gptq"')
    texts = rows(job.texts, source.tokens, job.sequence_length)[:MOST_SAMPLES]
    if not len(texts):
        raise RecipeError(
            f"texts {job.texts} has less than one row of {job.sequence_length} tokens: give more"
        )
    model = source.load()
    if job.method != "sparsegpt":
        for name, layer in linears(model).items():
            check_group(job.group_size, name, layer.in_features)
    calibration = Dataset.from_dict(
        {"input_ids": texts.tolist(), "attention_mask": torch.ones_like(texts).tolist()}
    )
    oneshot(
        model=model,
        recipe=_recipe(job, model),
        dataset=calibration,
        num_calibration_samples=len(texts),
        max_seq_length=job.sequence_length,
    )
    model.save_pretrained(result)


def _recipe(job: Job, model: Any) -> list[Any]:
    ends = [name for name, one in model.named_modules() if one is model.get_output_embeddings()]
    if job.method == "sparsegpt":
        return [SparseGPTModifier(sparsity=0.5, mask_structure="2:4", ignore=ends)]
    weights = QuantizationArgs(
        num_bits=4, strategy=QuantizationStrategy.GROUP, group_size=job.group_size, symmetric=True
    )
    scheme: dict[str, Any] = {
        "config_groups": {"all": QuantizationScheme(targets=["Linear"], weights=weights)},
        "ignore": ends,
    }
    # AWQ scales the channels, and the rounding comes after it.
    return (
        [GPTQModifier(**scheme)] if job.method == "gptq" else [AWQModifier(), QuantizationModifier(**scheme)]
    )
