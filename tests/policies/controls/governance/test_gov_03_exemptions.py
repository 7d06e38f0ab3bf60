"""Exemptions: what they cover and until when, and every way in which one is wrong."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime.proto import analyzer_pb2 as proto

from policies.controls.governance import gov_03_exemptions as exemptions
from policies.controls.governance.gov_03_exemptions import Exemptions
from policies.pack import CONTROLS
from tests.policies.harness import Shown, of, run, run_and_record

IDS = [control.id for control in CONTROLS]
TODAY = date(2026, 11, 24)
ABROAD = Shown("aws:sqs/queue:Queue", {"region": "us-east-1", "tags": {"dpdp:data-class": "internal"}})
ENTRY: dict[str, Any] = {
    "control": "DPDP-RES-01",
    "urn": "urn:pulumi:test::project::aws:sqs/queue:Queue::*",
    "reason": "static assets only, looked at by the privacy team",
    "owner": "web-platform",
    "approver": "privacy-office",
    "ticket": "PRIV-214",
    "expires": "2027-01-31",
}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def write(*entries: Any, text: str = "") -> None:
        file = tmp_path / exemptions.FILE
        file.write_text(text or yaml.safe_dump([*entries]))
        monkeypatch.setenv(exemptions.ELSEWHERE, str(file))

    return write


def levels(diagnostics: list[proto.AnalyzeDiagnostic]) -> dict[str, str]:
    return {one.policyName: proto.EnforcementLevel.Name(one.enforcementLevel) for one in diagnostics}


def entry(**over: Any) -> dict[str, Any]:
    soon = date.today() + timedelta(days=30)
    return {**ENTRY, "expires": soon.isoformat(), **over}


def test_what_is_exempt_is_listed_and_does_not_stop(written: Any) -> None:
    written(entry())
    found = run(ABROAD)
    assert levels(found) == {exemptions.LISTED: "ADVISORY"}
    assert "exempt 1 of 1" in found[0].message and "PRIV-214" in found[0].message
    assert "us-east-1" in found[0].message, "the finding itself is told"
    assert found[0].urn == ABROAD.urn


def test_what_can_not_be_known_may_be_exempt_too(written: Any) -> None:
    from tests.policies.harness import UNKNOWN

    written(entry())
    assert levels(run(Shown("aws:sqs/queue:Queue", {**ABROAD.props, "region": UNKNOWN}))) == {
        exemptions.LISTED: "ADVISORY"
    }


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"expires": "2026-01-01"}, "has expired"),
        ({"expires": "2999-01-01"}, "holds too long"),
        ({"expires": "soon"}, "malformed"),
        ({"reason": "because"}, "malformed"),
        ({"ticket": ""}, "malformed"),
        ({"urns": "x"}, "malformed"),
        ({"control": "DPDP-RES-99"}, "of no control"),
        ({"approver": "web-platform"}, "approves itself"),
        ({"urn": "urn:pulumi:test::project::aws:s3/bucket:Bucket::*"}, "of no use"),
        ({"urn": "urn:pulumi:TEST::*"}, None),  # another stack's, which is not asked here
    ],
)
def test_an_exemption_that_is_wrong_is_a_violation_and_exempts_nothing(
    written: Any, over: dict[str, Any], said: str | None
) -> None:
    written(entry(**over))
    found = run(ABROAD)
    told = of(found, "DPDP-GOV-03")
    assert [said in line for line in told] == [True] if said else told == []
    if said != "holds too long":
        assert of(found, "DPDP-RES-01"), "the finding stands"


@pytest.mark.parametrize("text", ["{", "control: x", "- 5", "- [a]", "\x00"])
def test_a_broken_file_is_a_violation_and_no_exception(written: Any, text: str) -> None:
    written(text=text)
    found = run(ABROAD)
    assert len(of(found, "DPDP-GOV-03")) == 1
    assert of(found, "DPDP-RES-01")


def test_a_file_that_is_named_and_not_there_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(exemptions.ELSEWHERE, "/nowhere/at-all.yaml")
    assert len(of(run(ABROAD), "DPDP-GOV-03")) == 1


def test_where_none_is_allowed_each_is_a_violation(written: Any) -> None:
    written(entry())
    told = of(run(ABROAD, config={"dpdp-gov-03-exemptions-are-valid": {"allowed": False}}), "DPDP-GOV-03")
    assert len(told) == 1 and "no exemption is allowed" in told[0]


@given(st.integers(-400, 400))
def test_an_exemption_holds_to_the_end_of_its_day(days: int) -> None:
    made = exemptions.Exemption.model_validate({**ENTRY, "expires": TODAY + timedelta(days=days)})
    exempt = Exemptions([("it", made)], today=TODAY)
    (told,) = run_and_record(ABROAD)[1].findings
    assert exempt.covers(told) == ("it" if days >= 0 else "")
    expired = [one for one in exempt.wrong("test", 1000) if "expired" in one.what]
    assert bool(expired) is (days < 0)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_written_is_read_or_refused(given_: Any) -> None:
    found = exemptions._entry("it", given_, IDS)
    assert isinstance(found, exemptions.Exemption) or found
