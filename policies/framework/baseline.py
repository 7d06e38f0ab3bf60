"""The baseline: what was wrong already when a team took the pack up, in `dpdp-baseline.json` beside the program.

What is in it stops nobody; anything new does. It only shrinks: GOV-03 refuses an entry whose finding is gone, and
`python -m policies.cli baseline FINDINGS`, which writes it the first time from what a preview found, takes such entries
out later and adds none. `INDIA_DPDP_BASELINE` names another file.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.framework import project
from policies.framework.control import Finding
from policies.framework.record import ReportedFinding

FILE, ELSEWHERE = "dpdp-baseline.json", "INDIA_DPDP_BASELINE"


@dataclass(frozen=True, order=True)
class Known:
    """A finding that was there when the baseline was written: a control, and a place in a resource."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    control: str
    urn: str
    where: str

    @classmethod
    def of(cls, finding: ReportedFinding) -> Known:
        """The entry that covers a finding."""
        return cls(finding.control, finding.urn, finding.where)

    def speaks_of(self, stack: str) -> bool:
        """Whether it is about a resource of a stack."""
        return self.urn.startswith(f"urn:pulumi:{stack}::")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = 1
    findings: list[Known]


@dataclass
class Baseline:
    """The entries of a file, which of them were met, and what is wrong with the file."""

    entries: frozenset[Known] = frozenset()
    problems: Sequence[Finding] = ()
    _met: Counter[Known] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)  # the servicer answers on several threads

    def covers(self, finding: ReportedFinding) -> bool:
        """Whether a finding is in the baseline; the entry is then noted as used."""
        known = Known.of(finding)
        if known not in self.entries:
            return False
        with self._lock:
            self._met[known] += 1
        return True

    def met(self) -> Counter[str]:
        """The number of findings of this run that the baseline covers, by control."""
        return Counter(known.control for known in self._met)

    def wrong(self, stack: str, allowed: bool, judge_use: bool) -> Iterator[Finding]:
        """Every problem: of the file, and of entries of this stack whose findings are gone."""
        yield from self.problems
        if self.entries and not allowed:
            yield Finding("no baseline is allowed here", FILE, len(self.entries), "no entry")
        for known in sorted(
            self.entries - self._met.keys(), key=lambda one: (one.control, one.urn, one.where)
        ):
            if judge_use and known.speaks_of(stack):
                where = f"{known.control} {known.urn} {known.where}"
                expected = "a finding that is still there: `python -m policies.cli baseline` takes it out"
                yield Finding("the baseline holds what is mended", FILE, where, expected)


def load(folder: Path | None = None) -> Baseline:
    """The baseline beside a program (in `folder`, else where it is); an empty one without a file."""
    file = (folder or project.folder()) / (os.environ.get(ELSEWHERE) or FILE)
    if file.exists():
        return parse(file)
    missing = Finding("there is no such file", ELSEWHERE, str(file), "a file that exists")
    return Baseline(problems=[missing] if ELSEWHERE in os.environ else [])


def parse(file: Path) -> Baseline:
    """The baseline of a file, or what is wrong with it."""
    try:
        return Baseline(frozenset(_File.model_validate_json(file.read_bytes()).findings))
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        where = ".".join([file.name, *map(str, first["loc"])])
        return Baseline(
            problems=[Finding("the baseline is malformed", where, first.get("input"), first["msg"])]
        )


def grown(before: Path, after: Path) -> list[Known]:
    """What a change adds to a baseline that was there: nothing may be, whatever a preview says of it."""
    if not (before.exists() and after.exists()):
        return []
    return sorted(parse(after).entries - parse(before).entries)


def write(file: Path, entries: Iterable[Known]) -> None:
    """Write entries, in an order that a difference can be read in."""
    ordered = sorted(entries)
    contents: dict[str, Any] = {"version": 1, "findings": [asdict(known) for known in ordered]}
    file.write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")
