"""The statistics do what they say: on simulated models whose difference is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from workloads.evaluation.programs.statistics import cases_needed, difference, interval, mcnemar

MARGIN = 0.05


def often(cases: int, better: float, worse: float, holds: Callable[[float, float], bool]) -> float:
    """How often the interval of an evaluation meets `holds`, of two models that differ in such shares of all cases."""
    shares = [better, worse, 1 - better - worse]
    drawn = np.random.default_rng(1).multinomial(cases, shares, size=300)[:, :2]
    outcomes, times = np.unique(drawn, axis=0, return_counts=True)
    met = [holds(*interval(cases, int(b), int(w), 0.95, seed=0)) for b, w in outcomes]
    return float(np.dot(met, times) / len(drawn))


@pytest.mark.parametrize(("cases", "better", "worse"), [(200, 0.1, 0.1), (200, 0.04, 0.12), (60, 0.15, 0.1)])
def test_the_interval_holds_the_true_difference_as_often_as_it_says(
    cases: int, better: float, worse: float
) -> None:
    held = often(cases, better, worse, lambda low, high: low <= better - worse <= high)
    assert 0.92 <= held <= 0.985


def blocked(cases: int, better: float, worse: float) -> float:
    """How often a margin of 5 % blocks such a candidate."""
    return often(cases, better, worse, lambda low, high: low < -MARGIN)


def test_a_worse_model_is_blocked_and_an_equal_one_passes() -> None:
    # docs/evaluation.md states these: 400 cases of which one in ten differs.
    assert blocked(400, better=0.02, worse=0.12) >= 0.99
    assert blocked(400, better=0.025, worse=0.075) >= 0.95, "worse by the margin itself"
    assert blocked(400, better=0.05, worse=0.05) <= 0.2
    assert blocked(400, better=0.01, worse=0.01) == 0
    # With few cases it can't be told, and what can't be told is blocked.
    assert blocked(46, better=0.05, worse=0.05) >= 0.6


def test_the_same_answers_differ_by_nothing_and_the_seed_decides_alone() -> None:
    passes = [True, False] * 30
    same = difference(passes, passes)
    assert (same.mean, same.low, same.high, same.p_worse) == (0, 0, 0, 1)
    other = [not each if at % 7 == 0 else each for at, each in enumerate(passes)]
    assert difference(other, passes, seed=3) == difference(other, passes, seed=3)


def test_mcnemar_is_the_binomial_tail() -> None:
    # P(X >= 9) of ten fair coins is 11/1024.
    assert mcnemar(better=1, worse=9) == pytest.approx(11 / 1024)
    assert mcnemar(0, 0) == 1


def test_it_says_how_many_cases_would_tell() -> None:
    few = difference([True] * 40 + [False] * 3 + [True] * 3, [True] * 40 + [True] * 3 + [False] * 3)
    needed = cases_needed(few, MARGIN)
    assert needed and needed > 46
    share = 3 / 46
    low, _ = interval(needed, round(needed * share), round(needed * share), 0.95, seed=0)
    assert low == pytest.approx(-MARGIN, abs=0.01)
    worse = difference([False] * 10 + [True] * 36, [True] * 46)
    assert cases_needed(worse, MARGIN) is None
