"""A review in GitHub's Markdown: resources, rupees, policies."""

from __future__ import annotations

from collections.abc import Sequence

from commands.cost.command import Change, signed
from commands.cost.show_estimate import rests_on
from commands.review.changes import KINDS, Moved
from infra.pricing.estimate import Estimate
from infra.pricing.rupees import format_inr
from infra.settings.stack import Settings
from policies.framework.record import name_of
from policies.reports import markdown
from policies.reports.markdown import escaped, table
from policies.reports.positions import Positions

MOST_LINES = 25
MARKS = {"new": "➕", "changed": "✏️", "gone": "➖"}


def resources_section(moved: Sequence[Moved], count: int, at: Positions) -> str:
    """The section on resources, in Markdown."""
    by_kind = {kind: [one for one in moved if one.kind == kind] for kind in KINDS}
    head = ", ".join(f"{len(found)} {kind}" for kind, found in by_kind.items())
    text = f"### Resources: {head}, of {count}\n"
    if not moved:
        return f"{text}\n"
    rows = [_row(one, at) for found in by_kind.values() for one in found]
    body = table(("", "type", "name", "what", "where"), rows[:MOST_LINES], markdown.COMMENT_ROOM)
    if len(rows) > MOST_LINES:
        body += f"\n{len(rows) - MOST_LINES} more.\n"
    return f"{text}\n<details{' open' if len(rows) <= 10 else ''}><summary>which</summary>\n\n{body}\n</details>\n\n"


def rupees_section(money: Sequence[Change], month: Estimate, settings: Settings) -> str:
    """The section on what it costs, in Markdown: a month as expected, without GST."""
    total = month.total.expected * settings.currency.usd_inr
    difference = sum(change.difference for change in money)
    text = f"### ₹ a month: {format_inr(total)}, {signed(difference) if money else 'no difference'}\n"
    text += f"\n{rests_on(month, settings.currency)}\n\n"
    if not money:
        return f"{text}\n"
    rows = [
        (
            escaped(one.component),
            escaped(one.what),
            format_inr(one.before),
            format_inr(one.after),
            signed(one.difference),
        )
        for one in money[:MOST_LINES]
    ]
    return f"{text}\n{table(('component', 'what', 'before', 'after', 'difference'), rows, markdown.COMMENT_ROOM)}\n"


def _row(one: Moved, at: Positions) -> tuple[str, ...]:
    type_, name = one.urn.split("::")[2].rpartition("$")[2], name_of(one.urn)
    line = at.by_urn.get(one.urn)
    where = f"{line.file}:{line.line}" if line else ""
    return (MARKS[one.kind], escaped(type_), escaped(name), escaped(", ".join(one.what)), escaped(where))
