"""What a review calls a change: by URN and inputs, with names that somebody made up taken for equal."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from commands.cost.command import Change
from commands.review.changes import Moved, changes
from commands.review.comment import MOST_LINES, resources_section, rupees_section
from commands.stacks import settings_of
from infra.pricing.estimate import Estimate
from policies.reports.positions import Line, Positions

URN = "urn:pulumi:dev::shop::aws:sqs/queue:Queue::"


def resource(name: str, /, **inputs: Any) -> dict[str, Any]:
    return {"urn": f"{URN}{name}", "inputs": inputs}


def test_made_up_names_are_no_change_wherever_they_are_told() -> None:
    def program(suffix: str) -> list[dict[str, Any]]:
        policy = f'{{"Resource": "arn:aws:s3:::lake-{suffix}/*"}}'
        return [
            resource("lake", bucket=f"lake-{suffix}", tags={"a": "b"}),
            resource("map", metadata={"name": f"map-{suffix}a"}),
            resource("reader", policy=policy),
        ]

    assert list(changes(program("0a1b2c3"), program("9f8e7d6"))) == []


def test_what_differs_is_named_by_input() -> None:
    before = [resource("kept", a=1), resource("gone", a=1), resource("other", name="other-name-1", a=1)]
    after = [resource("kept", a=2, b=3), resource("new"), resource("other", name="other-name-2", a=1)]
    assert list(changes(before, after)) == [
        Moved("changed", f"{URN}kept", ("a", "b")),
        Moved("gone", f"{URN}gone"),
        Moved("changed", f"{URN}other", ("name",)),
        Moved("new", f"{URN}new"),
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
programs = st.dictionaries(
    st.text("abc", min_size=1, max_size=3), st.dictionaries(st.text("xy", max_size=2), values), max_size=4
)


@given(programs, programs)
def test_changes_of_any_programs(before: dict[str, Any], after: dict[str, Any]) -> None:
    was = [resource(name, **inputs) for name, inputs in before.items()]
    now = [resource(name, **inputs) for name, inputs in after.items()]
    assert list(changes(was, was)) == []
    kinds = {move.urn.removeprefix(URN): move.kind for move in changes(was, now)}
    assert {name for name, kind in kinds.items() if kind == "new"} == after.keys() - before.keys()
    assert {name for name, kind in kinds.items() if kind == "gone"} == before.keys() - after.keys()
    both = before.keys() & after.keys()
    assert {name for name, kind in kinds.items() if kind == "changed"} == {
        n for n in both if before[n] != after[n]
    }


def test_sections_stop_and_say_what_is_left() -> None:
    moved = [Moved("new", f"{URN}queue|{number}") for number in range(MOST_LINES + 5)]
    text = resources_section(moved, 100, Positions({moved[0].urn: Line("infra/queue.py", 3)}))
    assert "30 new, 0 changed, 0 gone, of 100" in text and "\n5 more.\n" in text
    assert "infra/queue.py:3" in text
    rows = [line for line in text.splitlines() if line.startswith("| ➕")]
    assert len(rows) == MOST_LINES and all(row.count("|") == 6 for row in rows)


def test_rupees_are_told_with_their_sign() -> None:
    text = rupees_section([Change("lake", "GiB", 100.0, 40.0)], Estimate((), {}, {}), settings_of("dev"))
    assert "-₹60" in text or "−₹60" in text, text
    assert "no difference" in rupees_section([], Estimate((), {}, {}), settings_of("dev"))
