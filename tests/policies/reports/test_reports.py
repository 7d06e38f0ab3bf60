"""Every reader of the record: what each shows, its limits, and that nothing a program wrote breaks out of it."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sarif_pydantic import Sarif
from typer.testing import CliRunner

from policies import cli
from policies.framework.record import Record, ReportedFinding, write
from policies.reports import markdown
from policies.reports.annotations import commands
from policies.reports.evidence import STATUS, as_csv, as_page, evidence
from policies.reports.junit import junit
from policies.reports.positions import Line, NoPositionsError, Positions, positions, resources_of
from policies.reports.sarif import MOST_RESULTS, sarif
from tests.browser import Browser
from tests.policies.harness import Shown, run_and_record

pytestmark = pytest.mark.slow

TAGS = {"dpdp:data-class": "internal"}
ABROAD = Shown("aws:sqs/queue:Queue", {"region": "us-east-1", "tags": TAGS})
NOWHERE = Positions({})
AT = Positions({ABROAD.urn: Line("infra/queue.py", 7)})
RECORD = run_and_record(ABROAD)[1]
(TOLD,) = RECORD.findings


def having(findings: Sequence[ReportedFinding]) -> Record:
    return RECORD.model_copy(update={"findings": tuple(findings)})


def like(**changes: object) -> ReportedFinding:
    return TOLD.model_copy(update=changes)


NASTY = st.text(max_size=40) | st.sampled_from(
    [
        "a|b",
        "<script>alert(1)</script>",
        "@everyone",
        "`x`",
        "\n\n# title",
        "-->",
        "::error::x",
        "=1+1",
        "\x00\x1b",
        "]]>",
    ]
)
told = st.builds(
    like,
    what=NASTY,
    value=NASTY,
    where=NASTY,
    fix=NASTY,
    urn=st.just("") | NASTY.map(lambda name: f"urn:pulumi:test::project::a:b:C::{name}"),
    outcome=st.sampled_from(["fail", "unresolved", "exempt", "baseline"]),
    level=st.sampled_from(["mandatory", "advisory"]),
    severity=st.sampled_from(["critical", "high", "medium", "low"]),
)
records = st.lists(told, max_size=8).map(having)


def test_sarif_says_where_and_how_bad() -> None:
    (run,) = sarif(RECORD, AT)["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert (rule["id"], rule["properties"]["security-severity"]) == ("DPDP-RES-01", "9.5")
    assert "posture: house rule" in rule["help"]["text"]
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("DPDP-RES-01", "error")
    assert result["message"]["text"] == TOLD.message
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "infra/queue.py"}, "region": {"startLine": 7}}


@given(records)
def test_code_scanning_takes_the_file(record: Record) -> None:
    """What GitHub refuses a whole file for: a result without a line, an empty or absolute address, a lost rule."""
    log = sarif(record, NOWHERE)
    Sarif.model_validate(json.loads(json.dumps(log)))
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) == len(record.open)
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert (
            re.fullmatch(r"[^/:][^:]*", place["artifactLocation"]["uri"])
            and place["region"]["startLine"] >= 1
        )
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert all(len(rule["properties"]["tags"]) <= 20 for rule in rules)
    prints = [json.dumps(result["partialFingerprints"]) for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_sarif_keeps_the_worst_and_says_how_many_it_left_out() -> None:
    advice = [like(level="advisory", where=f"p[{number}]") for number in range(MOST_RESULTS)]
    (run,) = sarif(having([*advice, TOLD]), AT)["runs"]
    assert len(run["results"]) == MOST_RESULTS
    assert run["results"][0]["level"] == "error"
    assert run["properties"]["left out"] == 1


def test_what_is_exempt_or_of_old_is_no_alert() -> None:
    assert sarif(having([like(outcome="exempt"), like(outcome="baseline")]), AT)["runs"][0]["results"] == []


def test_annotations_are_the_worst_ten_of_each_kind() -> None:
    many = [like(level=level, where=f"p[{n}]") for level in ("advisory", "mandatory") for n in range(12)]
    lines = list(commands(having([*many, like(severity="low", where="last")]), AT))
    assert [line.split(" ", 1)[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10
    assert lines[0].startswith(
        "::error file=infra/queue.py,line=7,title=DPDP-RES-01 the place is not in India::"
    )
    assert not any("last" in line for line in lines)


@given(records)
def test_an_annotation_is_one_command(record: Record) -> None:
    for line in commands(record, NOWHERE):
        assert "\n" not in line and "\r" not in line
        assert re.match(r"::(error|warning) file=Pulumi\.yaml,line=1,title=[^:,]*::", line)


@given(records)
def test_junit_is_xml_with_a_case_for_each_control(record: Record) -> None:
    suite = ElementTree.fromstring(junit(record, NOWHERE))[0]
    assert len(suite) == len(record.controls) == int(suite.attrib["tests"])
    failed = {case.attrib["classname"] for case in suite if case.find("failure") is not None}
    assert failed == {told.control for told in record.findings if told.stops}


def test_junit_says_the_line() -> None:
    assert f"infra/queue.py:7: {ABROAD.urn}: [DPDP-RES-01]" in junit(RECORD, AT)


def test_a_comment_tells_new_from_old_from_mended() -> None:
    old, gone = like(where="old"), like(where="gone")
    before, after = having([old, gone]), having([old, like(where="new")])
    found = markdown.compare(before, after)
    assert [[told.where for told in kind] for kind in (found.new, found.stayed, found.mended)] == [
        ["new"],
        ["old"],
        ["gone"],
    ]
    text = markdown.policies(found, after, AT, markdown.COMMENT_ROOM)
    assert "### Policies: 2 violations, 1 new, 1 mended" in text
    assert "infra/queue.py:7" in text


@given(st.lists(told, max_size=6), st.lists(told, max_size=6))
def test_every_finding_is_new_or_stayed_and_every_old_one_stayed_or_is_mended(
    before: list[ReportedFinding], after: list[ReportedFinding]
) -> None:
    was, now = having(before), having(after)
    found = markdown.compare(was, now)
    assert sorted(one.fingerprint for one in (*found.new, *found.stayed)) == sorted(
        o.fingerprint for o in now.open
    )
    assert len(found.mended) + len(found.stayed) == len(was.open)


def test_a_comment_fits_whatever_is_found() -> None:
    many = [like(where=f"p[{number}]", what="x" * 300) for number in range(5000)]
    for room in (2000, markdown.COMMENT_ROOM):
        text = markdown.policies(markdown.compare(having(many[:2500]), having(many)), having(many), AT, room)
        assert len(text) <= room
        assert re.search(r"\d+ more: they are in the job's artifacts", text)
        assert text.count("<details>") == text.count("</details>")


@given(records)
def test_nothing_in_a_comment_is_markup_of_somebody_elses(record: Record) -> None:
    text = markdown.policies(markdown.compare(None, record), record, NOWHERE, markdown.COMMENT_ROOM)
    rows = [line for line in text.splitlines() if line.startswith(("| ❌", "| ⚠️", "| ❔"))]
    assert len(rows) == len(record.open)
    for row in rows:
        assert row.count("|") == 5
        assert not set("<>`@") & set(row)


def test_evidence_has_a_row_for_every_control_and_keeps_formulas_text() -> None:
    record = having([like(value="=HYPERLINK(1)", outcome="exempt", answer="dpdp-exemptions.yaml[0]"), TOLD])
    rows = list(csv.DictReader(io.StringIO(as_csv(evidence(record, AT)))))
    assert {row["control"] for row in rows} == {control.id for control in record.controls}
    ours = [row for row in rows if row["control"] == "DPDP-RES-01"]
    assert [(row["status"], row["line"], row["value"]) for row in ours] == [
        ("fail", "7", "'=HYPERLINK(1)"),
        ("fail", "7", "'us-east-1'"),
    ]


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([TOLD, like(outcome="exempt")], "fail"),
        ([like(outcome="unresolved")], "unresolved"),
        ([like(level="advisory")], "advice"),
        ([like(outcome="exempt")], "exempt"),
        ([like(outcome="baseline")], "baseline"),
        ([], "pass"),
    ],
)
def test_a_controls_status_is_the_worst_of_its_findings(findings: list[ReportedFinding], status: str) -> None:
    by_id = {control["id"]: control for control in evidence(having(findings), AT)["controls"]}
    assert by_id["DPDP-RES-01"]["status"] == status
    assert by_id["DPDP-RES-02"]["status"] == "nothing", "no provider was shown"
    assert by_id["DPDP-RES-01"]["law"]


@given(records)
def test_a_page_escapes_what_a_program_wrote(record: Record) -> None:
    page = as_page(evidence(record, NOWHERE))
    assert "<script" not in page
    assert not re.search(r"(src|href)\s*=", page), "it needs no network"
    for one in record.findings:
        assert html.escape(one.what, quote=False).split()[:1] == [] or one.control in page


def test_the_page_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    record = having(
        [
            TOLD,
            like(outcome="unresolved", control="DPDP-RES-02"),
            like(control="DPDP-ENC-01", level="advisory"),
        ]
    )
    file = tmp_path / "evidence.html"
    file.write_text(as_page(evidence(record, AT)))
    shown = browser.text(file)
    for words in (
        *(STATUS[key] for key in ("fail", "unresolved", "advice", "nothing")),
        "infra/queue.py:7",
        "posture",
    ):
        assert words in shown
    picture = browser.picture(file, tmp_path / "evidence.png")
    assert browser.colours(picture) > 20, "a bar, red, orange and text, not a white sheet"


def test_lines_are_those_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    resources = [
        {"urn": "a", "sourcePosition": "project:///../infra/a.py#3"},
        {"urn": "b", "sourcePosition": "project:///../.venv/lib/site-packages/x.py#9", "stackTrace": [
            {"sourcePosition": "project:///../.venv/lib/x.py#9"}, {"sourcePosition": f"file://{tmp_path}/b%20c.py#4,2"}]},
        {"urn": "c", "sourcePosition": "file:///usr/lib/python3/x.py#1"},
        {"urn": "d"},
        {"urn": "e", "sourcePosition": "project:///a.py#none"},
    ]  # fmt: skip
    found = positions(resources, tmp_path / "stack", tmp_path)
    assert found.by_urn == {"a": Line("infra/a.py", 3), "b": Line("b c.py", 4)}
    assert found.of(like(urn="c")) == Line("stack/Pulumi.yaml", 1)


def test_resources_come_from_a_preview_or_a_state(tmp_path: Path) -> None:
    file = tmp_path / "it.json"
    file.write_text(json.dumps({"steps": [{"newState": {"urn": "a"}}, {"op": "delete"}]}))
    assert resources_of(file) == [{"urn": "a"}]
    file.write_text(json.dumps({"version": 3, "deployment": {"resources": [{"urn": "b"}]}}))
    assert resources_of(file) == [{"urn": "b"}]
    for text in ("", "[]", "{}", '{"deployment": null}'):
        file.write_text(text)
        with pytest.raises(NoPositionsError, match="neither"):
            resources_of(file)


def test_the_command_writes_every_report_and_ends_as_a_check_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(RECORD, tmp_path / "findings.json")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = CliRunner().invoke(cli.app, ["report", "findings.json", "--out", "out"])
    assert result.exit_code == 1 and "::error file=Pulumi.yaml,line=1" in result.output
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "comment.md", "evidence.csv", "evidence.html", "evidence.json", "findings.json", "findings.sarif", "junit.xml",
    ]  # fmt: skip
    assert (tmp_path / "out" / "comment.md").read_text().startswith(cli.MARK)
    write(having([]), tmp_path / "clean.json")
    assert CliRunner().invoke(cli.app, ["report", "clean.json", "--before", "findings.json"]).exit_code == 0
    assert "1 mended" in (tmp_path / "dpdp-reports" / "comment.md").read_text()
    for name, entries in (
        ("dpdp-baseline.json", [{"control": "c", "urn": "u", "where": "w"}]),
        ("old.json", []),
    ):
        (tmp_path / name).write_text(json.dumps({"findings": entries}))
    grown = CliRunner().invoke(cli.app, ["report", "clean.json", "--old-baseline", "old.json"])
    assert grown.exit_code == 1 and "dpdp-baseline.json grows by c u w" in grown.output
    assert "no findings" in CliRunner().invoke(cli.app, ["report", "none.json"]).output
