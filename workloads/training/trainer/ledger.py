"""Where the time of a job went, over all its restarts: what trained what is kept, and what the rest was lost to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from .publication import Folder, listed

RUNS_FOLDER = "runs"
RUNS = "runs.json"
# Enough to plot.
MOST_LOSSES = 2000


@dataclass
class Ledger:
    """Seconds by cause. What a checkpoint holds of it is what counts: work after it that was lost is done again.

    runs: begin and last sign of life of each start of the job, which a dead process could not write into a checkpoint.
    """

    useful_seconds: float = 0.0
    stall_seconds: float = 0.0
    startup_seconds: float = 0.0
    losses: list[tuple[int, float]] = field(default_factory=list)
    runs: list[list[float]] = field(default_factory=list)
    _clock: Callable[[], float] = time.time

    def document(self) -> dict[str, Any]:
        """What goes into a checkpoint."""
        kept = asdict(self)
        del kept["runs"], kept["_clock"]
        return kept

    def restore(self, document: dict[str, Any]) -> None:
        """Goes on from what a checkpoint holds."""
        self.useful_seconds += document["useful_seconds"]
        self.stall_seconds += document["stall_seconds"]
        self.startup_seconds += document["startup_seconds"]
        self.losses = [(step, loss) for step, loss in document["losses"]]

    def replace(self, document: dict[str, Any]) -> None:
        """Takes over what another replica of the model holds: the job's time is what its members lost."""
        self.useful_seconds = self.stall_seconds = self.startup_seconds = 0.0
        self.restore(document)

    def begin(self, runs: list[list[float]], started: float) -> None:
        """Adds this start to those before it."""
        self.runs = [*runs, [started, self._clock()]]

    def seen(self) -> None:
        """Notes that the job is alive."""
        self.runs[-1][1] = self._clock()

    def add_loss(self, step: int, loss: float) -> None:
        """Notes a loss; halves the older ones where they are too many to plot."""
        self.losses.append((step, loss))
        if len(self.losses) > MOST_LOSSES:
            self.losses = self.losses[::2]

    @property
    def wall_seconds(self) -> float:
        """From the first start of the job until now."""
        return max(1e-9, self.runs[-1][1] - self.runs[0][0])

    @property
    def paid_seconds(self) -> float:
        """Time in which the job's processes ran."""
        return sum(seen - started for started, seen in self.runs)

    @property
    def goodput(self) -> float:
        """The share of the time that trained what is kept."""
        return min(1.0, self.useful_seconds / self.wall_seconds)

    def lost(self) -> dict[str, float]:
        """Seconds that trained nothing, by cause."""
        waited = max(0.0, self.wall_seconds - self.paid_seconds)
        known = self.useful_seconds + self.stall_seconds + self.startup_seconds + waited
        return {
            "checkpoints": self.stall_seconds,
            "starts": self.startup_seconds,
            "waiting": waited,
            "again": max(0.0, self.wall_seconds - known),
        }


def read_runs(folder: Folder) -> list[list[float]]:
    """The starts of the job so far; none if the file is half written."""
    if f"{folder.root}/{RUNS_FOLDER}/{RUNS}" not in listed(folder.files, folder.root):
        return []
    try:
        return [[float(started), float(seen)] for started, seen in json.loads(folder.read(RUNS_FOLDER, RUNS))]
    except (ValueError, TypeError):
        return []


def write_runs(folder: Folder, runs: list[list[float]]) -> None:
    """Keeps the starts beside the checkpoints."""
    folder.write(RUNS_FOLDER, RUNS, json.dumps(runs).encode())
