"""Right about the law: no message and no page says that the DPDP Act wants data kept in India."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.law import ENTITIES
from policies.pack import CONTROLS
from tests.policies.harness import Shown, fixtures, of, put, run

PROJECT = Path(__file__).parents[2]
_WITHIN_A_SENTENCE = r"(?:[^.;]|\.(?=\S)){0,120}?"  # a dot inside `s.16(1)` ends none
SAYS = re.compile(
    rf"DPDP{_WITHIN_A_SENTENCE}\b(requires?|mandates?|demands?|obliges?|prescribes?|must|needs?|insists)\b"
    rf"{_WITHIN_A_SENTENCE}\b(in|inside|within)\s+India",
    re.IGNORECASE,
)
DENIES = re.compile(r"\b(not|no|never|neither)\b", re.IGNORECASE)
TEXTS = [*PROJECT.glob("policies/**/*.*"), *PROJECT.glob("docs/**/*.md"), PROJECT / "README.md"]


def claims(text: str) -> list[str]:
    return [found[0] for found in SAYS.finditer(" ".join(text.split())) if not DENIES.search(found[0])]


def messages() -> list[str]:
    rows = fixtures()
    return [
        message
        for control, of_control in rows.items()
        for row in of_control
        for bad in row["bad"][:1]
        for message in of(run(Shown(row["type"], put(row.get("props", {}), row["path"], bad))), control)
    ]


def test_the_detector_detects() -> None:
    assert claims("The DPDP Act requires storage in India.")
    assert claims("DPDP Act s.16(1) requires storage in India")
    assert claims("DPDP requires that all personal data must stay within India")
    assert not claims("The DPDP Act does not require that data stay in India.")


@pytest.mark.parametrize(
    "path", [path for path in TEXTS if path.suffix in {".py", ".md", ".yaml", ".json", ".txt"}], ids=str
)
def test_no_text_claims_it(path: Path) -> None:
    assert not claims(path.read_text())


@pytest.mark.slow
def test_no_message_claims_it_and_each_names_its_law() -> None:
    said = messages()
    assert len(said) > len(CONTROLS)
    for message in said:
        assert not claims(message)
        assert re.search(r"; basis: (statutory|conditional|posture): .*(s\.\d+|r\.\d+)", message), message


def test_residency_is_a_rule_of_the_house_and_binding_where_a_regulator_says_so() -> None:
    for control in CONTROLS:
        # CERT-In asks for logs within its jurisdiction, the DPDP Act does not.
        if control.id == "DPDP-RES-11":
            assert control.law.basis == "statutory" and control.law.binding == ("cert-in-iv",)
        elif control.id.startswith("DPDP-RES-"):
            assert control.law.basis == "posture" and not control.law.binding
    residency = next(one for one in CONTROLS if one.id == "DPDP-RES-01").law
    assert set(residency.regulated) == set(ENTITIES)


def test_dates_in_force_are_configuration() -> None:
    control = next(one for one in CONTROLS if one.id == "DPDP-LOG-03")
    shown = Shown("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 30})
    (before,) = of(run(shown), control.id)
    assert "in force from 2027-05-13" in before
    (after,) = of(run(shown, config={control.policy_name: {"inForceFrom": "2026-11-13"}}), control.id)
    assert "in force from 2026-11-13" in after
