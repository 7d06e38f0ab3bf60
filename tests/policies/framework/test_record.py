"""The record of a run, and the baseline that is written from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime.proto import analyzer_pb2 as proto
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from typer.testing import CliRunner

from policies import cli
from policies.controls.governance import gov_03_exemptions as exemptions
from policies.framework import baseline
from policies.framework.record import NoRecordError, Record, brief, read, without_stack, write
from policies.pack import CONTROLS
from tests.policies.harness import UNKNOWN, Shown, of, run, run_and_record

TAGS = {"dpdp:data-class": "internal"}
ABROAD = Shown("aws:sqs/queue:Queue", {"region": "us-east-1", "tags": TAGS})
AT_HOME = Shown("aws:sqs/queue:Queue", {"region": "ap-south-1", "tags": TAGS}, name="home")
OPEN = Shown("aws:sqs/queue:Queue", {"region": UNKNOWN, "tags": TAGS}, name="open")
GOV_03 = "dpdp-gov-03-exemptions-are-valid"


def test_a_record_tells_what_was_found_and_what_was_looked_at() -> None:
    diagnostics, record = run_and_record(ABROAD, AT_HOME, OPEN)
    assert [(one.control, one.outcome, one.urn, one.where) for one in record.findings] == [
        ("DPDP-RES-01", "fail", ABROAD.urn, "region"),
        ("DPDP-RES-01", "unresolved", OPEN.urn, "region"),
    ]
    assert {told.message for told in record.findings} == set(of(diagnostics, "DPDP-RES-01"))
    assert all(told.stops and told.level == "mandatory" for told in record.findings)
    assert (record.stack, record.project, record.resources) == ("test", "project", 3)
    assert [one.id for one in record.controls] == sorted(control.id for control in CONTROLS)
    asked = {one.id: one for one in record.controls}
    assert asked["DPDP-RES-01"].resources == 3 and not asked["DPDP-RES-01"].stack
    assert asked["DPDP-RES-02"].resources == 0, "no provider was shown"


def test_levels_are_those_of_the_run() -> None:
    config = {"dpdp-res-01-resource-location-in-india": {"enforcementLevel": "ADVISORY"}}
    _, record = run_and_record(ABROAD, OPEN, config=config)
    assert [(told.outcome, told.level, told.stops) for told in record.findings] == [
        ("fail", "advisory", False),
        ("unresolved", "advisory", False),
    ]
    assert next(one for one in record.controls if one.id == "DPDP-RES-01").level == "advisory"


def test_a_control_that_is_off_looked_at_nothing() -> None:
    config = {"dpdp-res-01-resource-location-in-india": {"enforcementLevel": "DISABLED"}}
    _, record = run_and_record(ABROAD, config=config)
    asked = next(one for one in record.controls if one.id == "DPDP-RES-01")
    assert (asked.level, asked.resources, record.findings) == ("disabled", 0, ())


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    _, record = run_and_record(ABROAD, OPEN)
    write(record, tmp_path / "new" / "findings.json")
    assert read(tmp_path / "new" / "findings.json") == record
    assert json.loads((tmp_path / "new" / "findings.json").read_text())["packVersion"] == record.pack_version
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["findings.json"], "nothing half is left"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', "\x00"])
def test_what_is_no_record_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "findings.json"
    file.write_text(text)
    with pytest.raises(NoRecordError, match="is no record of findings"):
        read(file)
    with pytest.raises(NoRecordError, match="the preview ended before"):
        read(tmp_path / "none.json")


def test_a_fingerprint_is_of_the_place_and_not_of_the_stack() -> None:
    (told,) = run_and_record(ABROAD)[1].findings
    other = told.model_copy(update={"urn": told.urn.replace(":test::", ":prod::"), "value": "'eu-west-1'"})
    assert other.fingerprint == told.fingerprint
    for field in ("control", "urn", "where"):
        assert told.model_copy(update={field: "another"}).fingerprint != told.fingerprint
    assert (
        without_stack("urn:pulumi:prod::shop::aws:s3/bucket:Bucket::b")
        == "urn:pulumi::shop::aws:s3/bucket:Bucket::b"
    )
    assert without_stack("") == ""


@pytest.mark.parametrize("at", ["region", "tags"])
def test_a_secret_is_never_told(at: str) -> None:
    def secret(value: Any) -> dict[str, Any]:
        return {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": value}

    hidden = {"region": secret("us-east-1"), "tags": secret({"dpdp:data-class": "hush"})}
    queue = Shown("aws:sqs/queue:Queue", {**ABROAD.props, at: hidden[at]})
    diagnostics, record = run_and_record(queue)
    ours = [told for told in record.findings if told.where.startswith(at)]
    assert ours and {told.value for told in ours} == {"(secret)"}
    assert "hush" not in record.model_dump_json()
    assert not any(
        "hush" in one.message or (at == "region" and "'us-east-1'" in one.message) for one in diagnostics
    )


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_a_value_is_shown_short(value: Any) -> None:
    assert len(brief(value)) <= 121 and "\n" not in brief(value)


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A baseline with all that is wrong with ABROAD and OPEN."""
    file = tmp_path / baseline.FILE
    assert keep(tmp_path, run_and_record(ABROAD, OPEN)[1], file).exit_code == 0
    monkeypatch.setenv(baseline.ELSEWHERE, str(file))
    return file


