"""Every control, property path by property path, from `fixtures`: good, bad, absent, unknown."""

from __future__ import annotations

from typing import Any

import pytest

from policies.controls.residency.res_01_02_regions import BLOCKS_OF_KEYS, BLOCKS_OF_PLACES
from policies.framework.unknowns import dotted
from policies.pack import CONTROLS
from tests.policies.harness import UNKNOWN, Shown, failures, fixtures, put, run, run_alone, unresolved

ROWS = fixtures()


def rows() -> list[Any]:
    return [
        pytest.param(control, row, id=name(control, row)) for control, many in ROWS.items() for row in many
    ]


def name(control: str, row: dict[str, Any]) -> str:
    return f"{control} {row['type']} {dotted(row['path'])}"


def shown(row: dict[str, Any], value: Any, path: list[str | int] | None = None) -> Shown:
    return Shown(row["type"], put(row.get("props", {}), path or row["path"], value))


def test_every_control_has_fixtures() -> None:
    # A control that joins resources of a stack has tests of its own (test_cost.py); GOV-01 only waits for its end.
    assert {control.id for control in CONTROLS if control.check} == set(ROWS) - {"DPDP-GOV-01"}


def of(control: str, resource: Shown) -> tuple[list[str], list[str]]:
    """What one control finds at a resource, and what stays unresolved of it."""
    diagnostics = run_alone(control, resource)
    return failures(diagnostics, control), unresolved(diagnostics, control)


@pytest.mark.parametrize(("control", "row"), rows())
def test_passes(control: str, row: dict[str, Any]) -> None:
    found = {repr(value): of(control, shown(row, value)) for value in row["good"]}
    assert {value: said for value, said in found.items() if said != ([], [])} == {}


def plain(where: str) -> str:
    return where.replace('["', ".").replace('"]', "").removeprefix(".")


@pytest.mark.parametrize(("control", "row"), rows())
def test_fails_and_says_where_and_by_which_law(control: str, row: dict[str, Any]) -> None:
    wrong: dict[str, list[str] | str] = {}
    for value in row["bad"]:
        messages, _ = of(control, shown(row, value))
        if not messages:
            wrong[repr(value)] = "passed in silence"
        elif value != {} and not any(plain(dotted(row["path"])) in plain(one) for one in messages):
            wrong[repr(value)] = messages
        elif lacking := [one for one in messages if not says_all(one)]:
            wrong[repr(value)] = lacking
    assert wrong == {}


def says_all(message: str) -> bool:
    return all(f"; {part}" in message for part in ("at ", "expected: ", "fix: ", "basis: "))


@pytest.mark.parametrize(("control", "row"), rows())
def test_unknown_never_passes_in_silence(control: str, row: dict[str, Any]) -> None:
    path = row["path"]
    for length in range(len(path), 0, -1):
        if length < len(path) and not may_hide(control, row, path[length - 1]):
            continue
        # All of the pack, for an unknown value may break a policy that it does not concern.
        diagnostics = run(shown(row, UNKNOWN, path[:length]))
        assert not [one.message for one in diagnostics if "can't run policy" in one.message]
        messages = unresolved(diagnostics, control)
        assert messages or failures(diagnostics, control), (
            f"{dotted(path[:length])} unknown passed in silence"
        )
        assert all("unknown" in message or "can't be known" in message for message in messages)
    assert of(control, shown(row, UNKNOWN))[1], "the property itself must end as unresolved"


def may_hide(control: str, row: dict[str, Any], name: str | int) -> bool:
    """The generic walks know which blocks of pulumi_aws hold places and keys; elsewhere they can't."""
    if control not in ("DPDP-RES-01", "DPDP-RES-08"):
        return True
    return row["type"].startswith("aws:") and name in (
        BLOCKS_OF_PLACES if control == "DPDP-RES-01" else BLOCKS_OF_KEYS
    )


@pytest.mark.parametrize(("control", "row"), rows())
def test_absent(control: str, row: dict[str, Any]) -> None:
    """Absent fails unless the row says otherwise. A resource without a region takes its provider's: RES-02's part."""
    passed = not of(control, shown(row, None))[0]
    assert passed == (row.get("absent") == "pass" or control == "DPDP-RES-01")
