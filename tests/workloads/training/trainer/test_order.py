"""Samples by position: all of them, once an epoch, over any restarts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numpy")

from workloads.training.trainer.order import Order, positions, positions_of_share, share, shuffled


@given(seed=st.integers(0, 2**40), salt=st.integers(0, 2**40), count=st.integers(0, 300))
def test_a_shuffle_is_a_permutation_and_the_same_again(seed: int, salt: int, count: int) -> None:
    order = shuffled(seed, salt, count)
    assert sorted(order) == list(range(count))
    assert list(shuffled(seed, salt, count)) == list(order)


def test_a_shuffle_is_of_its_seed_and_fair() -> None:
    assert list(shuffled(1, 0, 50)) != list(shuffled(2, 0, 50)) != list(range(50))
    firsts = [int(shuffled(seed, 0, 10)[0]) for seed in range(2000)]
    assert min(firsts.count(place) for place in range(10)) > 120, "each is first about as often"


GROUPS = st.lists(st.integers(1, 7), min_size=1, max_size=60)


@given(rows=GROUPS, seed=st.integers(0, 1000), epoch=st.integers(0, 3))
def test_an_epoch_visits_every_row_of_every_group_once(rows: list[int], seed: int, epoch: int) -> None:
    order = Order(rows, seed)
    seen = []
    for position in range(epoch * order.samples, (epoch + 1) * order.samples):
        at, window = order.window(position)
        assert at == epoch
        in_window = [(int(group), row) for group in order.groups(at, window) for row in range(rows[group])]
        seen.append(in_window[order.row(position)])
    assert sorted(seen) == [(group, row) for group, count in enumerate(rows) for row in range(count)]


@given(
    starts=st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 4, 6, 12]), st.integers(1, 5)), min_size=1, max_size=6
    )
)
def test_over_restarts_on_any_worlds_no_sample_is_lost_or_repeated(starts: list[tuple[int, int]]) -> None:
    consumed, seen = 0, []
    for ranks, steps in starts:
        for _ in range(steps):
            for rank in range(ranks):
                seen.extend(positions(consumed, 12, rank, ranks))
            consumed += 12
    assert seen == list(range(consumed))


@given(
    members=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    accumulate=st.integers(1, 3),
    ranks=st.sampled_from([1, 2, 4]),
)
def test_however_many_of_five_replicas_share_a_step_no_sample_is_lost_or_repeated(
    members: list[int], accumulate: int, ranks: int
) -> None:
    parts = 5 * accumulate
    batch, seen = 3 * parts * ranks, []
    for step, there in enumerate(members):
        shares = [share(replica, there, parts) for replica in range(there)]
        assert all(mine.parts for mine in shares), "nobody has nothing to do"
        for mine in shares:
            for rank in range(ranks):
                seen.extend(positions_of_share(step * batch, batch, parts, mine, rank, ranks))
    assert seen == list(range(batch * len(members)))
