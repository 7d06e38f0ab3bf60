"""What is to be done with each version that has a data principal's data, in which order, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from commands.erase.keeping import verdict

Do = Literal["rewrite", "remove", "delete", "keep", "left"]
ORDER: Mapping[Do, int] = {"rewrite": 0, "remove": 1, "delete": 2, "keep": 3, "left": 4}
HERE = ("table", "folder", "name", "bytes", "content")
# Why the newest version of an object is somebody's to change, and not this command's.
LEFT = {
    "name": "its name has the identifier: is all in it theirs? Then delete it",
    "bytes": "no table, and the identifier is in it: write it without, or delete it",
    "content": "DVC names it by its content: take the rows out in the repository, dvc add, push and gc",
}


@dataclass(frozen=True)
class Found:
    """What the program says of one version: `kind` as in programs/find.py, `rows` all of its rows, `found` the
    principal's, `emptied` which columns of MASK it has."""

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
class Step:
    """What happens to a version; `until` is the first day on which one that is kept may be deleted."""

    do: Do
    version: Found
    why: str
    until: date | None = None


def plan(
    found: Sequence[Found], classes: Mapping[str, str], versioned: Mapping[str, bool], today: date
) -> list[Step]:
    """The steps, in their order: new objects first, then versions are deleted. `classes` has the class of each bucket's
    data, `versioned` whether it keeps versions."""
    steps = [step for one in found for step in _steps(one, classes[one.bucket], versioned[one.bucket], today)]
    return sorted(steps, key=lambda step: ORDER[step.do])


def _steps(one: Found, data_class: str, versioned: bool, today: date) -> Iterator[Step]:
    if one.kind == "unreadable":
        yield Step("left", one, f"{one.why}; whose it is nobody can tell")
        return
    if one.kind not in HERE:
        return
    judged = verdict(one.written, data_class, one.locked_until, today)
    if one.latest and one.kind in LEFT:
        yield Step("left", one, LEFT[one.kind])
        return
    if one.latest and not versioned and not judged.now:
        # Without versions a new object is the end of the one before.
        yield Step("keep", one, f"the bucket keeps no versions, and {judged.why}", judged.until)
        return
    if one.latest:
        yield Step("rewrite" if one.kind == "table" else "remove", one, "nobody reads it any more")
        if not versioned:
            return
    if judged.now:
        yield Step("delete", one, judged.why)
    else:
        yield Step("keep", one, judged.why, judged.until)


def share(found: Sequence[Found]) -> float:
    """The principal's rows, as a share of all rows of the tables that readers get."""
    tables = [one for one in found if one.latest and one.kind in ("table", "clear", "content")]
    return sum(one.found for one in tables) / max(sum(one.rows for one in tables), 1)
