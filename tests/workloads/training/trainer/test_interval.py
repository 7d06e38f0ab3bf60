"""The interval between checkpoints."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.training.trainer.interval import LONGEST_SECONDS, SaveCost, interval, lost_share, optimum

COSTS = st.floats(0.01, 300)
RATES = st.floats(0.01, 60)


def test_it_is_near_young_where_a_save_is_cheap() -> None:
    assert optimum(1.0, 1.0) == pytest.approx(math.sqrt(2 * 3600), rel=0.02)


def wasted(every: float, cost: float, per_hour: float) -> float:
    """Time over work, where interruptions are a Poisson process (Daly's complete model, without restarts)."""
    between = 3600 / per_hour
    return between * (math.exp((every + cost) / between) - 1) / every


@given(cost=COSTS, per_hour=RATES, other=st.floats(0.2, 5))
def test_no_other_interval_loses_noticeably_less(cost: float, per_hour: float, other: float) -> None:
    best = optimum(cost, per_hour)
    if cost < 0.2 * 3600 / per_hour:
        assert wasted(best, cost, per_hour) <= wasted(best * other, cost, per_hour) * 1.01


@given(cost=COSTS, save=COSTS, per_hour=st.floats(0, 60), minimum=st.floats(0, 1000))
def test_saves_never_run_into_one_another(cost: float, save: float, per_hour: float, minimum: float) -> None:
    every = interval(cost, save, per_hour, minimum)
    assert max(save, minimum) <= every <= max(save, minimum, LONGEST_SECONDS)


def test_without_interruptions_a_crash_still_costs_no_more_than_an_hour() -> None:
    assert interval(1, 2, 0, 60) == LONGEST_SECONDS


def test_the_lost_share_counts_saves_work_again_and_restarts() -> None:
    assert lost_share(90, 10, 0) == pytest.approx(0.1)
    assert lost_share(1e9, 0, 0.0) == 0
    assert lost_share(72, 0, 1, restart_seconds=36) == pytest.approx(0.02)


def test_a_save_costs_what_steps_beside_it_are_longer_than_others() -> None:
    cost = SaveCost()
    for seconds in (9.0, 1.0, 1.0, 1.0):  # the first step of a run is long, and says nothing of others
        cost.step(seconds, beside_save=False)
    for seconds in (1.5, 1.25):
        cost.step(seconds, beside_save=True)
    assert cost.seconds(0.1) == pytest.approx(0.85)
    assert cost.seconds(0.1) == pytest.approx(0.1), "each save is counted for itself"


@given(beside=st.lists(st.floats(0, 10), max_size=5), alone=st.lists(st.floats(0, 10), max_size=5))
def test_a_save_never_costs_less_than_its_stall(beside: list[float], alone: list[float]) -> None:
    cost = SaveCost()
    for seconds in alone:
        cost.step(seconds, beside_save=False)
    for seconds in beside:
        cost.step(seconds, beside_save=True)
    assert 0.1 <= cost.seconds(0.1) <= 0.1 + sum(beside)
