"""From which distance on two samples differ by more than chance: drawn, and not looked up in a table.

Under no shift, a distance falls with the root of the number of rows, and the index with the number. So both are
simulated at one number of rows, and scaled to that of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy
import pandas
from scipy.stats import binom

from . import distance
from .profile import Feature, counts

ROWS, DRAWS = 1_000, 2_000
FALSE_ALARMS = 0.01
CONFIDENCE = 0.95
SEED = 17


@dataclass(frozen=True)
class Noise:
    """What chance alone does to a feature's distance and index, where both samples have `rows` rows."""

    rows: int
    distance: float
    psi: float

    def at(self, reference: int, current: int) -> tuple[float, float]:
        """The same for samples of other sizes."""
        share = (1 / reference + 1 / current) / (2 / self.rows)
        return self.distance * share**0.5, self.psi * share


def rank(draws: int, rate: float = FALSE_ALARMS, confidence: float = CONFIDENCE) -> int:
    """Which of the largest draws is passed by chance in less than `rate` of cases, as sure as `confidence`.

    Whatever the distribution, the number of draws above its quantile of 1 - `rate` is binomial: with the `rank`-th
    largest, that quantile is passed with the probability that the binomial is at least `rank`.
    """
    largest = 0
    while binom.sf(largest, draws, rate) >= confidence:
        largest += 1
    if not largest:
        raise ValueError(f"{draws} draws are too few for a rate of {rate}")
    return largest


def noise(sample: pandas.DataFrame, features: Sequence[Feature], draws: int = DRAWS) -> dict[str, Noise]:
    """The noise of each feature: together, they are passed in less than FALSE_ALARMS of unshifted windows.

    Each draw is two samples of whole rows of the reference, so that features that move together count as one.
    """
    generator = numpy.random.default_rng(SEED)
    measures = [_measure(sample[feature.name], feature) for feature in features]
    drawn = numpy.empty((draws, len(features), 2))
    for row in drawn:
        one, other = (generator.integers(0, len(sample), ROWS) for _ in range(2))
        row[:] = [measure(one, other) for measure in measures]
    # An index is about the square of a distance: by its root, both are passed in the same way.
    drawn[:, :, 1] = numpy.sqrt(drawn[:, :, 1])
    at = rank(draws)
    alone = numpy.maximum(numpy.sort(drawn, axis=0)[-at], 1e-9)
    # The largest of all features, each in units of its own limit: one number a draw, whose limit is that of an alarm.
    together = numpy.sort((drawn / alone).max(axis=(1, 2)))[-at]
    limits = alone * together
    return {
        feature.name: Noise(ROWS, float(of_distance), float(of_psi) ** 2)
        for feature, (of_distance, of_psi) in zip(features, limits, strict=True)
    }


Measure = Callable[[numpy.ndarray, numpy.ndarray], tuple[float, float]]


def _measure(column: pandas.Series, feature: Feature) -> Measure:
    """A function of two lists of rows: the distance and the index of their values."""
    if feature.kind == "category":
        codes = pandas.Categorical(column, categories=list(feature.levels)).codes
        size = len(feature.levels)

        def of_category(one: numpy.ndarray, other: numpy.ndarray) -> tuple[float, float]:
            before, after = (numpy.bincount(codes[rows], minlength=size) for rows in (one, other))
            return distance.category(before, after), distance.psi(before, after)

        return of_category
    numbers = column.to_numpy(dtype=float)
    bins = numpy.where(
        numpy.isnan(numbers), len(feature.edges) + 1, numpy.searchsorted(feature.edges, numbers)
    )
    size = len(feature.edges) + 2

    def of_number(one: numpy.ndarray, other: numpy.ndarray) -> tuple[float, float]:
        before, after = (numbers[rows] for rows in (one, other))
        before, after = before[~numpy.isnan(before)], after[~numpy.isnan(after)]
        counted = [numpy.bincount(bins[rows], minlength=size) for rows in (one, other)]
        apart = distance.numeric(before, after) if len(before) and len(after) else 0.0
        return apart, distance.psi(*counted)

    return of_number


def counted(sample: pandas.DataFrame, features: Sequence[Feature]) -> dict[str, list[int]]:
    """The bins of a sample, of each feature."""
    return {feature.name: counts(sample[feature.name], feature).tolist() for feature in features}
