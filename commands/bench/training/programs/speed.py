# pyright: reportMissingImports=false
"""The trainer's loop, a plain one of torch and Hugging Face's Trainer over one model, in turns; saves; the data loader.

Run by the Python of the training environment, as one rank. Prints JSON.
"""

from __future__ import annotations

import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from pyarrow import parquet
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging

from workloads.training.trainer import data, models, prepare, tokens
from workloads.training.trainer.checkpoints import Checkpoints
from workloads.training.trainer.loop import Training
from workloads.training.trainer.measure import plain_step
from workloads.training.trainer.order import positions
from workloads.training.trainer.recipe import Data, Optimizer, Recipe

SEQUENCE, BATCH = 128, 16
ROUNDS, STEPS = 7, 10
LOADED_BYTES, LOADED_BATCH = 1 << 24, 256
RECIPE = Recipe(
    steps=1_000_000, batch=BATCH, precision="fp32", data=Data(sequence_length=SEQUENCE), optimizer=Optimizer()
)


def loops(folder: Path) -> dict[str, Any]:
    """Median tokens a second of each loop; ratios are of the same round, so that a slow machine is slow for both."""
    training = Training(RECIPE, torch.device("cpu"))
    checkpoints = Checkpoints(str(folder / "checkpoints"))
    stalls, saves = [], []

    def saving() -> None:
        stalls.append(checkpoints.start(training.step, training.state(), {}))
        for _ in range(STEPS):
            training.train_step()
        if done := checkpoints.wait():
            saves.append(done.seconds)

    plain = plain_step(training)
    kinds: dict[str, Callable[[], float]] = {
        "loop": lambda: _seconds(_repeated(training.train_step)),
        "plain": lambda: _seconds(_repeated(plain)),
        "hugging_face": _hugging_face(training, folder),
        "saving": lambda: _seconds(saving),
    }
    for one in kinds.values():
        one()
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, one in kinds.items():
            taken[name].append(one())
    step = statistics.median(taken["loop"]) / STEPS
    of_a_round = BATCH * SEQUENCE * STEPS
    pairs = {name: list(zip(seconds, taken["loop"], strict=True)) for name, seconds in taken.items()}
    return {
        "tokens_per_second": {
            name: of_a_round / statistics.median(seconds)
            for name, seconds in taken.items()
            if name != "saving"
        },
        "of_plain": statistics.median(other / loop for other, loop in pairs["plain"]),
        "of_hugging_face": statistics.median(other / loop for other, loop in pairs["hugging_face"]),
        "step_seconds": step,
        "stall_seconds": statistics.median(stalls),
        "save_seconds": statistics.median(saves),
        "added_seconds": max(0.0, statistics.median(other - loop for other, loop in pairs["saving"])),
        "state_megabytes": sum(file.stat().st_size for file in _newest(folder / "checkpoints")) / 1e6,
    }


def _hugging_face(training: Training, folder: Path) -> Callable[[], float]:
    """Seconds of as many steps of transformers' Trainer, as it comes, from the end of its first step on."""
    rows = training.source.rows(positions(0, BATCH * (STEPS + 1), 0, 1)).astype(np.int64)
    samples = [{"input_ids": row, "labels": row} for row in torch.from_numpy(rows)]
    model = models.tiny(RECIPE.data.seed)
    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append(time.perf_counter())

    def train() -> float:
        ends.clear()
        arguments = TrainingArguments(
            output_dir=str(folder / "hugging-face"),
            max_steps=STEPS + 1,
            per_device_train_batch_size=BATCH,
            learning_rate=RECIPE.optimizer.learning_rate,
            weight_decay=RECIPE.optimizer.weight_decay,
            max_grad_norm=RECIPE.optimizer.clip_norm,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        Trainer(model=model, args=arguments, train_dataset=samples, callbacks=[Clock()]).train()
        return ends[-1] - ends[0]

    return train


def loader(folder: Path) -> dict[str, float]:
    """Megabytes of files a second: through the loader, by pyarrow alone, and read as bytes, in turns. All from memory,
    where the machine keeps files that were just written."""
    encoder, rows = tokens.encoder("bytes"), LOADED_BYTES // SEQUENCE
    # Letters at random, in paragraphs: nothing that Parquet's compression makes small.
    letters = np.random.default_rng(0).integers(97, 123, LOADED_BYTES, dtype=np.uint8)
    letters[:: 1 << 12] = letters[1 :: 1 << 12] = 10
    (folder / "text.txt").write_bytes(letters.tobytes())
    prepare.prepare(str(folder / "text.txt"), str(folder / "tokens"), encoder, SEQUENCE)
    recipe = Recipe(steps=1, data=Data(uri=str(folder / "tokens"), sequence_length=SEQUENCE))
    files = sorted((folder / "tokens").glob("*.parquet"))
    stored = sum(file.stat().st_size for file in files) / 1e6
    source = data.source(recipe, encoder, encoder.vocabulary)

    def load() -> None:
        # The last samples of an epoch that fill no batch are left to the next one.
        for _ in islice(data.batches(source, 0, LOADED_BATCH, 0, 1), rows // LOADED_BATCH - 1):
            pass

    loaded, raw, arrow = [], [], []
    for _ in range(3):
        loaded.append(_seconds(load))
        arrow.append(_seconds(lambda: [parquet.read_table(file) for file in files]))
        raw.append(_seconds(lambda: [file.read_bytes() for file in files]))
    return {
        "loader_megabytes_per_second": stored / statistics.median(loaded),
        "raw_megabytes_per_second": stored / statistics.median(raw),
        "arrow_megabytes_per_second": stored / statistics.median(arrow),
        "tokens_per_second": LOADED_BYTES / statistics.median(loaded),
    }


def _repeated(step: Callable[[], Any]) -> Callable[[], None]:
    def steps() -> None:
        for _ in range(STEPS):
            step()

    return steps


def _newest(checkpoints: Path) -> Iterator[Path]:
    return (max(checkpoints.glob("step-*"), key=lambda path: path.stat().st_mtime)).iterdir()


def _seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    """Measure, and print what was found."""
    logging.set_verbosity_error()
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=0, world_size=1)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps({**loops(Path(folder)), "loader": loader(Path(folder))}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
