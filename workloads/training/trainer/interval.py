"""How long to train between two checkpoints (Young 1974, Daly 2006)."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

# Where nothing is expected to interrupt: what a crash may cost at most.
LONGEST_SECONDS = 3600.0


def optimum(cost_seconds: float, per_hour: float) -> float:
    """Seconds of work between saves that lose the least time, if a save costs `cost_seconds` of training.

    Daly's estimate of higher order: J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart
    dumps", FGCS 22 (2006), equation 37.
    """
    if per_hour <= 0:
        return LONGEST_SECONDS
    between = 3600.0 / per_hour
    if cost_seconds >= 2 * between:
        return between
    ratio = cost_seconds / (2 * between)
    return math.sqrt(2 * cost_seconds * between) * (1 + math.sqrt(ratio) / 3 + ratio / 9) - cost_seconds


def interval(cost_seconds: float, save_seconds: float, per_hour: float, minimum_seconds: float) -> float:
    """The optimum for what a save was measured to cost; never so short that saves run into one another."""
    best = min(LONGEST_SECONDS, optimum(cost_seconds, per_hour))
    return max(best, save_seconds, minimum_seconds)


def lost_share(
    every_seconds: float, cost_seconds: float, per_hour: float, restart_seconds: float = 0.0
) -> float:
    """The share of time that saves, work done again and restarts take, to first order."""
    between = math.inf if per_hour <= 0 else 3600.0 / per_hour
    return cost_seconds / (every_seconds + cost_seconds) + (every_seconds / 2 + restart_seconds) / between


class SaveCost:
    """What a save takes from training: it stands still, and steps last longer while files are written beside them."""

    def __init__(self) -> None:
        self._alone: deque[float] = deque(maxlen=100)
        self._beside: list[float] = []

    def step(self, seconds: float, *, beside_save: bool) -> None:
        """Takes note of how long a step was."""
        (self._beside if beside_save else self._alone).append(seconds)

    def seconds(self, stall_seconds: float) -> float:
        """Of the save that has ended, in seconds of training; the next one begins from nothing."""
        beside, self._beside = self._beside, []
        if not beside:
            return stall_seconds
        usual = median(self._alone) if self._alone else min(beside)
        return stall_seconds + max(0.0, sum(beside) - usual * len(beside))
