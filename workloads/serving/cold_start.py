"""What the first request waits for when there is no replica: a table of facts (cold_start.csv), and its sum."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from infra.advice import memory
from infra.advice.quantization import checkpoint, quantizations
from infra.catalog.tables import Basis, Row, read
from infra.settings.workloads.serving import Serving

TABLE = Path(__file__).with_name("cold_start.csv")
GB = 1e9


class Part(Row):
    """A part of a cold start: seconds once, or for each GB of weights."""

    part: str
    low_seconds: float = Field(ge=0)
    high_seconds: float = Field(gt=0)
    per: Literal["start", "GB"]
    basis: Basis


@dataclass(frozen=True)
class ColdStart:
    """Seconds from a request to a replica that answers, and what they are made of.

    `weights_gb` is None where the model's size is not known; reading the weights is then left out.
    """

    weights_gb: float | None
    low_seconds: float
    high_seconds: float

    def __str__(self) -> str:
        size = "weights of unknown size left out" if self.weights_gb is None else f"{self.weights_gb:.1f} GB"
        return f"{self.low_seconds / 60:.0f} to {self.high_seconds / 60:.0f} minutes ({size})"


def parts() -> list[Part]:
    """The rows of the table, in the order in which they happen."""
    return read(TABLE, Part)


def cold_start(serving: Serving) -> ColdStart:
    """The cold start of a model server."""
    weights = weights_gb(serving)
    times = {"start": 1.0, "GB": weights or 0.0}
    low = sum(part.low_seconds * times[part.per] for part in parts())
    high = sum(part.high_seconds * times[part.per] for part in parts())
    return ColdStart(weights, low, high)


def weights_gb(serving: Serving) -> float | None:
    """GB of the checkpoint that is read: what loading makes of it is smaller, and made after."""
    known = checkpoint(serving.model)
    if known is None:
        return None
    shape, kept = known
    row = quantizations().get(serving.quantization or "")
    if row and row.made == "checkpoint" and row.weights:
        kept = row.weights
    return memory.weights(shape, kept) / GB
