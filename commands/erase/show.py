"""The plan and its end, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from commands.console import console
from commands.erase.places import Elsewhere
from commands.erase.plan import Do, Found, Step
from commands.erase.trained import Trained

WORDS: Mapping[Do, str] = {
    "rewrite": "written anew without them",
    "remove": "hidden from readers",
    "delete": "version deleted",
    "keep": "version kept",
    "left": "left to you",
}
# A lake has thousands of versions; all are in the record.
MOST_ROWS, MOST_NAMES = 40, 5


def show_plan(
    steps: Sequence[Step], others: Sequence[Elsewhere], models: Sequence[Trained], title: str
) -> None:
    """What will be done, why, and until when what stays is kept."""
    shown = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD)
    for column in ("object", "version", "rows", "what", "until", "why"):
        shown.add_column(column, justify="right" if column == "rows" else "left", overflow="fold")
    for step in steps[:MOST_ROWS]:
        one = step.version
        rows = str(one.found) if one.found else "all" if one.kind == "folder" else "?"
        shown.add_row(
            escape(f"{one.bucket}/{one.key}"),
            escape(one.id[:8]),
            rows,
            WORDS[step.do],
            _day(step.until),
            escape(step.why + _restorable(step)),
        )
    console.print(shown if steps else f"{escape(title)}: in no version of any object")
    if len(steps) > MOST_ROWS:
        counts: Counter[Do] = Counter(step.do for step in steps[MOST_ROWS:])
        more = ", ".join(f"{count} {WORDS[do]}" for do, count in counts.items())
        console.print(f"and {more}; the record has each")
    for one in others:
        until = f", the last on {one.until}" if one.until else ""
        console.print(f"[yellow]·[/] {escape(one.what)}: {escape(one.done)}{until}", soft_wrap=True)
    for why in dict.fromkeys(one.why for one in others if one.why):
        console.print(f"  kept by {escape(why)}", soft_wrap=True)
    for one in models:
        of = f"; models: {', '.join(one.models)}" if one.models else ""
        console.print(f"[yellow]trained on it[/] {escape(one.run)}: {escape(one.why + of)}", soft_wrap=True)


def show_unseen(found: Sequence[Found]) -> None:
    """Objects that were not looked at as tables, or have none of the columns: by kind, with some names."""
    said = {
        "columnless": "tables without any of the columns (is an identifier in one under another name?)",
        "other": "objects that are no tables (five letters or more were looked for as bytes, but not in packed ones)",
        "weights": "objects with weights (not read)",
    }
    for kind, what in said.items():
        keys = list(dict.fromkeys(f"{one.bucket}/{one.key}" for one in found if one.kind == kind))
        if keys:
            some = ", ".join(keys[:MOST_NAMES]) + (", …" if len(keys) > MOST_NAMES else "")
            console.print(f"[yellow]·[/] {len(keys)} {what}: {escape(some)}", soft_wrap=True)


def _restorable(step: Step) -> str:
    return f"; can be restored until {step.restorable}" if step.restorable else ""


def _day(day: date | None) -> str:
    if day is None:
        return ""
    return "lifted" if day == date.max else day.isoformat()
