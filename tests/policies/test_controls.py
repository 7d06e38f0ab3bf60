"""Every control, property path by property path, from `fixtures/controls.yaml`: good, bad, absent, unknown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import UNKNOWN, Shown, failures, put, run, unresolved

from policies.pack import CONTROLS
from policies.unknowns import dotted

ROWS = yaml.safe_load((Path(__file__).parent / "fixtures" / "controls.yaml").read_text())


def cases(kind: str) -> Iterator[Any]:
    for control, rows in ROWS.items():
        for row in rows:
            for value in row[kind]:
                yield pytest.param(control, row, value, id=f"{control} {row['type']} {dotted(row['path'])}={value!r:.60}")


def rows() -> Iterator[Any]:
    for control, of_control in ROWS.items():
        for row in of_control:
            yield pytest.param(control, row, id=f"{control} {row['type']} {dotted(row['path'])}")


def shown(row: dict[str, Any], value: Any, path: list[str | int] | None = None) -> Shown:
    return Shown(row["type"], put(row.get("props", {}), path or row["path"], value))


def test_every_control_has_fixtures() -> None:
    assert {control.id for control in CONTROLS} == set(ROWS)


@pytest.mark.parametrize(("control", "row", "value"), cases("good"))
def test_passes(control: str, row: dict[str, Any], value: Any) -> None:
    diagnostics = run(shown(row, value))
    assert failures(diagnostics, control) == []
    assert unresolved(diagnostics, control) == []


@pytest.mark.parametrize(("control", "row", "value"), cases("bad"))
def test_fails_and_says_where_and_by_which_law(control: str, row: dict[str, Any], value: Any) -> None:
    messages = failures(run(shown(row, value)), control)
    assert messages, "passed in silence"
    if value != {}:
        assert any(dotted(row["path"]) in message.replace('["', ".").replace('"]', "") for message in messages)
    for message in messages:
        assert all(f"; {part}" in message for part in ("at ", "expected: ", "fix: ", "basis: ")), message


@pytest.mark.parametrize(("control", "row"), rows())
def test_unknown_never_passes_in_silence(control: str, row: dict[str, Any]) -> None:
    if row.get("unknown") == "pass":
        return
    path = row["path"]
    levels = range(len(path), 0, -1) if control not in ("DPDP-RES-01", "DPDP-RES-08") else [len(path)]
    for length in levels:
        diagnostics = run(shown(row, UNKNOWN, path[:length]))
        assert not [one.message for one in diagnostics if "can't run policy" in one.message]
        messages = unresolved(diagnostics, control)
        assert messages or failures(diagnostics, control), f"{dotted(path[:length])} unknown passed in silence"
        assert all("unknown" in message for message in messages)
    assert unresolved(run(shown(row, UNKNOWN)), control), "the property itself must end as unresolved"


@pytest.mark.parametrize(("control", "row"), rows())
def test_absent(control: str, row: dict[str, Any]) -> None:
    """Absent passes only where a row says so, or where nothing else asks for the property."""
    if not isinstance(row["path"][-1], str):
        return
    props = put(row.get("props", {}), row["path"], None)
    passed = not failures(run(Shown(row["type"], props)), control)
    optional = row.get("base") == "absent" or control == "DPDP-RES-01" or row["type"] == "pulumi:providers:gcp"
    if row["path"][-1] in ("member",):
        optional = True
    assert passed == optional or (not optional and not passed)
