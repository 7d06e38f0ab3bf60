"""A smaller model learns from a larger one: from the text itself, and from what the larger one holds likely."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from workloads.compression.programs.job import Distillation, Job
from workloads.compression.programs.quality import rows
from workloads.compression.programs.source import Source, device
from workloads.training.trainer.recipe import RecipeError

REPORT_STEPS = 100


def check_student(teacher: Source, student: Source) -> None:
    """RecipeError unless both read a text as the same tokens: likelihoods of other tokens teach nothing."""
    sizes = teacher.config().vocab_size, student.config().vocab_size
    if sizes[0] != sizes[1] or teacher.tokens.digest != student.tokens.digest:
        raise RecipeError(
            f"distillation.student {student.uri} has another vocabulary ({sizes[1]} tokens) than {teacher.uri} "
            f"({sizes[0]}): give a student with the teacher's tokenizer"
        )


def distil(teacher: Source, student: Source, job: Job, result: Path) -> None:
    """Trains the student, and writes it to `result`."""
    assert job.distillation and job.texts
    options, length = job.distillation, job.sequence_length
    texts = rows(job.texts, teacher.tokens, length)
    if len(texts) < options.batch:
        raise RecipeError(
            f"texts {job.texts} has {len(texts)} rows of {length} tokens, fewer than a batch of "
            f"{options.batch}: give more text, or a smaller batch"
        )
    torch.manual_seed(options.seed)
    order = random.Random(options.seed)
    taught, learns = teacher.load(), student.load().float().train()
    optimizer = torch.optim.AdamW(learns.parameters(), lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)
    for step in range(1, options.steps + 1):
        batch = texts[order.sample(range(len(texts)), options.batch)].to(device())
        with torch.no_grad():
            likely = taught(input_ids=batch).logits.float()
        said = loss(learns(input_ids=batch).logits, likely, batch, options)
        said.backward()
        torch.nn.utils.clip_grad_norm_(learns.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % REPORT_STEPS == 0 or step == options.steps:
            print(f"step={step}/{options.steps} loss={said.item():.4f}", flush=True)
    learns.eval().to(student.load().dtype).save_pretrained(result)


def loss(student: Any, teacher: Any, tokens: torch.Tensor, options: Distillation) -> torch.Tensor:
    """α·CE + (1-α)·T²·KL(teacher ‖ student), both at temperature T, of logits (batch, length, vocabulary)."""
    student, teacher, target = (
        part.flatten(0, 1) for part in (student[:, :-1], teacher[:, :-1], tokens[:, 1:])
    )
    hot = options.temperature
    soft = kl_div(
        log_softmax(student / hot, -1), log_softmax(teacher / hot, -1), reduction="batchmean", log_target=True
    )
    return options.alpha * cross_entropy(student, target) + (1 - options.alpha) * hot**2 * soft
