"""Evidence: control → resources → status → law, as JSON, CSV and a page that needs no network.

It says what was asked and found in one run, and claims no compliance.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import jinja2

from policies.framework.record import ControlRun, Record, ReportedFinding, name_of
from policies.reports.positions import Positions

PAGE = Path(__file__).with_name("evidence.html.j2")
STATUS = {
    "fail": "fail",
    "unresolved": "unresolved",
    "encrypted": "not judged",
    "advice": "advice",
    "exempt": "exempt",
    "baseline": "of old",
    "pass": "pass",
    "nothing": "nothing of this kind in the stack",
    "off": "off",
}
COLUMNS = (
    "control", "title", "severity", "level", "basis", "law", "status", "resources", "urn", "where", "value",
    "expected", "fix", "answer", "file", "line",
)  # fmt: skip


def status(control: ControlRun, found: list[ReportedFinding]) -> str:
    """A key of STATUS: the worst of what was found; `nothing` where no resource of the stack is of its kind."""
    kinds = {one.outcome for one in found}
    for kind in ("fail", "unresolved"):
        if any(one.stops and one.outcome == kind for one in found):
            return kind
    if "encrypted" in kinds:
        return "encrypted"
    if kinds & {"fail", "unresolved"}:
        return "advice"
    for answered in ("exempt", "baseline"):
        if answered in kinds:
            return answered
    if control.level == "disabled":
        return "off"
    return "pass" if control.resources or control.stack else "nothing"


def evidence(record: Record, positions: Positions) -> dict[str, Any]:
    """Every control of the run, with what it found."""
    return {
        "pack": f"{record.pack} {record.pack_version}",
        "stack": record.stack,
        "project": record.project,
        "made": record.made.isoformat(),
        "resources": record.resources,
        "notJudged": record.not_judged,
        "note": "What was asked and found in one run: no statement of compliance, and no legal advice.",
        "controls": [_control(record, control, positions) for control in record.controls],
    }


def as_json(evidence: dict[str, Any]) -> str:
    """The evidence as JSON."""
    return json.dumps(evidence, indent=1, ensure_ascii=False) + "\n"


def as_csv(evidence: dict[str, Any]) -> str:
    """A row for each finding, and one for each control without any. Formulas of spreadsheets stay text."""
    out = io.StringIO()
    rows = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    for control in evidence["controls"]:
        for finding in control["findings"] or [{}]:
            row = {**control, "control": control["id"], **finding}
            rows.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def as_page(evidence: dict[str, Any]) -> str:
    """The evidence as a page of HTML that needs no other file."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["name_of"] = name_of
    counts = Counter(control["status"] for control in evidence["controls"])
    return environment.from_string(PAGE.read_text(encoding="utf-8")).render(
        evidence, statuses=STATUS, counts=counts, today=date.today().isoformat()
    )


def _control(record: Record, control: ControlRun, positions: Positions) -> dict[str, Any]:
    found = [one for one in record.findings if one.control == control.id]
    return {
        **control.model_dump(),
        "status": status(control, found),
        "findings": [_finding(one, positions) for one in found],
    }


def _finding(finding: ReportedFinding, positions: Positions) -> dict[str, Any]:
    line = positions.of(finding)
    kept = ("outcome", "level", "urn", "what", "where", "value", "expected", "fix", "answer", "basis", "law")
    return {
        **{name: getattr(finding, name) for name in kept},
        "fingerprint": finding.fingerprint,
        "file": line.file,
        "line": line.line,
    }


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
