"""The floor of the coverage is a number, and moves in one direction."""

from __future__ import annotations

import pytest

from tests.coverage_floor import PROJECT, floor, verdict


@pytest.mark.parametrize(
    ("measured", "says"),
    [
        (79.9, "79.9 per cent of the lines are run by a test, 80 were"),
        (80.0, None),
        (80.9, None),
        (81.0, "write fail_under = 81 into pyproject.toml, where it is 80"),
        (93.7, "write fail_under = 93"),
    ],
)
def test_below_is_refused_and_so_is_a_floor_that_lags(measured: float, says: str | None) -> None:
    found = verdict(measured, 80)
    assert (says is None and found is None) or (says and found and says in found)


def test_the_project_has_a_floor() -> None:
    assert 0 < floor(PROJECT / "pyproject.toml") <= 100
