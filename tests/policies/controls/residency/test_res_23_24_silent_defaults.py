"""RES-23 and RES-24: what clouds do where nothing is said, row by row, and that no finding is another control's too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.controls.residency import res_23_24_silent_defaults as module
from policies.controls.residency.res_23_24_silent_defaults import RES_23, RES_24, is_claimed
from policies.framework.control import Finding
from policies.framework.resources import Resource
from policies.framework.unknowns import Unknown
from policies.readers.silent_defaults import Condition, SilentDefault, defaults_of, every_default
from policies.readers.tables import table
from policies.readers.values.places import place
from tests.policies.harness import SAFE, UNKNOWN, Shown, failures, put, run, unresolved

CASES = yaml.load(Path(__file__).with_name("silent_defaults.yaml").read_text(), SAFE)
BOTH = (RES_23, RES_24)


def reported(type_: str, props: dict[str, Any]) -> set[str]:
    diagnostics = run(Shown(type_, props))
    return {control.id for control in BOTH if failures(diagnostics, control.id)}


@pytest.mark.parametrize("case", CASES["leaks"], ids=lambda case: case["id"])
def test_silence_is_reported_once(case: dict[str, Any]) -> None:
    assert reported(case["type"], case["props"]) == {case["control"]}
    assert len(failures(run(Shown(case["type"], case["props"])), case["control"])) == 1


@pytest.mark.parametrize("case", CASES["clean"], ids=lambda case: case["id"])
def test_what_is_written_out_passes(case: dict[str, Any]) -> None:
    diagnostics = run(Shown(case["type"], case["props"]))
    for control in BOTH:
        assert not failures(diagnostics, control.id)
        assert not unresolved(diagnostics, control.id)


ROWS = [row for row in every_default() if not is_claimed(row)]


def name(row: SilentDefault) -> str:
    return f"{row.type} {row.property} {row.when.is_ if row.when else 'always'}"


def findings(type_: str, props: dict[str, Any], row: SilentDefault) -> list[Finding]:
    control = RES_24 if row.is_soft else RES_23
    assert control.check
    found = control.check(Resource(type_, "", props), {})
    return [one for one in found if isinstance(one, Finding) and one.what == row.does]


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_every_row_is_found_where_it_applies_and_not_where_the_place_is_written(row: SilentDefault) -> None:
    applies = module._such(row)
    assert findings(row.type, applies, row)
    otherwise = module._otherwise(row, applies)
    if otherwise is not None:
        assert not findings(row.type, otherwise, row)


@pytest.mark.parametrize("row", [row for row in ROWS if row.when], ids=name)
def test_an_unknown_property_is_never_a_pass(row: SilentDefault) -> None:
    if '"' in row.property:
        pytest.skip("no path of plain names")
    props = put(module._such(row), row.property.split("."), UNKNOWN)
    control = RES_24 if row.is_soft else RES_23
    assert unresolved(run(Shown(row.type, props)), control.id)


def test_what_another_control_reports_is_left_to_it() -> None:
    claimed = {(row.type, row.property) for row in every_default() if is_claimed(row)}
    assert ("gcp:bigquery/dataset:Dataset", "location") in claimed
    assert ("gcp:compute/snapshot:Snapshot", "storageLocations") in claimed
    assert ("gcp:compute/snapshotSettings:SnapshotSettings", "storageLocation.policy") in claimed
    assert ("aws:cloudfront/distribution:Distribution", "") in claimed
    assert ("aws:apigateway/restApi:RestApi", "endpointConfiguration") not in claimed
    # Advice of another control is no reason to lower a finding.
    assert ("aws:cloudfront/keyValueStore:KeyValueStore", "") not in claimed
    for row in every_default():
        if is_claimed(row):
            diagnostics = run(Shown(row.type, module._such(row)))
            assert any(f"[{one.id}]" in each.message for each in diagnostics for one in module._OTHERS), row


def test_rows_are_of_the_shape_that_the_reader_knows() -> None:
    for row in table("silent_defaults.csv"):
        assert None not in row.values()
        assert row["type"]
        assert row["does"]
        assert row["source"]
        assert row["date"].startswith("20")
        assert row["soft"] in ("true", "false")
        assert row["place"] in ("UNKNOWN", "MULTI") or place(row["place"], "location"), row["place"]
    for row in every_default():
        for condition in (*row.only_if, *filter(None, (row.when,))):
            assert condition.path
            assert condition.is_ in ("absent", "present", "equals", "lacks", "differs")
            assert bool(condition.values) == (condition.is_ in ("equals", "lacks", "differs"))
        assert not place(row.place, "location") or not place(row.place, "location").is_india  # pyright: ignore


def test_a_kind_of_kubernetes_is_known_in_any_version_by_its_newest_rows() -> None:
    newest = defaults_of("kubernetes:datadoghq.com/v3:DatadogAgent")
    assert {row.property for row in newest} == {"spec.global.site"}
    assert {row.property for row in defaults_of("kubernetes:datadoghq.com/v1alpha1:DatadogAgent")} == {
        "spec.site"
    }
    assert defaults_of("kubernetes:datadoghq.com/v1:Other") == ()


def test_conditions() -> None:
    unknown = Unknown(("a",))
    assert Condition("a.b", "absent").holds({}) is True
    assert Condition("a.b", "present").holds({"a": [{"b": {}}, {}]}) is True
    assert Condition("a", "equals", ("X", "Y")).holds({"a": "y"}) is True
    assert Condition("a", "differs", ("X",)).holds({"a": "x"}) is False
    assert Condition("a", "lacks", ("/l/",)).holds({"a": "p/l/x"}) is False
    assert Condition("a", "lacks", ("/l/",)).holds({}) is False
    assert Condition('m["x.y/z"].v', "equals", ("1",)).holds({"m": {"x.y/z": {"v": 1}}}) is True
    assert Condition("a", "equals", ("X",)).holds({"a": unknown}) is unknown
