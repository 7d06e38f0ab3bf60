"""GitHub's annotations: workflow commands on standard output, for where code scanning is not to be had.

Ten errors and ten warnings a step are shown, and the rest dropped without a word; so the worst ten of each go out, and
the job's summary has the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from policies.framework.record import Record, ReportedFinding
from policies.reports.positions import Positions

MOST = 10


def commands(record: Record, positions: Positions) -> Iterator[str]:
    """A line for each, as a step prints it."""
    stopping = [finding for finding in record.open if finding.stops]
    others = [finding for finding in record.open if not finding.stops]
    for kind, found in (("error", stopping), ("warning", others)):
        yield from (_command(kind, finding, positions) for finding in found[:MOST])


def _command(kind: str, finding: ReportedFinding, positions: Positions) -> str:
    line = positions.of(finding)
    title, message = f"{finding.control} {finding.what}", f"{finding.urn or 'the stack'}: {finding.message}"
    return f"::{kind} file={_property(line.file)},line={line.line},title={_property(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
