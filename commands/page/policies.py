"""Policies over what stands: findings, what answers for them, and the evidence by section of the law."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands.page.document import Cell, Mood, Section, Table, columns, listed, row
from commands.page.state import State
from localcloud.directories import PROJECT
from policies.configuration import schema
from policies.configuration.profiles import PROFILES, file_of
from policies.framework.record import Record, ReportedFinding, name_of
from policies.law import provisions
from policies.pack import CONTROLS
from policies.reports.evidence import STATUS, evidence
from policies.reports.positions import positions
from policies.runner import states

MOODS: Mapping[str, Mood] = {
    "fail": "bad",
    "unresolved": "bad",
    "encrypted": "warn",
    "advice": "warn",
    "pass": "good",
}


@dataclass(frozen=True)
class Judged:
    """What the pack found under a profile, and the same as evidence."""

    record: Record
    evidence: Mapping[str, Any]
    profile: str


def judge(state: State, profile: str) -> Judged:
    """The pack over a state, as `make audit` runs it.

    Raises:
        UnknownProfileError: there is no such profile.
    """
    record = states.judge(state.judged, schema.parse(file_of(profile)))
    return Judged(record, evidence(record, positions(state.resources, PROJECT, PROJECT)), profile)


def section(judged: Judged) -> Section:
    """Findings, exemptions, law and controls."""
    record = judged.record
    stops = sum(finding.stops for finding in record.open)
    said = f"{stops} violations, {len(record.open) - stops} advisories, under the profile {judged.profile}"
    answered = record.of("exempt", "baseline")
    tables = [
        *([_findings(record)] if record.open else []),
        *([_answers(answered)] if answered else []),
        _law(judged),
        _controls(judged.evidence["controls"]),
    ]
    words = [
        Cell(f"{said}.", mood(record)),
        *([Cell(f"{record.not_judged}.", "warn")] if record.not_judged else []),
        Cell(
            f"{'No' if not answered else len(answered)} findings are answered for by an exemption or the baseline."
        ),
        Cell(f"{judged.evidence['note']} `make audit` writes all of it for auditors."),
    ]
    return Section("policies", "Policies", words, tables)


def mood(record: Record) -> Mood:
    """How the policies look: good only where all could be judged."""
    if any(finding.stops for finding in record.open):
        return "bad"
    return "warn" if record.not_judged else "good"


def _findings(record: Record) -> Table:
    rows = [
        row(
            Cell("violation" if finding.stops else "advisory", "bad" if finding.stops else "warn"),
            finding.control,
            name_of(finding.urn),
            finding.what,
            finding.fix,
            f"{finding.basis}: {finding.law}",
        )
        for finding in record.open
    ]
    names = columns("is", "control", "resource", "found", "fix", "basis and law")
    return Table("Findings, the worst first", names, rows)


def _answers(answered: list[ReportedFinding]) -> Table:
    rows = [
        row(
            finding.control,
            name_of(finding.urn),
            finding.what,
            STATUS[finding.outcome],
            finding.answer or "baseline",
        )
        for finding in answered
    ]
    names = columns("control", "resource", "found", "is", "answered for by")
    return Table("Exemptions and the baseline", names, rows)


def _law(judged: Judged) -> Table:
    """Each provision that asks for what a control looks for, with what that control found."""
    by_provision: dict[str, list[Mapping[str, Any]]] = {}
    for control in judged.evidence["controls"]:
        for provision in _asks(control["id"], judged.profile):
            by_provision.setdefault(provision, []).append(control)
    rows = [
        row(
            provisions()[id].cited,
            provisions()[id].requires,
            provisions()[id].when(),
            _statuses(controls),
            listed(control["id"] for control in controls),
        )
        for id, controls in sorted(by_provision.items(), key=lambda pair: list(provisions()).index(pair[0]))
    ]
    names = columns("provision", "requires", "binds", "controls found", "controls")
    return Table(
        "Evidence by section of the law: provisions that ask for what a control looks for", names, rows
    )


def _asks(control: str, profile: str) -> Iterator[str]:
    """The provisions that bind to a control: everybody, and those whom the profile is for."""
    law = next(one.law for one in CONTROLS if one.id == control)
    yield from law.binding
    for entity in PROFILES[profile].regulated_as:
        yield from law.regulated.get(entity, ())


def _statuses(controls: list[Mapping[str, Any]]) -> Cell:
    counts = Counter(control["status"] for control in controls)
    worst = next((status for status in STATUS if counts[status]), "")
    return Cell(listed(f"{counts[one]} {STATUS[one]}" for one in STATUS if counts[one]), MOODS.get(worst, ""))


def _controls(controls: list[Mapping[str, Any]]) -> Table:
    rank = list(STATUS)
    rows = [
        row(
            control["id"],
            control["title"],
            Cell(STATUS[control["status"]], MOODS.get(control["status"], "")),
            str(control["resources"]) if control["resources"] else "the stack" if control["stack"] else "0",
            f"{control['basis']}: {control['law']}",
        )
        for control in sorted(controls, key=lambda one: rank.index(one["status"]))
    ]
    names = columns("control", "asks", "status", "#resources", "basis and law")
    return Table(f"All {len(rows)} controls", names, rows, folded=True)
