"""Exemptions: findings that somebody answers for until a day, in `dpdp-exemptions.yaml` beside the program.

    - control: DPDP-RES-01
      urn: "urn:pulumi:prod::shop::aws:s3/bucket:Bucket::cdn-*"   # a glob
      reason: static assets only, looked at by the privacy team
      owner: web-platform
      approver: privacy-office
      ticket: PRIV-214
      expires: 2027-01-31    # the last day that it holds

`INDIA_DPDP_EXEMPTIONS` names another file. GOV-03 refuses an exemption that is malformed, expired, of an unknown
control or of no use; what is exempt is listed, with its number, in every preview.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any

import yaml
from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policies.framework import project
from policies.framework.baseline import Baseline
from policies.framework.control import Control, Finding
from policies.framework.record import ReportedFinding
from policies.framework.resources import Settings, Stack
from policies.law import EXEMPTIONS

FILE, ELSEWHERE = "dpdp-exemptions.yaml", "INDIA_DPDP_EXEMPTIONS"
LISTED = "dpdp-exempt-findings"
MOST_DAYS = 365


class Exemption(BaseModel):
    """One entry. `urn` is a glob over whole URNs, the stack's name included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: str = Field(min_length=1)
    urn: str = Field(min_length=1)
    reason: str = Field(min_length=20)
    owner: str = Field(min_length=1)
    approver: str = Field(min_length=1)
    ticket: str = Field(min_length=1)
    expires: date

    def speaks_of(self, stack: str) -> bool:
        """Whether it could match a resource of a stack."""
        return fnmatchcase(f"urn:pulumi:{stack}", self.urn.partition("::")[0])


@dataclass
class Exemptions:
    """The entries of a file, which of them were used, and what is wrong with the others. A day is `today` for all."""

    entries: Sequence[tuple[str, Exemption]] = ()
    problems: Sequence[Finding] = ()
    today: date = field(default_factory=date.today)
    _used: dict[tuple[str, str, str], str] = field(default_factory=dict)  # control, URN, message → entry
    _lock: Lock = field(default_factory=Lock)  # the servicer answers on several threads

    def covers(self, finding: ReportedFinding) -> str:
        """The entry that exempts a finding today, empty for none; it is noted as used."""
        for where, entry in self.entries:
            if (
                entry.control == finding.control
                and self.today <= entry.expires
                and fnmatchcase(finding.urn, entry.urn)
            ):
                with self._lock:
                    self._used[finding.control, finding.urn, finding.message] = where
                return where
        return ""

    def used(self) -> list[tuple[Exemption, str, str]]:
        """Each exempt finding: its exemption, the URN and the finding's message."""
        by_place = dict(self.entries)
        return [(by_place[where], urn, message) for (_, urn, message), where in sorted(self._used.items())]

    def wrong(self, stack: str, max_days: int, judge_use: bool = True) -> Iterator[Finding]:
        """Every problem: of the file, and of entries that have expired, hold too long or were of no use to `stack`."""
        yield from self.problems
        of_use = set(self._used.values())
        for where, entry in self.entries:
            days = (entry.expires - self.today).days
            if days < 0:
                yield Finding(
                    "the exemption has expired", where, str(entry.expires), "a later day, approved again"
                )
            elif days > max_days:
                expected = f"{max_days} days from now at most"
                yield Finding("the exemption holds too long", where, str(entry.expires), expected)
            elif judge_use and where not in of_use and entry.speaks_of(stack):
                expected = "a finding that it exempts: remove it"
                yield Finding("the exemption is of no use", where, f"{entry.control} {entry.urn}", expected)


