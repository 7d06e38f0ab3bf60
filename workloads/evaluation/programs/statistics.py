"""What two models' passes and failures on the same cases say of their difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000


@dataclass(frozen=True)
class Difference:
    """Of the candidate's share of passed cases from production's; above zero the candidate is better."""

    cases: int
    better: int
    """Cases that only the candidate passes."""
    worse: int
    """Cases that only production passes."""
    low: float
    high: float
    p_worse: float
    """McNemar's exact test, one-sided: how probable so many `worse` are where both models are equally good."""

    @property
    def mean(self) -> float:
        """The difference itself."""
        return (self.better - self.worse) / self.cases if self.cases else 0.0


def difference(
    candidate: Sequence[bool], production: Sequence[bool], confidence: float = 0.95, seed: int = 0
) -> Difference:
    """With the interval of the paired bootstrap: cases are drawn anew, each with both its outcomes."""
    better = sum(now and not before for now, before in zip(candidate, production, strict=True))
    worse = sum(before and not now for now, before in zip(candidate, production, strict=True))
    low, high = interval(len(candidate), better, worse, confidence, seed)
    return Difference(len(candidate), better, worse, low, high, mcnemar(better, worse))


def interval(cases: int, better: int, worse: int, confidence: float, seed: int) -> tuple[float, float]:
    """The bootstrap's percentiles. A pair is better, worse or equal, so that a resample is one multinomial draw."""
    if not cases:
        return -1.0, 1.0
    shares = np.array([better, worse, cases - better - worse]) / cases
    drawn = np.random.default_rng(seed).multinomial(cases, shares, size=RESAMPLES)
    means = (drawn[:, 0] - drawn[:, 1]) / cases
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def mcnemar(better: int, worse: int) -> float:
    """The chance of `worse` or more of the unequal pairs, if each were as likely to be better."""
    unequal = better + worse
    return sum(math.comb(unequal, count) for count in range(worse, unequal + 1)) / 2**unequal


def cases_needed(found: Difference, margin: float) -> int | None:
    """About how many such cases would show that the candidate is within the margin; None if more would not."""
    slack = found.mean + margin
    width = found.mean - found.low
    return math.ceil(found.cases * (width / slack) ** 2) if slack > 0 else None
