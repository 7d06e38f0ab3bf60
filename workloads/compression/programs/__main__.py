"""Makes a model smaller, judges what came of it, and publishes it where it is good enough.

python -m workloads.compression.programs --job FILE

Ends with 0, with 64 where the job or its data are wrong, and with 65 where the model lost more than the gate allows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM
from transformers.utils import logging

from workloads.compression.programs import card, methods, quality
from workloads.compression.programs.card import Judged
from workloads.compression.programs.distil import check_student
from workloads.compression.programs.job import Job
from workloads.compression.programs.latency import latency
from workloads.compression.programs.layers import zeros
from workloads.compression.programs.published import publish, published
from workloads.compression.programs.source import Source, device, read, weight_bytes
from workloads.training.trainer.launch import REFUSED
from workloads.training.trainer.publication import scratch
from workloads.training.trainer.recipe import RecipeError

LOST_TOO_MUCH = 65
PROMPT_TOKENS = 128


def run(job: Job, folder: Path) -> int:
    """Does the job, with `folder` for its files; the exit code."""
    source = read(job.source, folder, "source")
    student = read(job.distillation.student, folder, "distillation.student") if job.distillation else None
    if student:
        check_student(source, student)
    made = {"source": source.digest, "student": student and student.digest, **job.options()}
    if there := published(job.target):
        return _unchanged(job, there.details, made)
    texts = quality.held(job.held, source.tokens, job.sequence_length)
    result = folder / "result"
    methods.compress(job, source, student, result)
    judged = _judge(job, source, student, result, texts)
    print(card.summary(judged, source), flush=True)
    if lost := quality.lost(judged.quality, job.gate):
        for sentence in lost:
            print(f"error: {sentence}", file=sys.stderr)
        print(f"event=refused to={job.target}: nothing was written there", flush=True)
        return LOST_TOO_MUCH
    card.write(result, job, source, judged)
    publish(result, job.target, made)
    print(f"event=published bytes={judged.bytes} to={job.target}", flush=True)
    return 0


def _unchanged(job: Job, there: dict[str, Any], made: dict[str, Any]) -> int:
    if there != made:
        raise RecipeError(f"target {job.target} holds another model already: give a folder of its own")
    print(f"event=unchanged to={job.target}")
    return 0


def _judge(job: Job, source: Source, student: Source | None, result: Path, texts: Any) -> Judged:
    """The model is read back from its files: what they lost counts too."""
    original = source.load()
    compressed: Any = AutoModelForCausalLM.from_pretrained(result, dtype="auto").to(device()).eval()
    prompt = next(iter(texts.values())).flatten()[:PROMPT_TOKENS]
    return Judged(
        bytes=weight_bytes(result),
        zeros=zeros(compressed) if job.prunes else 0.0,
        quality=quality.compare(original, compressed, texts),
        latency=latency(original, compressed, prompt),
        start=quality.compare(original, student.load(), texts) if student else None,
    )


def main(arguments: list[str]) -> int:
    """Reads the job and does it; the exit code."""
    parser = argparse.ArgumentParser(prog="compression", description=__doc__)
    parser.add_argument("--job", type=Path, required=True, help="a file with the job as JSON")
    given = parser.parse_args(arguments)
    logging.disable_progress_bar()
    try:
        with scratch(), tempfile.TemporaryDirectory() as folder:
            return run(Job.read(given.job.read_text()), Path(folder))
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
