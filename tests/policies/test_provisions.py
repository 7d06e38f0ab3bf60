"""What the pack says of the law is a row of the table: every citation, its date, and for whom it is statutory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import analyzer_pb2 as proto

from policies import law
from policies.configuration.profiles import PROFILES
from policies.configuration.written import config
from policies.law import ENTITIES, Law, instruments, provisions
from policies.pack import CONTROLS
from policies.reports import control_pages
from tests.policies.harness import UNKNOWN, Shown, fixtures, of, put, run, run_and_record, unresolved

PROJECT = Path(__file__).parents[2]
LAWS = {name: found for name, found in vars(law).items() if isinstance(found, Law)}
TEXTS = [
    *(
        file
        for suffix in ("py", "yaml", "md", "json", "j2")
        for file in PROJECT.glob(f"policies/**/*.{suffix}")
    ),
    *PROJECT.glob("docs/**/*.md"),
    *PROJECT.glob("infra/**/*.py"),
    PROJECT / "README.md",
]
_LETTERS = r"(?:\([0-9a-z]{1,4}\))"
# The shapes of a citation: a section, a rule, a direction, a number of RBI's, SEBI's or the Gazette's.
SHAPES = {
    "section": re.compile(rf"(?<![\w.])s\.(\d+[A-Z]?{_LETTERS}*)"),
    "rule": re.compile(rf"(?:(?<![\w.])r\.|\b[Rr]ule )(\d+{_LETTERS}*)"),
    "direction": re.compile(r"CERT-In[^;:.]{0,60}?(\([ivx]+\))"),
    "RBI": re.compile(r"\b(RBI/[\w/-]*\d|DPSS\.CO\.OD\.No \d+/[\d./-]*\d)"),
    "SEBI": re.compile(r"\b(SEBI/HO/[\w/-]*\d)"),
    "gazette": re.compile(r"\b(G\.S\.R\. \d+\(E\))"),
    "act": re.compile(r"\b(Act \d+ of \d{4})"),
    "FAQ": re.compile(r"\b(Q\d\d)\b"),
}
# Named beside the rows, as the source of a day: what commenced the Act, and where SEBI last spoke of the abeyance.
BESIDE = {"G.S.R. 843(E)", "SEBI/HO/ITD-1/ITD_CSC_EXT/P/CIR/2025/119"}


def citations(text: str) -> Iterator[tuple[str, str]]:
    for shape, expression in SHAPES.items():
        for found in expression.finditer(text):
            yield shape, found[1]


def _known() -> dict[str, set[str]]:
    rows = provisions().values()
    references = {one.reference for one in instruments().values()} | {row.provision for row in rows}
    return {
        "section": {row.provision.removeprefix("s.") for row in rows if row.provision.startswith("s.")},
        "rule": {row.provision.removeprefix("r.") for row in rows if row.provision.startswith("r.")},
        "direction": {row.provision for row in rows if row.instrument == "cert-in"},
        **dict.fromkeys(("RBI", "SEBI", "gazette", "act", "FAQ"), references | BESIDE),
    }


def strangers(text: str) -> list[tuple[str, str]]:
    known = _known()
    return [(shape, cited) for shape, cited in citations(text) if cited not in known[shape]]


def test_the_detector_detects() -> None:
    assert strangers("as r.6(1)(z) says") == [("rule", "6(1)(z)")]
    assert strangers("(Rule 22) and s.9") == [("section", "9"), ("rule", "22")]
    assert strangers("CERT-In Directions of 28 April 2022 (vi)") == [("direction", "(vi)")]
    assert strangers("RBI/2017-18/154; SEBI/HO/ITD/ITD_VAPT/P/CIR/2023/034") == [
        ("RBI", "RBI/2017-18/154"),
        ("SEBI", "SEBI/HO/ITD/ITD_VAPT/P/CIR/2023/034"),
    ]
    assert not strangers("s.8(5), Rule 6(1)(a), CERT-In (iv), RBI/2017-18/153, args.8(1)")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_citation_is_a_row(path: Path) -> None:
    assert not strangers(path.read_text(encoding="utf-8"))


def test_every_citation_of_a_profile_is_a_row() -> None:
    for profile in PROFILES.values():
        assert not strangers(profile.about)


def test_no_row_is_idle() -> None:
    """A row is named by a law, or by a page or profile in words of its own."""
    used = {one for found in LAWS.values() for one in found.ids}
    written = " ".join(
        file.read_text(encoding="utf-8")
        for file in TEXTS
        if file.name not in ("provisions.yaml", "provisions.md")
    )
    said = {cited for _, cited in citations(written)}
    for id_, row in provisions().items():
        cited = row.provision.removeprefix("s.").removeprefix("r.")
        alone = [one.instrument for one in provisions().values()].count(row.instrument) == 1
        by_name = row.cited in written or (alone and row.of.short in written)
        assert id_ in used or cited in said or row.of.reference in said or by_name, f"nobody cites {id_}"


def test_no_instrument_is_idle() -> None:
    assert {row.instrument for row in provisions().values()} == set(instruments())


def test_every_law_names_rows_and_only_binding_ones_as_binding() -> None:
    for name, found in LAWS.items():
        assert set(found.ids) <= set(provisions()), name
        assert all(provisions()[one].binding for one in found.binding), name
        assert (found.basis == "posture") == (not found.binding), f"{name}: a posture binds nobody"
        for entity, ids in found.regulated.items():
            assert any(provisions()[one].binding for one in ids), f"{name} for {entity}"


def test_a_status_agrees_with_its_day() -> None:
    for id_, row in provisions().items():
        if row.status == "from its day":
            assert row.in_force and row.in_force > row.of.read, id_
        elif row.in_force:
            assert row.in_force <= row.of.read, id_
        else:
            assert row.status == "no law", id_
        assert row.requires.endswith(".") and row.binds and row.of.source and row.of.read <= date.today(), id_


def test_cert_in_binds_already_and_the_rules_do_not() -> None:
    for one in ("cert-in-i", "cert-in-ii", "cert-in-iv"):
        row = provisions()[one]
        assert row.when() == (
            "in force from 2022-06-28, micro, small and medium enterprises from 2022-09-25"
        ), "its own day, whatever stands beside it"
        assert "2022-06-28" in row.when("2026-11-13"), "a configured day is for what is still to come"
    assert "2026-11-13" in provisions()["rules-7"].when("2026-11-13")


DATED = re.compile(r"\(((?:in force from|no law, of) [^()]*)\)")


def _dates_are_the_rows(text: str) -> None:
    """Each `(in force from …)` follows provisions of which each has that very day."""
    assert DATED.search(text) or "house rule" in text, text
    for row in provisions().values():
        # The power that Directions are given under stands beside them without a day of its own.
        for found in re.finditer(r"(?<!under )" + re.escape(row.cited) + r"(?![\w(])", text):
            after = DATED.search(text, found.end())
            assert after and after[1] == row.when(), (row.cited, text)


@pytest.mark.parametrize("name", LAWS)
def test_dates_in_messages_are_the_rows(name: str) -> None:
    for settings in ({}, *({"regulatedAs": [one]} for one in ENTITIES)):
        _dates_are_the_rows(LAWS[name].stated(settings).text)


@pytest.mark.parametrize("page", [name for name in control_pages.pages() if name.startswith("dpdp-")])
def test_dates_on_pages_are_the_rows(page: str) -> None:
    text = control_pages.pages()[page]
    section = text[text.index("## The law") : text.index("## What is checked")]
    _dates_are_the_rows(section)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_no_page_says_statutory_where_no_provision_binds(control: Any) -> None:
    binding = any(found.binding or found.regulated for found in control.laws)
    page = control_pages.pages()[f"{control.id.lower()}.md"]
    assert ("tatutory" in page) <= binding


@pytest.mark.slow
def test_every_findings_law_is_one_that_its_control_declares() -> None:
    stated = {control.id: {found.cited for found in control.laws} for control in CONTROLS}
    for shown in _bad():
        _, record = run_and_record(shown)
        for told in record.findings:
            assert told.law in stated[told.control], told.message


def _bad() -> Iterator[Shown]:
    for rows in fixtures().values():
        for row in rows:
            for value in row["bad"][:1]:
                yield Shown(row["type"], put(row.get("props", {}), row["path"], value))


# The basis turns with the profile.
ABROAD = Shown("aws:sqs/queue:Queue", {"region": "us-east-1", "tags": {"dpdp:data-class": "personal"}})
BUCKET = Shown("aws:s3/bucket:Bucket", {"bucket": "b"})


def profile(name: str) -> dict[str, dict[str, Any]]:
    """A profile as the engine hands it over."""
    return {
        policy: {key: one.upper() if key == "enforcementLevel" else one for key, one in given.items()}
        for policy, given in config(PROFILES[name]).items()
    }


@pytest.mark.parametrize(
    ("name", "basis", "cites"),
    [
        ("default", "posture", "house rule"),
        ("dpdp-only", "posture", "house rule"),
        ("sdf", "posture", "house rule"),
        ("govt-meity", "posture", "house rule"),
        ("sebi-re", "statutory", "SEBI/HO/ITD/ITD_VAPT/P/CIR/2023/033"),
        ("rbi-payments", "statutory", "RBI/2017-18/153"),
        ("rbi-digital-lending", "statutory", "RBI/2025-26/36"),
        ("irdai", "statutory", "IRDAI, Maintenance of Information Regulations 2025"),
    ],
)
def test_where_data_lies_is_statutory_for_whom_a_regulator_binds(name: str, basis: str, cites: str) -> None:
    diagnostics, record = run_and_record(ABROAD, config=profile(name))
    (message,) = of(diagnostics, "DPDP-RES-01")
    assert f"; basis: {basis}: " in message and cites in message
    evidence = {one.id: one for one in record.controls}
    assert evidence["DPDP-RES-01"].basis == basis and cites in evidence["DPDP-RES-01"].law
    assert evidence["DPDP-RES-15"].basis == "posture", "no provision asks for a guardrail"
    assert evidence["DPDP-GOV-01"].basis == "posture", "nor for tags"


def test_whose_key_is_statutory_for_sebi_alone() -> None:
    for name in PROFILES:
        for message in of(run(BUCKET, config=profile(name)), "DPDP-ENC-01"):
            assert ("; basis: statutory: SEBI" in message) == (name == "sebi-re"), name


def test_models_abroad_are_statutory_for_sebi_alone() -> None:
    """RBI and IRDAI speak of where data is stored."""
    inference = next(control for control in CONTROLS if control.id == "DPDP-RES-13").law
    assert {one for one in ENTITIES if inference.stated({"regulatedAs": [one]}).basis == "statutory"} == {
        "sebi-re"
    }


def test_copies_of_logs_are_no_breach_of_cert_ins_directions() -> None:
    abroad = "arn:aws:logs:us-east-1:000000000000:destination:d"
    copy = Shown("aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", {"destinationArn": abroad})
    (message,) = of(run(copy), "DPDP-RES-11")
    assert "; basis: posture: " in message
    only = Shown(
        "aws:route53/queryLog:QueryLog",
        {"cloudwatchLogGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g"},
    )
    (message,) = of(run(only), "DPDP-RES-11")
    assert "; basis: statutory: CERT-In" in message and "in force from 2022-06-28" in message


def test_an_entity_that_nobody_knows_turns_nothing() -> None:
    found = LAWS["RESIDENCY"].stated({"regulatedAs": ["somebody"]})
    assert found == LAWS["RESIDENCY"].stated({})


# The profile dpdp-only is what it says.
@pytest.mark.slow
def test_dpdp_only_stops_nobody_for_what_no_law_asks() -> None:
    """Every mandatory finding of every bad fixture is statutory, and none of them a residency one."""
    given = profile("dpdp-only")
    stopped = 0
    for shown in _bad():
        _, record = run_and_record(shown, config=given)
        for told in record.findings:
            if told.stops:
                stopped += 1
                assert told.basis == "statutory" and not told.control.startswith(
                    ("DPDP-RES-", "DPDP-GOV-")
                ), told.message
    assert stopped > 100


def test_dpdp_only_takes_a_bucket_that_s3_encrypts() -> None:
    assert not of(run(BUCKET, config=profile("dpdp-only")), "DPDP-ENC-01")


def _levels(shown: Shown, given: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    found = run(shown, config=given)
    return {
        re.findall(r"\[([\w-]+)\]", one.message)[0]: one.enforcementLevel
        for one in found
        if one.policyName == "dpdp-unresolved-values"
    }


def test_an_unknown_value_is_no_worse_than_the_control_that_needs_it() -> None:
    open_region = Shown(ABROAD.type, {**ABROAD.props, "region": UNKNOWN})
    assert _levels(open_region, profile("dpdp-only"))["DPDP-RES-01"] == proto.ADVISORY
    assert _levels(open_region, profile("default"))["DPDP-RES-01"] == proto.MANDATORY
    disk = Shown("aws:ebs/volume:Volume", {"encrypted": UNKNOWN})
    assert _levels(disk, profile("dpdp-only"))["DPDP-ENC-01"] == proto.MANDATORY
    lower = {**profile("default"), "dpdp-unresolved-values": {"enforcementLevel": "ADVISORY"}}
    assert set(_levels(open_region, lower).values()) == {proto.ADVISORY}
    _, record = run_and_record(open_region, disk, config=profile("dpdp-only"))
    stops = {told.control: told.stops for told in record.findings if told.outcome == "unresolved"}
    assert not stops["DPDP-RES-01"] and stops["DPDP-ENC-01"]
    assert unresolved(run(open_region, config=profile("dpdp-only")), "DPDP-RES-01"), "and never silent"


def test_dpdp_only_is_not_stopped_by_an_unknown_value_that_no_control_lists() -> None:
    unlisted = Shown(
        "aws:lambda/function:Function", {"description": UNKNOWN, "someday": {"endpoint": UNKNOWN}}
    )
    for name, level in (("default", proto.MANDATORY), ("dpdp-only", proto.ADVISORY)):
        assert _levels(unlisted, profile(name))["DPDP-GOV-04"] == level
