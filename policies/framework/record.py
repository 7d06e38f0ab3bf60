"""What one run of the pack found, as data: every reader (SARIF, a comment, evidence …) starts from this.

The pack writes it where `INDIA_DPDP_FINDINGS` names a file, at the end of a preview or an update of any program. A run
that ends before its stack is looked at writes none, and one that an earlier run wrote is gone by then.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from policies.framework import project

FILE = "INDIA_DPDP_FINDINGS"
VERSION = 1
_LONGEST_VALUE = 120

# `encrypted`: a state that was audited keeps the value as ciphertext; it is not known, as `unresolved` is in a preview.
Outcome = Literal["fail", "unresolved", "encrypted", "exempt", "baseline"]
Level = Literal["mandatory", "advisory", "remediate", "disabled"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class ReportedFinding(_Entry):
    """One finding. `urn` is empty where the whole stack is meant, `where` a path of properties, `value` shortened text.

    `answer` names the entry that exempts it. `level` is the one that the policy had in this run.
    """

    control: str
    policy: str
    outcome: Outcome = "fail"
    level: Level = "mandatory"
    severity: str
    urn: str
    what: str
    where: str
    value: str
    expected: str
    fix: str
    basis: str
    law: str
    answer: str = ""

    @property
    def message(self) -> str:
        """`[ID] what; where = value; expected; fix; basis`: one line, the same for every control, ending in the law."""
        return "; ".join(
            (
                f"[{self.control}] {self.what}",
                f"at {self.where} = {self.value}",
                f"expected: {self.expected}",
                f"fix: {self.fix}",
                f"basis: {self.basis}: {self.law}",
            )
        )

    @property
    def stops(self) -> bool:
        """Whether it ends a preview, an update or an audit."""
        stopping = self.outcome in ("fail", "unresolved", "encrypted")
        return stopping and self.level in ("mandatory", "remediate")

    @property
    def fingerprint(self) -> str:
        """The same for a finding wherever it moves in the code, and in every stack of the project."""
        identity = "|".join((self.control, without_stack(self.urn), self.where))
        return hashlib.sha256(identity.encode()).hexdigest()[:32]


class ControlRun(_Entry):
    """A control as it was in this run: its level, and how many resources it looked at; `stack` if at the whole too."""

    id: str
    title: str
    severity: str
    level: Level
    basis: str
    law: str
    remedy: str
    resources: int
    stack: bool


class Record(_Entry):
    """A run. `made` is when (ISO, UTC), `resources` how many the stack had."""

    version: Literal[1] = VERSION
    pack: str
    pack_version: str
    stack: str
    project: str
    made: datetime = Field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    resources: int
    controls: tuple[ControlRun, ...]
    findings: tuple[ReportedFinding, ...]

    def of(self, *outcomes: Outcome) -> list[ReportedFinding]:
        """The findings with one of these outcomes, in the order of the run."""
        return [finding for finding in self.findings if finding.outcome in outcomes]

    @property
    def open(self) -> list[ReportedFinding]:
        """The findings that neither an exemption nor the baseline covers, the worst first."""
        return sorted(self.of("fail", "unresolved"), key=_worst_first)

    @property
    def stops(self) -> bool:
        """Whether anything that was found, or could not be judged, ends a preview, an update or an audit."""
        return any(finding.stops for finding in self.findings)

    @property
    def unjudged(self) -> int:
        """How many resources a state's ciphertext kept from a control."""
        return len({finding.urn for finding in self.of("encrypted")})

    @property
    def not_judged(self) -> str:
        """The same as a sentence, once for the whole state; empty where nothing was kept from them."""
        count = self.unjudged
        if not count:
            return ""
        return (
            f"Not judged: {count} {'resource' if count == 1 else 'resources'} whose values are secret in this export; "
            "`pulumi stack export --show-secrets`, piped into STATE=/dev/stdin, lets the policies judge them"
        )


class NoRecordError(Exception):
    """There is no record to read; the message says what to do."""


def read(file: Path) -> Record:
    """A record that the pack wrote.

    Raises:
        NoRecordError: the file is missing or is none.
    """
    if not file.exists():
        raise NoRecordError(
            f"{file}: the pack wrote no findings: the preview ended before the stack was looked at, so mend its errors "
            f"first; or {FILE} named another file"
        )
    try:
        return Record.model_validate_json(file.read_bytes())
    except ValueError as error:
        raise NoRecordError(
            f"{file} is no record of findings: {str(error).splitlines()[0]}; run the preview again"
        ) from None


def write(record: Record, file: Path) -> None:
    """Write a record, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f".{file.name}.{os.getpid()}")
    half.write_text(record.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
    half.replace(file)


def record_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the record goes, if anybody wants it; a relative path begins where the program is."""
    return project.folder() / environment[FILE] if environment.get(FILE) else None


def brief(value: Any) -> str:
    """A value as a finding shows it."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def without_stack(urn: str) -> str:
    """A URN without the stack's name: the same resource in every stack."""
    head, _, rest = urn.partition("::")
    return f"{head.rpartition(':')[0]}::{rest}" if rest else urn


def type_of(urn: str) -> str:
    """A resource's type, without those of the components that it is in."""
    return urn.split("::")[2].rpartition("$")[2] if urn.count("::") > 2 else ""


def name_of(urn: str) -> str:
    """A resource's own name; of an empty URN, the stack."""
    return urn.rpartition("::")[2] or "the stack"


_WORST = ("critical", "high", "medium", "low")


def _worst_first(finding: ReportedFinding) -> tuple[bool, int, str, str, str]:
    return (not finding.stops, _WORST.index(finding.severity), finding.control, finding.urn, finding.where)
