"""What the pod says to a rank, and not the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """The program's arguments. `started`: when the process began, which counts as a start of the job."""

    checkpoint_uri: str
    ready_file: Path | None
    progress_seconds: float
    timeout_seconds: float
    started: float
    data_uri: str | None = None
    """The folder of the data, in place of the recipe's: a retraining reads another commit."""
