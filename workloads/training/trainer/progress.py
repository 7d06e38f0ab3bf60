"""What a job says of itself: a line of key=value each few seconds, its metrics, and the rupees."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from .ledger import Ledger
from .metrics import Metrics
from .recipe import Recipe


@dataclass(frozen=True)
class Reading:
    """A step that is reported."""

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float


class Progress:
    """Reports steps of one run. Every rank has one, for the metrics; the first prints."""

    def __init__(
        self, recipe: Recipe, ledger: Ledger, metrics: Metrics, step: int, flops: float, peak: float | None
    ) -> None:
        self._recipe, self._ledger, self._metrics = recipe, ledger, metrics
        self._tokens = recipe.batch * recipe.data.sequence_length
        self._flops, self._peak = flops, peak
        self._step, self._at = step, time.perf_counter()
        metrics.set("training_steps", recipe.steps)
        metrics.set("training_starts", len(ledger.runs))

    def due(self, seconds: float) -> bool:
        """Whether the latest report is older."""
        return time.perf_counter() - self._at >= seconds

    def line(self, reading: Reading) -> str:
        """The line about a step, whose numbers go to the metrics as well."""
        now = time.perf_counter()
        steps, elapsed = reading.step - self._step, max(1e-9, now - self._at)
        self._step, self._at = reading.step, now
        self._ledger.seen()
        speed = steps * self._tokens / elapsed
        goodput = self._ledger.goodput
        left = (self._recipe.steps - reading.step) * elapsed / max(1, steps)
        hourly = self._recipe.cost.inr_per_hour
        paid = hourly * self._ledger.paid_seconds / 3600
        to_end = hourly * left / 3600 / max(goodput, 0.01)
        mfu = speed * self._flops / self._peak if self._peak else None
        values = {
            "training_step": reading.step,
            "training_loss": reading.loss,
            "training_learning_rate": reading.learning_rate,
            "training_gradient_norm": reading.gradient_norm,
            "training_tokens_per_second": speed,
            "training_mfu_ratio": mfu,
            "training_goodput_ratio": goodput,
            "training_left_seconds": left,
            "training_cost_inr": paid,
            "training_cost_to_end_inr": to_end,
        }
        for name, value in values.items():
            self._metrics.set(name, value)
        for cause, seconds in self._ledger.lost().items():
            self._metrics.set("training_lost_seconds", seconds, cause=cause)
        parts = [
            f"step={reading.step}/{self._recipe.steps}",
            f"loss={reading.loss:.6f}",
            f"left={timedelta(seconds=round(left))}",
            f"tokens_per_second={speed:.0f}",
            *([f"mfu={mfu:.3f}"] if mfu is not None else []),
            f"goodput={goodput:.3f}",
            f"inr={paid:.2f}",
            f"inr_to_end={to_end:.2f}",
        ]
        return " ".join(parts)