def keep(folder: Path, record: Record, file: Path) -> Any:
    """`python -m policies.cli baseline`."""
    write(record, folder / "findings.json")
    return CliRunner().invoke(cli.app, ["baseline", str(folder / "findings.json"), "--to", str(file)])


def levels(diagnostics: list[proto.AnalyzeDiagnostic]) -> dict[str, str]:
    return {one.policyName: proto.EnforcementLevel.Name(one.enforcementLevel) for one in diagnostics}


def test_what_is_in_the_baseline_is_counted_and_stops_nobody(known: Path) -> None:
    diagnostics, record = run_and_record(ABROAD, OPEN)
    assert levels(diagnostics) == {exemptions.LISTED: "ADVISORY"}
    assert "[DPDP-RES-01] 2 findings of old" in diagnostics[0].message
    assert [told.outcome for told in record.findings] == ["baseline", "baseline"]
    assert record.open == []


def test_what_is_new_stops(known: Path) -> None:
    new = Shown("aws:sqs/queue:Queue", ABROAD.props, name="new")
    assert [told.urn for told in run_and_record(ABROAD, OPEN, new)[1].open] == [new.urn]


def test_a_baseline_only_shrinks(known: Path, tmp_path: Path) -> None:
    told = of(run(ABROAD), "DPDP-GOV-03")
    assert len(told) == 1 and "holds what is mended" in told[0]
    record = run_and_record(ABROAD)[1]
    assert keep(tmp_path, record, known).exit_code == 0
    assert [one.urn for one in baseline.parse(known).entries] == [ABROAD.urn]
    assert of(run(ABROAD), "DPDP-GOV-03") == []
    grown = keep(tmp_path, run_and_record(ABROAD, OPEN)[1], known)
    assert grown.exit_code == 1 and "only shrinks" in grown.output
    assert [one.urn for one in baseline.parse(known).entries] == [ABROAD.urn]


def test_a_baseline_that_grows_by_hand_is_told(known: Path, tmp_path: Path) -> None:
    before = tmp_path / "before.json"
    before.write_text(known.read_text())
    assert baseline.grown(before, known) == []
    more = json.loads(known.read_text())
    more["findings"].append({"control": "DPDP-RES-01", "urn": AT_HOME.urn, "where": "region"})
    known.write_text(json.dumps(more))
    assert [one.urn for one in baseline.grown(before, known)] == [AT_HOME.urn]
    assert baseline.grown(known, before) == [], "it may shrink"
    assert baseline.grown(tmp_path / "none.json", known) == [], "the first one is as long as it is"


def test_entries_of_other_stacks_are_left_alone(known: Path, tmp_path: Path) -> None:
    text = known.read_text().replace("urn:pulumi:test::", "urn:pulumi:prod::")
    known.write_text(text)
    assert of(run(AT_HOME), "DPDP-GOV-03") == []
    assert keep(tmp_path, run_and_record(AT_HOME)[1], known).exit_code == 0
    assert known.read_text() == text


def test_an_update_does_not_judge_what_only_a_preview_can_miss(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_DRY_RUN", "false")
    assert of(run(ABROAD), "DPDP-GOV-03") == []


def test_where_no_exemption_is_allowed_no_baseline_is(known: Path) -> None:
    told = of(run(ABROAD, OPEN, config={GOV_03: {"allowed": False}}), "DPDP-GOV-03")
    assert len(told) == 1 and "no baseline is allowed" in told[0]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"findings": [{"control": "x"}]}', '{"findings": [], "more": 1}', "\x00"]
)
def test_a_broken_baseline_is_a_violation_and_covers_nothing(known: Path, tmp_path: Path, text: str) -> None:
    known.write_text(text)
    diagnostics, record = run_and_record(ABROAD)
    assert "the baseline is malformed" in of(diagnostics, "DPDP-GOV-03")[0]
    assert of(diagnostics, "DPDP-RES-01")
    assert keep(tmp_path, record, known).exit_code == 1
    assert known.read_text() == text, "nothing is lost"


def test_a_baseline_that_is_named_and_not_there_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(baseline.ELSEWHERE, "/nowhere/at-all.json")
    assert len(of(run(AT_HOME), "DPDP-GOV-03")) == 1
