"""Prices of other providers in India beside the cheapest of AWS and Google, as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.catalog.choose import Offer
from infra.catalog.gpus import gpus
from infra.catalog.other_clouds import OtherCloudRow, other_clouds, stale_elsewhere
from infra.pricing.rupees import format_price

TITLE = "Elsewhere in India, to burst to (no pool of a stack)"
# A100s are sold with 40 GB and with 80: two cards are the same where their memory differs by less than this share.
SAME_MEMORY = 0.25
NAMED = 3


def show_other_clouds(
    gpu: str | None, memory_gb: float, offers: Sequence[Offer], usd_inr: float, console: Console
) -> None:
    """A table, the cheapest hour of a GPU first; nothing where no provider has it.

    `offers` are those of AWS and Google to put beside it.
    """
    rows = sorted(other_clouds(gpu, memory_gb), key=lambda row: row.inr(usd_inr))
    if not rows:
        return
    table = Table(title=TITLE, title_justify="left", box=SIMPLE_HEAD)
    for column in ("provider", "GPU", "from", "terms", "place"):
        table.add_column(column)
    table.add_column("₹/GPU-hour", justify="right", no_wrap=True)
    table.add_column("AWS or Google from", no_wrap=True)
    table.add_column("of", no_wrap=True)
    for row in rows:
        beside = _cheapest(row, offers)
        table.add_row(
            row.provider,
            row.card,
            f"{row.gpus} GPU{'s' if row.gpus > 1 else ''}",
            row.terms,
            row.place,
            format_price(row.inr(usd_inr)) + ("" if row.basis == "observed" else " ?"),
            _hour(beside, usd_inr) if beside else "–",
            row.as_of.isoformat(),
        )
    console.print(table)
    console.print(
        "[dim]? read on a price page or in a copy of it, not verified; the portal is open to those whom the IndiaAI "
        "Mission admits; sources: infra/catalog/data/other_clouds.csv[/]",
        soft_wrap=True,
    )
    if old := stale_elsewhere(date.today()):
        console.print(f"[yellow]{escape(old)}[/]", soft_wrap=True)


def burst_line(names: Sequence[str], usd_inr: float) -> str | None:
    """One sentence: where else in India the first of these kinds of GPU are, by the hour and from how many rupees."""
    cheapest = []
    for name in dict.fromkeys(names):
        by_the_hour = [row for row in other_clouds(name) if not row.months and row.subsidy != "after"]
        if by_the_hour:
            cheapest.append(min(by_the_hour, key=lambda row: row.inr(usd_inr)))
    if not cheapest:
        return None
    told = [f"{row.card} {format_price(row.inr(usd_inr))} ({row.provider}, {row.terms})" for row in cheapest]
    return f"{TITLE}, ₹ a GPU-hour: {'; '.join(told[:NAMED])}."


def _cheapest(row: OtherCloudRow, offers: Sequence[Offer]) -> Offer | None:
    alike = [offer for offer in offers if offer.machine.gpu_count and _same_card(row, offer)]
    return min(alike, key=_usd, default=None)


def _same_card(row: OtherCloudRow, offer: Offer) -> bool:
    memory = gpus()[offer.machine.gpu].nominal_gb if offer.machine.gpu in gpus() else 0
    return row.gpu == offer.machine.gpu and abs(memory / row.gpu_memory_gb - 1) < SAME_MEMORY


def _usd(offer: Offer) -> float:
    return offer.usd / offer.machine.gpu_count


def _hour(offer: Offer, usd_inr: float) -> str:
    return f"{format_price(_usd(offer) * usd_inr)} {offer.purchase}, {offer.machine.machine_type}"
