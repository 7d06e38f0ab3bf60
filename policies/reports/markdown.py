"""Findings as GitHub's Markdown: for a comment on a pull request, and a job's summary.

A comment holds 65,536 characters and a long one is refused whole, so rows stop where the room ends, with their number.
Whatever a program wrote into a name or a value stays text: no markup, no mention, no broken table.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies.framework.record import Record, ReportedFinding, name_of
from policies.reports.positions import Positions

COMMENT_ROOM = 60_000
SUMMARY_ROOM = 900_000  # a job's summary holds 1 MiB


@dataclass(frozen=True)
class Compared:
    """The findings that a change adds, keeps and ends, of those that nothing exempts."""

    new: Sequence[ReportedFinding]
    stayed: Sequence[ReportedFinding]
    mended: Sequence[ReportedFinding]

    @property
    def stops(self) -> bool:
        """Whether a finding after the change stops a preview."""
        return any(finding.stops for finding in (*self.new, *self.stayed))


def compare(before: Record | None, after: Record) -> Compared:
    """Findings by their fingerprints. Without a record from before, all are new."""
    old = Counter(finding.fingerprint for finding in before.open) if before else Counter[str]()
    now = Counter(finding.fingerprint for finding in after.open)
    new, stayed = _split(after.open, old)
    mended, _ = _split(before.open, now) if before else ([], [])
    return Compared(new, stayed, mended)


def policies(found: Compared, record: Record, positions: Positions, room: int) -> str:
    """The section on policies, at most `room` characters long."""
    exempt, old = len(record.of("exempt")), len(record.of("baseline"))
    stopping = sum(finding.stops for finding in (*found.new, *found.stayed))
    advice = len(found.new) + len(found.stayed) - stopping
    head = [
        f"### Policies: {_count(stopping, 'violation')}, {len(found.new)} new, {len(found.mended)} mended",
        "",
        f"{_count(advice, 'advisory', 'advisories')}, {exempt} exempt, {old} in the baseline; "
        f"{record.pack} {record.pack_version} over {record.resources} resources.",
        *(["", f"{record.not_judged}."] if record.not_judged else []),
    ]
    tables = [
        ("New", [finding for finding in found.new if finding.stops]),
        ("New advice", [finding for finding in found.new if not finding.stops]),
        ("Mended", found.mended),
        ("There before", found.stayed),
    ]
    text = "\n".join(head) + "\n"
    for title, findings in tables:
        if findings:
            text += _table(title, findings, positions, room - len(text))
    return text


def table(head: Sequence[str], rows: Iterable[Sequence[str]], room: int) -> str:
    """A table of escaped cells that ends where the room does, with how many rows are left out."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    rows = list(rows)
    left = room - sum(len(line) + 1 for line in lines) - 80
    for number, row in enumerate(rows):
        line = f"| {' | '.join(row)} |"
        if len(line) + 1 > left:
            lines.append(f"\n{len(rows) - number} more: they are in the job's artifacts.")
            break
        left -= len(line) + 1
        lines.append(line)
    return "\n".join(lines) + "\n"


def escaped(value: str) -> str:
    """Text in a cell: what a program wrote can't leave it, link, or call anybody."""
    flat = html.escape(" ".join(value.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~@])", lambda found: f"&#{ord(found[1])};", flat)


def _table(title: str, findings: Sequence[ReportedFinding], positions: Positions, room: int) -> str:
    body = table(
        ("control", "resource", "what, and the fix", "where"),
        [_row(finding, positions) for finding in findings],
        room - 200,
    )
    many = len(findings) > 10 or title in ("Mended", "There before")
    caption = f"{title} ({len(findings)})"
    if many:
        return f"\n<details><summary>{caption}</summary>\n\n{body}\n</details>\n"
    return f"\n**{caption}**\n\n{body}"


def _row(finding: ReportedFinding, positions: Positions) -> tuple[str, str, str, str]:
    line = positions.of(finding)
    mark = "❌" if finding.outcome == "fail" and finding.stops else "❔" if finding.stops else "⚠️"
    text = f"{finding.what}: {finding.where} = {finding.value}. {finding.fix}"
    return (
        f"{mark} {finding.control} ({finding.severity})",
        escaped(name_of(finding.urn)),
        escaped(text),
        escaped(f"{line.file}:{line.line}"),
    )


def _split(
    findings: Sequence[ReportedFinding], known: Counter[str]
) -> tuple[list[ReportedFinding], list[ReportedFinding]]:
    """Those that are not known, and those that are; a second finding at one place is another one."""
    left, other, same = known.copy(), [], []
    for finding in findings:
        left[finding.fingerprint] -= 1
        (same if left[finding.fingerprint] >= 0 else other).append(finding)
    return other, same


def _count(number: int, word: str, words: str = "") -> str:
    return f"{number} {word if number == 1 else words or f'{word}s'}"
