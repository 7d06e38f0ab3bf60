"""The methods by name: each writes a folder of Hugging Face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workloads.compression.programs.job import CALIBRATED, Job
from workloads.compression.programs.source import TERMS, Source
from workloads.training.trainer.recipe import RecipeError

# What is copied as it is: the tokenizer, how to generate, the model's terms.
_KEPT = ("tokenizer", "special_tokens", "vocab", "merges", "chat_template", "generation_config", *TERMS[1:])


def compress(job: Job, source: Source, student: Source | None, result: Path) -> None:
    """Writes the compressed model of `source` to `result`, with all that belongs to it but its card."""
    try:
        _write(job, source, student, result)
    except ModuleNotFoundError as error:
        pins = "requirements-llmcompressor.txt" if job.method in CALIBRATED else "requirements.txt"
        raise RecipeError(
            f'method "{job.method}" needs {error.name}, which this image lacks: build it with {pins}'
        ) from error
    for file in (student or source).folder.iterdir():
        if file.name.startswith(_KEPT):
            (result / file.name).write_bytes(file.read_bytes())


# Each method's library is imported by who asks for it: the image of llmcompressor has no torchao.
def _write(job: Job, source: Source, student: Source | None, result: Path) -> None:
    if job.method in CALIBRATED:
        from workloads.compression.programs import calibrated

        calibrated.compress(job, source, result)
    elif job.method == "distillation":
        from workloads.compression.programs import distil

        assert student
        distil.distil(source, student, job, result)
    elif job.method in ("magnitude", "2:4"):
        _pruned(job, source).save_pretrained(result)
    else:
        _quantised(job, source, result)


def _pruned(job: Job, source: Source) -> Any:
    from workloads.compression.programs import prune

    model = source.load()
    if job.method == "magnitude":
        prune.magnitude(model, job.sparsity)
    else:
        prune.two_of_four(model)
    return model


def _quantised(job: Job, source: Source, result: Path) -> None:
    from workloads.compression.programs import quantise

    if job.method == "int4":
        quantise.int4(source, result, job.group_size)
    elif job.method == "int8-dynamic":
        quantise.int8_dynamic(source, result)
    else:
        quantise.int8_weight_only(source, result)
