"""Which version is in production, as it follows from all that was ever promoted or rolled back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .verdicts import Verdict

CANDIDATE, PRODUCTION, PREVIOUS = "candidate", "production", "previous"
STAGES = (CANDIDATE, PRODUCTION, PREVIOUS)
NOBODY = 0


@dataclass(frozen=True)
class Change:
    """One promotion or rollback. The server numbers them: of two at once one is first, for everybody.

    version: which is to be in production. expects: which was, when whoever asked looked; 0 for none. verdict: the
    signed one that lets that version replace the other; without it a promotion is none.
    """

    number: int
    action: Literal["promote", "rollback"]
    version: int
    expects: int
    by: str = ""
    at: str = ""
    verdict: Verdict | None = None

    @property
    def forged(self) -> bool:
        """Whether it was written beside this program: a promotion on no signed verdict."""
        return self.action == "promote" and self.verdict is None


@dataclass(frozen=True)
class History:
    """`stack`: what was in production, the newest last, without what was rolled back. `promoted`: that too. `refused`:
    the numbers of the changes that came after another on which they had not counted, or that are forged."""

    stack: tuple[int, ...] = ()
    promoted: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()

    @property
    def production(self) -> int:
        """The version in production; 0 for none."""
        return self.stack[-1] if self.stack else NOBODY

    @property
    def previous(self) -> int:
        """The version that a rollback brings back; 0 for none."""
        return self.stack[-2] if len(self.stack) > 1 else NOBODY


def history(changes: Iterable[Change]) -> History:
    """All changes in their order. One counts only where the version that it expects is in production: a verdict holds
    against that one alone. One that was sent twice counts once."""
    now = History()
    for change in sorted(changes, key=lambda change: change.number):
        if change.forged:
            now = replace(now, refused=now.refused | {change.number})
            continue
        if change.version == now.production:
            continue
        rolls_back = change.action == "rollback"
        if change.expects != now.production or (rolls_back and change.version != now.previous):
            now = replace(now, refused=now.refused | {change.number})
        elif rolls_back:
            now = replace(now, stack=now.stack[:-1])
        else:
            stack = (*now.stack, change.version)
            now = replace(now, stack=stack, promoted=now.promoted | {change.version})
    return now


def stages(versions: Sequence[int], now: History) -> dict[str, int]:
    """The version of each stage that has one. The candidate is the newest version, unless it ever was promoted."""
    newest = max(versions, default=NOBODY)
    found = {
        CANDIDATE: NOBODY if newest in now.promoted else newest,
        PRODUCTION: now.production,
        PREVIOUS: now.previous,
    }
    return {stage: version for stage, version in found.items() if version != NOBODY}