def read(controls: Sequence[str], folder: Path | None = None, today: date | None = None) -> Exemptions:
    """The exemptions beside a program (in `folder`, else where it is), for controls of these ids."""
    file = (folder or project.folder()) / (os.environ.get(ELSEWHERE) or FILE)
    day = today or date.today()
    if not file.exists():
        named = ELSEWHERE in os.environ
        missing = (
            Finding("there is no such file", ELSEWHERE, str(file), "a file that exists") if named else None
        )
        return Exemptions(problems=[missing] if missing else (), today=day)
    try:
        written = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        return Exemptions(problems=[Finding("the file can't be read", FILE, str(error), "YAML")], today=day)
    if not isinstance(written, list):
        return Exemptions(problems=[Finding("the file holds no list", FILE, written, "a list")], today=day)
    entries, problems = [], []
    for number, given in enumerate(written):
        found = _entry(f"{FILE}[{number}]", given, controls)
        if isinstance(found, Exemption):
            entries.append((f"{FILE}[{number}]", found))
        else:
            problems += found
    return Exemptions(entries, problems, day)


def _entry(where: str, given: Any, controls: Sequence[str]) -> Exemption | list[Finding]:
    try:
        entry = Exemption.model_validate(given)
    except ValidationError as error:
        return [
            Finding(
                "the exemption is malformed",
                ".".join([where, *map(str, one["loc"])]),
                one.get("input"),
                one["msg"],
            )
            for one in error.errors(include_url=False)
        ]
    if entry.control not in controls:
        near = get_close_matches(entry.control, controls, n=1)
        expected = f"an id of a control{f', such as {near[0]}' if near else ''}"
        return [Finding("the exemption is of no control", f"{where}.control", entry.control, expected)]
    if entry.owner == entry.approver:
        return [
            Finding(
                "the exemption approves itself",
                f"{where}.approver",
                entry.approver,
                "somebody other than its owner",
            )
        ]
    return entry


def valid(exemptions: Exemptions, baseline: Baseline) -> Control:
    """GOV-03, over the exemptions and the baseline of one run."""

    def check(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
        """GOV-03: an exemption has a reason, an owner, another's approval, a ticket, a day, and a use; a baseline
        holds only findings that are still there."""
        allowed = bool(settings.get("allowed", True))
        # What a preview could not know, an update knows: only a preview tells what is of use.
        judge_use = os.environ.get("PULUMI_DRY_RUN") != "false"
        if not allowed:
            for where, entry in exemptions.entries:
                yield "", Finding("no exemption is allowed here", where, entry.control, "none")
        for one in exemptions.wrong(stack.name, int(settings.get("maxDays", MOST_DAYS)), judge_use):
            yield "", one
        for one in baseline.wrong(stack.name, allowed, judge_use):
            yield "", one

    return Control(
        id="DPDP-GOV-03",
        title="Exemptions are valid",
        law=EXEMPTIONS,
        severity=Severity.HIGH,
        level=EnforcementLevel.MANDATORY,
        types=(),
        remedy="correct the entry, have it approved again, or remove it",
        check=None,
        stack_check=check,
        settings={
            "allowed": {
                "type": "boolean",
                "default": True,
                "description": "false refuses every exemption and any baseline",
            },
            "maxDays": {
                "type": "integer",
                "default": MOST_DAYS,
                "description": "how many days an exemption may hold from today",
            },
        },
    )


def listed(exemptions: Exemptions, baseline: Baseline) -> StackValidationPolicy:
    """A policy that lists what is exempt, and counts what is in the baseline, so that neither is ever silent."""

    def validate(_args: StackValidationArgs, report: ReportViolation) -> None:
        used = exemptions.used()
        for number, (entry, urn, message) in enumerate(used, start=1):
            report(
                f"exempt {number} of {len(used)}, to {entry.expires} ({entry.ticket}; {entry.owner}, approved by "
                f"{entry.approver}: {entry.reason}): {message}",
                urn,
            )
        for control, count in sorted(baseline.met().items()):
            report(f"[{control}] {count} findings of old, in the baseline: to be worked off", None)

    return StackValidationPolicy(
        name=LISTED,
        description="Findings that an exemption or the baseline answers for",
        display_name="Exempt findings",
        enforcement_level=EnforcementLevel.ADVISORY,
        severity=Severity.LOW,
        tags=["exempt"],
        remediation_steps="mend what is exempt before its day, and remove the exemption",
        validate=validate,
    )
