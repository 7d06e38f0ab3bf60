"""What the loop costs beside the same model in a plain loop of torch: ratios of one process, taken in turns.

    RANK=0 WORLD_SIZE=1 LOCAL_RANK=0 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 python -m trainer.measure --recipe FILE

Prints JSON. On a GPU, with a recipe in bf16 with compile, it prints tokens/s and MFU of the card.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from .checkpoints import Checkpoints
from .loop import Training
from .metrics import peak_flops
from .order import positions
from .recipe import Recipe


def speeds(training: Training, rounds: int, steps: int) -> dict[str, float]:
    """Median seconds of a step: of the loop, of a plain loop, and of the loop while a checkpoint is written."""
    plain = plain_step(training)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(folder)

        def saved() -> None:
            if training.step % steps == 0:
                checkpoints.start(training.step, training.state(), {})
            training.train_step()

        kinds: dict[str, Callable[[], Any]] = {"loop": training.train_step, "plain": plain, "saving": saved}
        for step in kinds.values():
            _seconds(step, steps, training.device)
        taken: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, step in kinds.items():
                taken[kind].append(_seconds(step, steps, training.device) / steps)
        checkpoints.wait()
    return {kind: statistics.median(times) for kind, times in taken.items()}


def plain_step(training: Training) -> Callable[[], None]:
    """A step of the shortest loop over the same model, optimizer and data, which are in memory."""
    recipe, model = training.recipe, training.model
    rows = training.source.rows(positions(0, recipe.batch, 0, 1)).astype(np.int64)
    batch = torch.from_numpy(rows).to(training.device)

    def step() -> None:
        with torch.autocast(training.device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.optimizer.clip_norm)
        training.optimizer.step()
        training.optimizer.zero_grad()

    return step


def _seconds(step: Callable[[], Any], steps: int, device: torch.device) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main() -> None:
    """Measures a recipe, and prints what it found."""
    parser = argparse.ArgumentParser(prog="trainer.measure", description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10, help="of a round; one checkpoint is saved in each")
    given = parser.parse_args()
    cuda = torch.cuda.is_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    recipe = Recipe.read(given.recipe.read_text())
    training = Training(recipe, torch.device("cuda", 0) if cuda else torch.device("cpu"))
    seconds = speeds(training, given.rounds, given.steps)
    tokens = recipe.batch * recipe.data.sequence_length
    peak = peak_flops(torch.cuda.get_device_name()) if cuda else None
    result = {
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "tokens_per_second": tokens / seconds["loop"],
        "mfu": tokens / seconds["loop"] * training.flops() / peak if peak else None,
        "of_plain_loop": seconds["plain"] / seconds["loop"],
        "checkpoint_overhead": seconds["saving"] / seconds["loop"] - 1,
        "step_seconds": seconds,
    }
    print(json.dumps(result, indent=1))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
