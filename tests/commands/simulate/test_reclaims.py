"""Draws of reclaims: by the seed, in the share that the band says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.simulate.reclaims import reclaimed_after
from infra.catalog.machines import machine
from infra.catalog.risk import BANDS, RUN_HOURS, WORST, band, reclaims_per_hour

SEEDS = st.integers(0, 1000)


@given(SEEDS, st.integers(1, 500), st.floats(1e-6, 10))
def test_the_same_seed_reclaims_at_the_same_time(seed: int, nth: int, per_hour: float) -> None:
    first = reclaimed_after(seed, "train", nth, per_hour)
    assert first == reclaimed_after(seed, "train", nth, per_hour) > 0
    assert first != reclaimed_after(seed, "serve", nth, per_hour)
    assert first != reclaimed_after(seed + 1, "train", nth, per_hour)


@given(SEEDS, st.floats(1e-6, 1), st.floats(1.01, 100))
def test_a_higher_hazard_only_brings_them_sooner(seed: int, per_hour: float, times: float) -> None:
    calm, rough = (reclaimed_after(seed, "train", 1, hazard) for hazard in (per_hour, per_hour * times))
    assert math.isclose(calm, rough * times)


def test_without_a_hazard_nothing_is_reclaimed() -> None:
    assert reclaimed_after(1, "train", 1, 0) == math.inf


def test_a_bands_share_is_reclaimed_within_a_day() -> None:
    found = machine("ap-south-1", "g6.xlarge")
    share = BANDS[band(found) or WORST]
    nodes = 5000
    lost = sum(reclaimed_after(1, "train", nth, reclaims_per_hour(found)) < RUN_HOURS for nth in range(nodes))
    assert lost / nodes == pytest.approx(share, abs=0.02)
