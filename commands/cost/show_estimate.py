"""The bill as people read it in a terminal: rupees by component, what is not known, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.catalog.exchange_rate import doubt
from infra.pricing import services
from infra.pricing.estimate import Estimate, Item
from infra.pricing.lines import DERIVED, NOTHING, OBSERVED, UNVERIFIED, CostRange
from infra.pricing.rupees import format_inr, format_price
from infra.settings.money import Budget, Currency

LEFT_OUT = (
    "traffic between zones, a load balancer's capacity units, snapshots of disks, support plans, savings plans and "
    "committed use (in a table of their own)"
)
MARKS = {OBSERVED: "", DERIVED: " ~", UNVERIFIED: " ?"}
GST = "a firm with a GSTIN takes it back as input tax credit: for it the figure without is the cost"


def show_estimate(
    bill: Estimate, currency: Currency, budget: Budget, console: Console, *, details: bool = False
) -> None:
    """Print a month: at the pools' minimum, as expected and at their maximum, as bought and all on demand."""
    console.print(_table(bill, currency, details=details))
    tax = 1 + currency.gst_percent / 100
    expected = bill.total.expected * currency.usd_inr
    share = expected / budget.monthly_inr
    colour = "green" if share <= 1 else "red"
    console.print(
        f"expected with {currency.gst_percent:g} % GST: {format_inr(expected * tax)}; "
        f"[{colour}]{share:.0%} of the budget of {format_inr(budget.monthly_inr)}[/] without it ({GST})",
        soft_wrap=True,
    )
    console.print(rests_on(bill, currency), soft_wrap=True)
    if doubted := doubt(currency, date.today()):
        console.print(f"[yellow]{doubted}[/]", soft_wrap=True)
    show_gaps(bill, console)
    console.print(
        f"[dim]₹{currency.usd_inr:g} to the dollar (setting of {currency.as_of}); prices and their dates: "
        f"infra/catalog/data; left out: {LEFT_OUT}[/]",
        soft_wrap=True,
    )


def rests_on(bill: Estimate, currency: Currency) -> str:
    """One sentence on how sure the sum is."""
    inr = {basis: format_inr(usd * currency.usd_inr) for basis, usd in bill.by_basis.items()}
    total = format_inr(bill.total.expected * currency.usd_inr)
    return (
        f"of {total} expected, {inr[OBSERVED]} rests on observed prices, {inr[DERIVED]} on derived ones (~) and "
        f"{inr[UNVERIFIED]} on list prices that were not verified (?)"
    )


def show_gaps(bill: Estimate, console: Console) -> None:
    """Say what has no price."""
    if bill.unknown:
        names = ", ".join(f"{item.what} ({item.component})" for item in bill.unknown)
        console.print(f"[yellow]No price is known, so not in the sum: {escape(names)}[/]", soft_wrap=True)
    if bill.unpriced:
        names = ", ".join(f"{type_} × {count}" for type_, count in bill.unpriced.items())
        console.print(f"[yellow]Types that no table prices: {escape(names)}[/]", soft_wrap=True)
    if bill.by_use:
        names = "; ".join(services.by_use()[type_] for type_ in bill.by_use)
        console.print(f"[dim]Paid by use, next to nothing: {escape(names)}[/]", soft_wrap=True)


def _table(bill: Estimate, currency: Currency, *, details: bool) -> Table:
    table = Table(title="Price of a month", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("component")
    for column in ("pools at minimum", "expected", "at maximum", "expected, all on demand"):
        table.add_column(f"₹ {column}", justify="right")
    plain = _on_demand(bill)
    for component, usd in bill.components.items():
        style = "bold" if details else ""
        table.add_row(component, *_figures(usd, plain[component].expected, currency), style=style)
        for item in bill.items if details else ():
            if item.component == component:
                what = f"  {_quantity(item)} {item.what}{MARKS[item.basis]}{_hour(item, currency)}"
                table.add_row(escape(what), *_priced(item, currency))
    table.add_section()
    table.add_row("total", *_figures(bill.total, bill.on_demand.expected, currency), style="bold")
    return table


def _hour(item: Item, currency: Currency) -> str:
    """What a node costs an hour, over the zones where it may be."""
    if item.hour is None:
        return ""
    low, high = (format_price(usd * currency.usd_inr) for usd in (item.hour.low, item.hour.high))
    return f" ({low}{'' if low == high else '–' + high.removeprefix('₹')}/h)"


def _on_demand(bill: Estimate) -> Mapping[str, CostRange]:
    sums: dict[str, CostRange] = {}
    for item in bill.items:
        sums[item.component] = sums.get(item.component, NOTHING) + (item.on_demand_usd or NOTHING)
    return sums


def _figures(usd: CostRange, on_demand: float, currency: Currency) -> list[str]:
    return [format_inr(figure * currency.usd_inr) for figure in (usd.low, usd.expected, usd.high, on_demand)]


def _priced(item: Item, currency: Currency) -> list[str]:
    if item.usd is None:
        return ["not known"] * 4
    on_demand = "not known"
    if item.on_demand_usd:
        on_demand = format_inr(item.on_demand_usd.expected * currency.usd_inr)
    return [*_figures(item.usd, 0, currency)[:3], on_demand]


def _quantity(item: Item) -> str:
    """`2`, or `0…2…8` where the pools change it."""
    figures = dict.fromkeys(
        f"{figure:,.0f}" for figure in (item.count.low, item.count.expected, item.count.high)
    )
    return "…".join(figures)
