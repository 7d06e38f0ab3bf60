"""The replay's clock, on a cluster in memory: starts, checkpoints, queues, empty nodes; no GPU-hour is lost."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.simulate.account import History, NodeLife, account
from commands.simulate.cluster import Node
from commands.simulate.design import gpus_of
from commands.simulate.reclaims import reclaimed_after
from commands.simulate.replay import Replay, Rules
from commands.simulate.trace import Row
from infra.settings.pools import GpuPool
from tests.commands.simulate.fake_cluster import FakeCluster
from tests.examples import examples

START, EMPTY = 0.1, 0.25
POOLS = {
    "serve": GpuPool(name="serve", gpu="L4", max_nodes=3),
    "train": GpuPool(name="train", gpu="L4", gpus_per_node=4, max_nodes=2),
    "stand": GpuPool(name="stand", gpu="H100", gpus_per_node=8, fabric="efa", max_nodes=2, min_nodes=1),
    "sure": GpuPool(name="sure", gpu="L4", gpus_per_node=4, purchase=("on-demand",), max_nodes=2),
}


def job(
    at: float, hours: float, pods: int = 1, gpus: int = 4, pool: str = "train", every: float | None = 30
) -> Row:
    return Row(
        at_hours=at,
        kind="job",
        name="job",
        pool=pool,
        pods=pods,
        gpus=gpus,
        hours=hours,
        checkpoint_minutes=every,
    )


def replicas(at: float, pods: int) -> Row:
    return Row(at_hours=at, kind="replicas", name="chat", pool="serve", pods=pods, gpus=1)


def never(node: Node, nth: int) -> float:
    return math.inf


def replay(
    *rows: Row, hours: float = 24, reclaimed: Callable[[Node, int], float] = never, start: float = START
) -> History:
    rules = Rules(
        hours=hours,
        rooms={name: gpus_of(pool) for name, pool in POOLS.items()},
        empty_for={name: EMPTY for name, pool in POOLS.items() if not pool.static},
        start=start,
        reclaimed_after=reclaimed,
    )
    return Replay(rows, lambda row: row.pool, FakeCluster(POOLS), rules).run()


def nodes(history: History, pool: str = "train") -> list[NodeLife]:
    return sorted((node for node in history.nodes if node.pool == pool), key=lambda node: node.began)


def first_of_train(at: float) -> Callable[[Node, int], float]:
    return lambda node, nth: at if node.pool == "train" and nth == 1 else math.inf


def test_a_job_waits_for_its_node_and_the_node_goes_when_it_was_empty_long_enough() -> None:
    history = replay(job(1, hours=2))
    (wait,) = history.waits
    (node,) = nodes(history)
    assert wait.began == pytest.approx(1 + START)
    assert (node.began, node.ended) == pytest.approx((1, 1 + START + 2 + EMPTY))
    assert history.finished == history.jobs == 1


def test_a_node_that_gets_work_in_time_stays_and_the_work_starts_at_once() -> None:
    history = replay(job(0, hours=1), job(1 + START + EMPTY / 2, hours=1))
    assert len(nodes(history)) == 1
    assert history.waits[1].began == history.waits[1].asked


def test_a_reclaimed_job_goes_on_from_its_last_checkpoint() -> None:
    history = replay(job(0, hours=3), reclaimed=first_of_train(START + 1.75))
    cut, rest = history.work
    assert (cut.why, cut.kept, cut.lost) == ("reclaim", pytest.approx(1.5), pytest.approx(0.25))
    assert rest.began == pytest.approx(START + 1.75 + START)
    assert rest.kept == pytest.approx(1.5)
    assert [node.reclaimed for node in nodes(history)] == [True, False]


def test_without_checkpoints_everything_is_lost() -> None:
    history = replay(job(0, hours=3, every=None), reclaimed=first_of_train(START + 1.75))
    assert [work.kept for work in history.work] == pytest.approx([0, 3])


def test_one_lost_node_stops_the_whole_job_and_the_other_waits_for_the_new_one() -> None:
    history = replay(job(0, hours=2, pods=2), reclaimed=first_of_train(START + 0.75))
    assert [work.gpus for work in history.work] == [8, 8]
    assert history.work[0].lost == pytest.approx(0.25)
    assert len(nodes(history)) == 3
    assert account(history, lambda *_: 1.0).lines[-1].idle > 0


def test_a_node_reclaimed_while_it_starts_costs_no_work() -> None:
    history = replay(job(0, hours=1), reclaimed=first_of_train(START / 2))
    (work,) = history.work
    assert work.began == pytest.approx(START / 2 + START)
    assert work.kept == pytest.approx(1)


def test_jobs_enter_in_order_and_small_ones_pass() -> None:
    history = replay(job(0, hours=4, gpus=3), job(0.5, hours=1, pods=2), job(0.6, hours=1, gpus=1))
    began = {wait.asked: wait.began for wait in history.waits}
    assert began[0.6] == 0.6
    assert began[0.5] == pytest.approx(START + 4 + START)  # its second node has to start


def test_replicas_come_and_go_with_their_rows() -> None:
    history = replay(replicas(0, 1), replicas(5, 3), replicas(6, 1), hours=10)
    assert sorted(node.hours for node in nodes(history, "serve")) == pytest.approx([1 + EMPTY, 1 + EMPTY, 10])
    assert [wait.began for wait in history.waits if wait.asked == 5] == pytest.approx([5 + START] * 2)


def test_standing_nodes_stay_and_are_replaced_when_reclaimed() -> None:
    at = {1: 6.0}
    history = replay(
        job(5, hours=2, gpus=8, pool="stand"),
        reclaimed=lambda node, nth: at.get(nth, math.inf) if node.pool == "stand" else math.inf,
    )
    assert history.waits[0].began == 5  # it was there
    assert [(node.began, node.ended) for node in nodes(history, "stand")] == [(0, 6), (6, 24)]
    assert history.work[1].began == pytest.approx(6 + START)


def test_what_is_unfinished_at_the_end_counts_as_work_so_far() -> None:
    history = replay(job(0, hours=100), job(1, hours=1, pods=2), hours=10)
    (work,) = history.work
    assert (work.why, work.kept) == ("end", pytest.approx(10 - START))
    assert history.waits[1].began is None
    assert (history.finished, history.jobs) == (0, 2)


def test_what_would_begin_after_the_end_is_left_out() -> None:
    history = replay(job(0, 1), job(24, 1), job(30, 1))
    assert history.jobs == 1


rows = st.lists(
    st.one_of(
        st.builds(
            job,
            st.floats(0, 40),
            st.floats(0.01, 12),
            st.integers(1, 2),
            st.integers(1, 4),
            st.sampled_from(["train", "sure"]),
            st.one_of(st.none(), st.floats(1, 120)),
        ),
        st.builds(replicas, st.floats(0, 40), st.integers(0, 3)),
    ),
    max_size=12,
)


def risky(seed: int, per_hour: float) -> Callable[[Node, int], float]:
    return lambda node, nth: reclaimed_after(seed, node.pool, nth, per_hour)


@settings(max_examples=examples(150))
@given(rows, st.integers(0, 9), st.sampled_from([0, 0.01, 0.5, 3]))
def test_gpu_hours_are_conserved_and_spot_is_never_dearer(
    trace: list[Row], seed: int, per_hour: float
) -> None:
    history = replay(*trace, reclaimed=risky(seed, per_hour))
    made = account(history, lambda _type, bought: 1.0 if bought == "spot" else 2.5)
    for line in made.lines:
        assert line.worked + line.lost + line.idle == pytest.approx(line.gpu_hours)
        assert line.idle >= -1e-6, "more ran than stood"
        assert line.lost >= -1e-9
        assert line.usd is not None and line.on_demand_usd is not None
        assert line.usd <= line.on_demand_usd + 1e-9
    assert made.usd() == pytest.approx(sum(line.usd or 0 for line in made.lines))
    for asked in (wait for wait in history.waits if wait.kind == "job" and wait.began is not None):
        assert asked.began is not None and asked.began >= asked.asked


@settings(max_examples=examples(50))
@given(rows, st.integers(0, 9))
def test_a_finished_job_did_all_its_work_once(trace: list[Row], seed: int) -> None:
    history = replay(*trace, reclaimed=risky(seed, 0.3))
    wanted = {f"job.{n}": row for n, row in enumerate(sorted_jobs(trace), 1)}
    done = {work.name for work in history.work if work.why == "done" and work.name in wanted}
    assert len(done) == history.finished
    for name in done:
        kept = sum(work.kept for work in history.work if work.name == name)
        assert kept == pytest.approx(wanted[name].hours)


def sorted_jobs(trace: list[Row]) -> list[Row]:
    return sorted((row for row in trace if row.kind == "job"), key=lambda row: row.at_hours)


@settings(max_examples=examples(30))
@given(rows, st.integers(0, 9))
def test_the_same_seed_replays_the_same(trace: list[Row], seed: int) -> None:
    assert replay(*trace, reclaimed=risky(seed, 0.5)) == replay(*trace, reclaimed=risky(seed, 0.5))
