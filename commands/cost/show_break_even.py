"""What a commitment would save, as people read it in a terminal, and as plain data for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from infra.catalog.commitments import YEARS
from infra.catalog.machines import MONTH_HOURS
from infra.pricing.break_even import AllMonth, Term
from infra.pricing.rupees import format_inr
from infra.settings.money import Currency

TITLE = "Committed for one or three years: what is there all month"
EXPLAINED = (
    f"From so many of a month's {MONTH_HOURS} hours on a commitment costs no more than paying by the hour; it is paid "
    "for the hours that the node is not there too. None of it is in the sums above. ~ AWS publishes only what its "
    "plans save at most, over all families and terms: the hours are then the fewest, and the saving the most, that an "
    "invoice can show"
)


def show_break_even(lines: Sequence[AllMonth], currency: Currency, console: Console) -> None:
    """A row for each kind of node, and what the marks mean; nothing where no node is there all month."""
    if not lines:
        return
    table = Table(title=TITLE, title_justify="left", box=SIMPLE_HEAD)
    for column in ("component", "what"):
        table.add_column(column)
    table.add_column("₹ a month now", justify="right")
    for years in YEARS:
        table.add_column(f"{years} year{'s' if years > 1 else ''}: pays from, saves a month", justify="right")
    for line in lines:
        now = format_inr(line.usd * currency.usd_inr)
        terms = [_in_words(term, currency) for term in line.terms]
        table.add_row(line.component, f"{line.nodes:g} {line.what}", now, *terms)
    console.print(table)
    console.print(f"[dim]{EXPLAINED}{_days(lines)}[/]", soft_wrap=True)


def _days(lines: Sequence[AllMonth]) -> str:
    days = [term.row.as_of for line in lines for term in line.terms if term]
    return f"; shares of {min(days)} to {max(days)}" if days else ""


def _in_words(term: Term | None, currency: Currency) -> str:
    if term is None:
        return "no figure was found"
    if not term.pays:
        return "never: dearer than it is bought now"
    saved = format_inr(term.saved_usd * currency.usd_inr)
    return f"~ {term.hours:.0f} h, at most {saved}" if term.at_most else f"{term.hours:.0f} h, {saved}"


def break_even_data(lines: Sequence[AllMonth], currency: Currency) -> list[dict[str, Any]]:
    """All of it as plain data, in rupees a month without tax."""
    return [
        {
            "component": line.component,
            "what": line.what,
            "nodes": line.nodes,
            "inr": round(line.usd * currency.usd_inr),
            "terms": [
                {"years": years, "text": _in_words(term, currency), **_figures(term, currency)}
                for years, term in zip(YEARS, line.terms, strict=True)
            ],
        }
        for line in lines
    ]


def _figures(term: Term | None, currency: Currency) -> Mapping[str, Any]:
    if term is None:
        return {"breaksEvenHours": None, "savesInr": None}
    return {
        "breaksEvenHours": round(term.hours) if term.pays else None,
        "savesInr": round(term.saved_usd * currency.usd_inr),
        "bound": term.row.bound,
        "share": term.row.share,
        "kind": term.row.kind,
        "asOf": term.row.as_of.isoformat(),
        "source": term.row.source,
    }
