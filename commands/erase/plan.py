"""What is to be done with each version that has a data principal's data, in which order, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from commands.erase.keeping import verdict

Do = Literal["rewrite", "remove", "delete", "keep", "left"]
ORDER: Mapping[Do, int] = {"rewrite": 0, "remove": 1, "delete": 2, "keep": 3, "left": 4}
HERE = ("table", "folder", "name", "bytes", "content")
# Why the newest version of an object is somebody's to change, and not this command's.
LEFT = {
    "name": "its name has the identifier: is all in it theirs? Then delete it",
    "bytes": "no table, and the identifier is in it: write it without, or delete it",
    "content": "commits of DVC or lakeFS know its content: take the rows out in the repository, commit, and collect "
    "the garbage",
}


@dataclass(frozen=True)
class Found:
    """What the program says of one version: `kind` as in programs/find.py, `rows` all of its rows, `found` the
    principal's, `emptied` which columns of MASK it has, `locked_by` what locks it, `held` whether no other may take its
    place either."""

    uri: str
    bucket: str
    key: str
    id: str
    latest: bool
    written: datetime
    kind: str
    size: int
    etag: str
    sha256: str = ""
    found: int = 0
    rows: int = 0
    emptied: Sequence[str] = ()
    locked_until: datetime | None = None
    locked_by: str = ""
    held: bool = False
    why: str = ""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Found:
        """From an answer of the program."""
        locked = answer.get("locked_until")
        times = {
            "written": datetime.fromisoformat(answer["written"]),
            "locked_until": datetime.fromisoformat(locked) if locked else None,
        }
        return cls(**{**answer, **times, "emptied": tuple(answer.get("emptied", ()))})


@dataclass(frozen=True)
class Rules:
    """Of a bucket: the class of its data, whether it keeps versions, and for how many days what is deleted in it can be
    restored."""

    data_class: str
    versioned: bool
    restorable_days: int = 0


@dataclass(frozen=True)
class Step:
    """What happens to a version; `until` is the first day on which one that is kept may be deleted, `restorable` the
    last on which somebody may restore one that goes."""

    do: Do
    version: Found
    why: str
    until: date | None = None
    restorable: date | None = None


def plan(found: Sequence[Found], rules: Mapping[str, Rules], today: date) -> list[Step]:
    """The steps, in their order: new objects first, then versions are deleted. `rules` are those of each bucket."""
    steps = [step for one in found for step in _steps(one, rules[one.bucket], today)]
    return sorted(steps, key=lambda step: ORDER[step.do])


def _steps(one: Found, rules: Rules, today: date) -> Iterator[Step]:
    if one.kind == "unreadable":
        yield Step("left", one, f"{one.why}; whose it is nobody can tell")
        return
    if one.kind not in HERE:
        return
    judged = verdict(one.written, rules.data_class, one.locked_until, today, one.locked_by)
    restorable = today + timedelta(days=rules.restorable_days) if rules.restorable_days else None
    if one.latest and one.kind in LEFT:
        yield Step("left", one, LEFT[one.kind])
        return
    if one.latest and one.held:
        yield Step("keep", one, f"nothing may take its place: {judged.why}", judged.until)
        return
    if one.latest and not rules.versioned and not judged.now:
        # Without versions a new object is the end of the one before.
        yield Step("keep", one, f"the bucket keeps no versions, and {judged.why}", judged.until)
        return
    if one.latest:
        gone = None if rules.versioned else restorable
        do: Do = "rewrite" if one.kind == "table" else "remove"
        yield Step(do, one, "nobody reads it any more", restorable=gone)
        if not rules.versioned:
            return
    if judged.now:
        yield Step("delete", one, judged.why, restorable=restorable)
    else:
        yield Step("keep", one, judged.why, judged.until)


def share(found: Sequence[Found]) -> float:
    """The principal's rows, as a share of all rows of the tables that readers get."""
    tables = [one for one in found if one.latest and one.kind in ("table", "clear", "content")]
    return sum(one.found for one in tables) / max(sum(one.rows for one in tables), 1)
