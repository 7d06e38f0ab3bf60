"""Accounts: seconds billed, prices that are not known, ranks of waits; and durations as Karpenter writes them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.simulate.account import History, NodeLife, Wait, Work, account, percentile
from commands.simulate.command import hours_of

SPOT = NodeLife("a", "train", "m", True, 4, 0, 10)
SURE = NodeLife("b", "train", "m", False, 4, 0, 5)


def history(*nodes: NodeLife, work: tuple[Work, ...] = (), waits: tuple[Wait, ...] = ()) -> History:
    return History(10, nodes, work, waits, jobs=0, finished=0)


def price(node: NodeLife, bought: str) -> float | None:
    return {"spot": 1.0, "on-demand": 3.0}[bought]


def test_nodes_are_paid_as_bought_and_beside_it_on_demand() -> None:
    (line,) = account(history(SPOT, SURE), price).lines
    assert (line.usd, line.on_demand_usd) == (10 * 1 + 5 * 3, 15 * 3)
    assert line.gpu_hours == 60


def test_a_node_of_a_second_is_paid_for_a_minute() -> None:
    second = NodeLife("c", "train", "m", True, 1, 0, 1 / 3600)
    assert account(history(second), price).usd() == pytest.approx(1 / 60)


def test_an_unknown_price_is_not_taken_for_nothing() -> None:
    made = account(history(SPOT), lambda _node, bought: 1.0 if bought == "spot" else None)
    assert made.usd() == 10
    assert made.usd("on_demand_usd") is None


def test_lost_work_is_neither_worked_nor_idle() -> None:
    work = (Work("job", "train", 4, 1, 4, kept=2, why="reclaim"),)
    made = account(history(SPOT, work=work), price)
    assert (made.total("worked"), made.total("lost"), made.total("idle")) == (8, 4, 28)
    assert made.lost_job_hours == 1


def test_waits_that_never_ended_are_counted_apart() -> None:
    waits = tuple(Wait("j", "job", 0, began) for began in (0.5, 1.0, 2.0, None))
    made = account(history(SPOT, waits=waits), price).waits["job"]
    assert (made.count, made.median, made.p95, made.never) == (4, 1.0, 2.0, 1)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(1, 100))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[float], percent: float) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values) - 1e-9


@pytest.mark.parametrize(
    ("duration", "hours"),
    [("5m", 1 / 12), ("1h30m", 1.5), ("30s", 1 / 120), ("0s", 0), ("Never", float("inf"))],
)
def test_karpenters_durations(duration: str, hours: float) -> None:
    assert hours_of(duration) == pytest.approx(hours)


lives = st.builds(
    NodeLife,
    name=st.just("n"),
    pool=st.sampled_from(["train", "serve", "idle", "system"]),
    machine_type=st.just("m"),
    spot=st.booleans(),
    gpus=st.sampled_from([0, 1, 8]),
    began=st.just(0.0),
    ended=st.floats(0.1, 10),
)


@given(st.lists(lives, max_size=12), st.sets(st.sampled_from(["train", "serve"])))
def test_used_and_idle_pools_are_the_whole_bill(nodes: list[NodeLife], asked: set[str]) -> None:
    made = account(replace(history(*nodes), pools=tuple(asked)), price)
    assert {line.pool for line in made.used} == asked & {node.pool for node in nodes}
    rest = sum(line.usd or 0 for line in made.lines if not line.used)
    assert (made.used_usd or 0) + rest == pytest.approx(made.usd())


def test_a_pool_on_which_something_ran_is_used_though_nobody_says_so() -> None:
    made = account(history(SPOT, work=(Work("job", "train", 4, 1, 4, kept=2),)), price)
    assert [line.pool for line in made.used] == ["train"]
