"""How far two samples of a feature are apart: effect sizes, which do not grow with the number of rows.

`score.py` has Evidently compute the first two. They are here in the terms of scipy too, by which thresholds are
simulated, thousands of times; a test holds both to the same numbers.
"""

from __future__ import annotations

import numpy
import pandas
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

# The share that an empty bin counts as: the logarithm of none has no value.
FLOOR = 1e-4
# Evidently's least standard deviation (stattests/wasserstein_distance_norm.py).
LEAST_DEVIATION = 0.001


def numeric(reference: numpy.ndarray, current: numpy.ndarray) -> float:
    """Wasserstein's distance in standard deviations of the reference. Neither has a NaN."""
    if len(reference) == len(current):
        # The same, in a quarter of the time: each value moves to the one of its rank.
        apart = float(numpy.abs(numpy.sort(reference) - numpy.sort(current)).mean())
    else:
        apart = float(wasserstein_distance(reference, current))
    return apart / max(float(reference.std()), LEAST_DEVIATION)


def category(reference: numpy.ndarray, current: numpy.ndarray) -> float:
    """Jensen and Shannon's distance of two rows of counts, by the natural logarithm: from 0 to 0.83."""
    return float(jensenshannon(reference / reference.sum(), current / current.sum()))


def psi(reference: numpy.ndarray, current: numpy.ndarray) -> float:
    """The population stability index of two rows of counts."""
    before = numpy.maximum(reference / reference.sum(), FLOOR)
    after = numpy.maximum(current / current.sum(), FLOOR)
    return float(((after - before) * numpy.log(after / before)).sum())


def values(column: pandas.Series) -> numpy.ndarray:
    """The numbers that are there."""
    return column.dropna().to_numpy(dtype=float)
