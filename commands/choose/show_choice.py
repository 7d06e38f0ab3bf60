"""What the chooser found, as people read it: every candidate with its price, and why each other fell out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from commands.choose.show_risk import EXPLAINED
from infra.catalog.choose import Choice, Offer, Rejected
from infra.pricing.rupees import format_price

# Below this the risk of spot changes no figure that anybody reads.
WORTH_A_COLUMN = 1.005


def show_choice(choice: Choice, usd_inr: float, console: Console) -> None:
    """A table of the offers, then the machines that have the GPU and still fell out, with their reasons."""
    title = f"What serves, the cheapest useful hour first (₹{usd_inr:g} to the dollar)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    risky = any(offer.useful_usd >= offer.usd * WORTH_A_COLUMN for offer in choice.offers)
    for column in ("machine", "region", "zones, the cheapest first", "GPUs", "bought"):
        table.add_column(column, no_wrap=not column.startswith("zones"))
    for column in ("₹/hour", "over its zones", *(["₹/useful hour"] if risky else [])):
        table.add_column(column, justify="right", no_wrap=True)
    for offer in choice.offers:
        useful = [format_price(offer.useful_usd * usd_inr)] if risky else []
        table.add_row(*_cells(offer, usd_inr), *useful)
    console.print(table)
    if any(_mark(offer) for offer in choice.offers):
        console.print(
            "[dim]~ derived, the lowest zone alone, or at most; see infra/catalog/data/SOURCES.md[/]"
        )
    if risky:
        console.print(f"[dim]{EXPLAINED}[/]", soft_wrap=True)
    show_rejected(choice.rejected, console)


def _cells(offer: Offer, usd_inr: float) -> Sequence[str]:
    machine, quote = offer.machine, offer.quote
    order = (*quote.zones, *(zone for zone in machine.zones if zone not in quote.zones))
    span = ""
    if quote.high > quote.low:
        span = f"{format_price(quote.low * usd_inr)}–{format_price(quote.high * usd_inr).removeprefix('₹')}"
    return (
        machine.machine_type,
        machine.region,
        ", ".join(zone.removeprefix(f"{machine.region}-") for zone in order),
        f"{machine.gpu_count} × {machine.gpu}",
        offer.purchase,
        format_price(offer.usd * usd_inr) + _mark(offer),
        span,
    )


def _mark(offer: Offer) -> str:
    return "" if all(price.basis == "observed" for price in offer.quote.prices) else " ~"


def show_rejected(rejected: Sequence[Rejected], console: Console) -> None:
    """One line a reason: those that have another GPU are only counted."""
    others = [one for one in rejected if one.asked == "gpu"]
    near = sorted((one for one in rejected if one.asked != "gpu"), key=_reason)
    if near:
        console.print("[bold]Fell out[/]")
    for why, group in groupby(near, key=_reason):
        names = ", ".join(f"{one.machine.machine_type} ({one.machine.region})" for one in group)
        console.print(f"  {why}: [dim]{names}[/]", soft_wrap=True)
    if others:
        console.print(f"  another GPU or none: [dim]{len(others)} machine types[/]")


def _reason(one: Rejected) -> str:
    return (
        f"{one.purchase}: {one.why}" if one.purchase and not one.why.startswith(("spot", "no ")) else one.why
    )
