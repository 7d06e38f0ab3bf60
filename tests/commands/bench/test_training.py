"""The bench of training: what is computed from what it measures, and how it is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from commands.bench import command
from commands.bench.training import part
from commands.bench.training.goodput import Costs, best, simulate
from tests.examples import examples
from workloads.training.trainer.interval import optimum

BETWEEN = st.floats(60, 3600)
ADDED = st.floats(0.01, 5)
COSTS = Costs(added=1.0, saved=1.0, restart=20.0)
MEASURED = {
    "speed": {
        "tokens_per_second": {"loop": 1000.0, "plain": 1000.0, "hugging_face": 800.0},
        "of_plain": 1.0,
        "of_hugging_face": 1.25,
        "step_seconds": 0.1,
        "stall_seconds": 0.002,
        "save_seconds": 0.2,
        "added_seconds": 0.05,
        "loader": {
            "loader_megabytes_per_second": 10.0,
            "arrow_megabytes_per_second": 20.0,
            "raw_megabytes_per_second": 5000.0,
            "tokens_per_second": 8000.0,
        },
    },
    "killed": {
        "a rank dies": {"ended": 2.0, "step": 20.0},
        "a rank dies, plain loop": {"ended": 0.1, "step": 10.0},
    },
    "reclaimed": {
        "between_seconds": 8.0,
        "plain": {"every_steps": 100, "save_seconds": 0.01},
        "lives": {"trainer": {"goodput": 0.9, "reclaims": 5, "restart_seconds": 0.7, "step_seconds": 0.1}},
    },
}


@given(between=BETWEEN, added=ADDED)
@settings(max_examples=examples(10))
def test_the_simulation_of_the_best_interval_is_what_daly_says(between: float, added: float) -> None:
    """A save that counts at once, of reclaims without notice: two ways to the same number."""
    found = simulate(Costs(added, added, 10.0), optimum(added, 3600 / between), between, notice=False)
    assert found.goodput == pytest.approx(best(added, between), abs=0.02)


@given(between=BETWEEN, added=ADDED, every=st.floats(1, 600))
@settings(max_examples=examples(10))
def test_nothing_does_better_than_the_best_but_a_notice(between: float, added: float, every: float) -> None:
    costs = Costs(added, added, 10.0)
    alone, told = (simulate(costs, every, between, notice=notice) for notice in (False, True))
    assert alone.goodput <= best(added, between) + 0.02
    assert told.again == 0
    assert told.trained >= alone.trained


def test_every_second_is_in_one_of_four_places() -> None:
    found = simulate(COSTS, 30.0, 100.0, notice=False, lives=20_000)
    seconds = found.trained + found.saving + found.again + found.restarting
    assert seconds / 20_000 == pytest.approx(100.0, rel=0.03)
    longer = simulate(replace(COSTS, restart=60.0), 30.0, 100.0, notice=False)
    assert longer.restart_share > found.restart_share
    assert longer.goodput == pytest.approx(found.goodput, abs=0.02)


def test_a_save_that_is_still_written_does_not_count() -> None:
    slow = simulate(replace(COSTS, saved=25.0), 30.0, 100.0, notice=False)
    assert slow.again > simulate(COSTS, 30.0, 100.0, notice=False).again


def test_each_number_is_shown_and_a_plain_loop_keeps_less_where_its_steps_do_not_fit() -> None:
    simulated = part.simulated(MEASURED["speed"], MEASURED["killed"], MEASURED["reclaimed"])
    assert simulated["60"]["plain, each 10,000 steps"] < 0.05 < 0.9 < simulated["60"]["plain, each 100 steps"]
    assert simulated["60"]["trainer by default"] < simulated["60"]["trainer"] < simulated["900"]["trainer"]
    console = Console(width=250, record=True)
    for table in part.tables({**MEASURED, "simulated": simulated}):
        console.print(table)
    shown = console.export_text()
    for said in ("1,000 tokens/s", "1.25 ×", "20.0 s", "goodput 0.90", "trainer ÷ optimum", "8 ×"):
        assert said in shown


def test_an_unknown_part_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(typer.BadParameter, match=r"trining is no part: give one of training"):
        command.bench(part="trining")
