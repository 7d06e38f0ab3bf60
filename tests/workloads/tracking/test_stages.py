"""Which version is in production, as it follows from promotions and rollbacks."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.workloads.tracking.gate import Gate
from workloads.tracking.registry.stages import Change, history, stages

SIGNED = Gate().verdict()


def promote(number: int, version: int, expects: int) -> Change:
    return Change(number, "promote", version, expects, verdict=SIGNED)


def forged(number: int, version: int, expects: int) -> Change:
    return Change(number, "promote", version, expects)


def rollback(number: int, version: int, expects: int) -> Change:
    return Change(number, "rollback", version, expects)


def test_the_stages_of_a_model_from_its_first_version_to_a_rollback() -> None:
    assert stages([], history([])) == {}
    assert stages([1], history([])) == {"candidate": 1}
    first = [promote(1, 1, 0)]
    assert stages([1], history(first)) == {"production": 1}
    assert stages([1, 2], history(first)) == {"candidate": 2, "production": 1}
    second = [*first, promote(2, 2, 1)]
    assert stages([1, 2], history(second)) == {"production": 2, "previous": 1}
    # What was rolled back is no candidate: another version has to come.
    back = history([*second, rollback(3, 1, 2)])
    assert stages([1, 2], back) == {"production": 1}
    assert stages([1, 2, 3], back) == {"candidate": 3, "production": 1}


def test_of_two_promotions_at_once_the_first_counts_and_the_other_is_refused_and_kept() -> None:
    both = [promote(1, 1, 0), promote(2, 3, 1), promote(3, 2, 1)]
    found = history(both)
    assert found.production == 3
    assert found.previous == 1
    assert found.refused == {3}
    # A rollback of two people takes one step, not two.
    twice = history([*both, rollback(4, 1, 3), rollback(5, 1, 3)])
    assert (twice.production, twice.refused) == (1, {3})


def test_a_promotion_that_the_gate_did_not_sign_changes_nothing_and_is_kept() -> None:
    made = [promote(1, 1, 0), forged(2, 2, 1), promote(3, 3, 1)]
    found = history(made)
    assert (found.stack, found.promoted, found.refused) == ((1, 3), {1, 3}, {2})
    # Not even one that says what is so already.
    assert history([*made, forged(4, 3, 3)]).refused == {2, 4}


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    """Of writers who each may have looked at any earlier time."""
    made: list[Change] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        seen = history(made[: draw(st.integers(0, len(made)))])
        if seen.previous and draw(st.booleans()):
            made.append(rollback(number, seen.previous, seen.production))
        else:
            make = forged if draw(st.integers(0, 4)) == 0 else promote
            made.append(make(number, draw(st.integers(1, 5)), seen.production))
    return made


@settings(max_examples=examples(200))
@given(changes(), st.randoms())
def test_whoever_looks_sees_the_same_and_nobody_is_replaced_unseen(made: list[Change], order) -> None:
    shuffled = [*made]
    order.shuffle(shuffled)
    assert history(shuffled) == history(made)
    for at, change in enumerate(made):
        before, after = history(made[:at]), history(made[: at + 1])
        if change.forged:
            assert (after.stack, after.refused - before.refused) == (before.stack, {change.number})
        elif change.version == before.production:
            assert after == before
        elif change.number in after.refused:
            assert after.stack == before.stack
        else:
            # It counts, and what it replaces is what its writer saw.
            assert before.production == change.expects
            assert after.production == change.version
        # Sent twice, as by a client whose answer was lost, it counts once.
        again = replace(change, number=change.number + 100)
        if change.number not in after.refused:
            assert history([*made[: at + 1], again]).stack == after.stack
