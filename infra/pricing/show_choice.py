"""What the chooser found, as people read it: every candidate with its price, and why each other fell out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from infra.catalog.choose import Choice, Offer, Rejected
from infra.pricing.rupees import format_price


def show_choice(choice: Choice, usd_inr: float, console: Console) -> None:
    """A table of the offers, then the machines that have the GPU and still fell out, with their reasons."""
    title = f"What serves, the cheapest useful hour first (₹{usd_inr:g} to the dollar)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in ("machine", "region", "zones", "GPUs", "bought"):
        table.add_column(column, no_wrap=column != "zones")
    for column in ("₹/hour", "₹/useful hour"):
        table.add_column(column, justify="right")
    for offer in choice.offers:
        table.add_row(*_cells(offer, usd_inr))
    console.print(table)
    if any("~" in cell for offer in choice.offers for cell in _cells(offer, usd_inr)):
        console.print(
            "[dim]~ derived from another region's or a sibling's price; see infra/catalog/data/SOURCES.md[/]"
        )
    show_rejected(choice.rejected, console)


def _cells(offer: Offer, usd_inr: float) -> Sequence[str]:
    machine, quote = offer.machine, offer.quote
    sure = "" if all(price.basis == "observed" for price in quote.prices) else " ~"
    return (
        machine.machine_type,
        machine.region,
        ", ".join(zone.removeprefix(f"{machine.region}-") for zone in machine.zones),
        f"{machine.gpu_count} × {machine.gpu}",
        offer.purchase,
        format_price(offer.usd * usd_inr) + sure,
        format_price(offer.useful_usd * usd_inr),
    )


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
