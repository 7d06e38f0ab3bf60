"""Seconds that a model takes before and after, in turns, so that a neighbour's load meets both."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

ROUNDS = 9


@dataclass(frozen=True)
class Latency:
    """Median seconds of one forward over `tokens` tokens (a prompt), by transformers on `machine`."""

    before: float
    after: float
    tokens: int
    machine: str

    @property
    def ratio(self) -> float:
        """After to before: under 1 is faster."""
        return self.after / self.before


@torch.inference_mode()
def latency(original: Any, compressed: Any, prompt: torch.Tensor) -> Latency:
    """Both models on one prompt."""
    batch = prompt[None].to(original.device)
    for model in (original, compressed):
        # The first unpacks, compiles, or fills caches.
        model(input_ids=batch)
    pairs = [
        (seconds(lambda: original(input_ids=batch)), seconds(lambda: compressed(input_ids=batch)))
        for _ in range(ROUNDS)
    ]
    before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Latency(before, after, batch.numel(), machine())


def seconds(run: Callable[[], Any]) -> float:
    """What one run takes, with all that it leaves to a GPU."""
    began = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def machine() -> str:
    """The kind of the machine, as a reader of the numbers must know it."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    cpu = names[0].partition(":")[2].strip() if names else platform.machine()
    return f"{cpu}, {torch.get_num_threads()} of {os.cpu_count()} threads"
