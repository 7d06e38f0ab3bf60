"""The proof of an erasure: what was found, done, kept and left, with digests, and no identifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from commands.erase.places import Elsewhere
from commands.erase.plan import Step
from commands.erase.trained import Trained

FOLDER = "erasures"
MASK = "<identifier>"
FORM = 1


@dataclass(frozen=True)
class Whom:
    """Of whom a record is. `tag` stands for the identifier; `identifier` is empty where several are erased again."""

    tag: str
    identifier: str = ""

    def masked(self, text: str) -> str:
        """A text without the identifier, as names of objects may have it."""
        return text.replace(self.identifier, MASK) if self.identifier else text


@dataclass(frozen=True)
class Done:
    """A step and what came of it: the object after it, or why it failed; empty before it is done."""

    step: Step
    result: Mapping[str, Any]


@dataclass(frozen=True)
class Erasure:
    """What was decided at a moment (UTC) of whom, in which stack, by which columns; and what has to be told with it."""

    whom: Whom
    at: datetime
    stack: str
    columns: Sequence[str]
    steps: Sequence[Step]
    models: Sequence[Trained]
    others: Sequence[Elsewhere]

    def key(self, when: str) -> str:
        """The object of the record, `erasures/<tag>/<time>-<begun or ended>.json`."""
        return f"{FOLDER}/{self.whom.tag}/{self.at:%Y%m%dT%H%M%SZ}-{when}.json"


def tags(keys: Sequence[str]) -> list[str]:
    """Whom the objects of all records are of."""
    return sorted({parts[1] for name in keys if len(parts := name.split("/")) == 3 and parts[1] != "again"})


def record(of: Erasure, done: Sequence[Done], caches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The record as JSON; `caches` are the records of caches that erased."""
    whom = of.whom
    return {
        "record": FORM,
        "principal": whom.tag,
        "at": of.at.isoformat(),
        "stack": of.stack,
        "columns": list(of.columns),
        "versions": [_version(one, whom) for one in done],
        "trained": [
            {"run": whom.masked(one.run), "why": one.why, "models": list(one.models)} for one in of.models
        ],
        "elsewhere": [
            {"what": one.what, "done": one.done, "until": _day(one.until), "why": one.why}
            for one in of.others
        ],
        "caches": list(caches),
    }


def _version(one: Done, whom: Whom) -> dict[str, Any]:
    version = one.step.version
    return {
        "object": whom.masked(version.uri),
        "version": version.id,
        "sha256": version.sha256,
        "written": version.written.isoformat(),
        "rows": version.found,
        "do": one.step.do,
        "until": _day(one.step.until),
        "restorable_until": _day(one.step.restorable),
        "why": one.step.why,
        **one.result,
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
