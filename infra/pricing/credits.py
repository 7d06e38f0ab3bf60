"""Start-up credits: what is left of a month's bill while they last, and how long that is.

A credit pays for the cloud that gave it, and for no other. The one that ends first is spent first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape

from infra.geography import Cloud
from infra.pricing.estimate import estimate
from infra.pricing.meter import DAYS_A_MONTH
from infra.pricing.resources import Resource
from infra.pricing.rupees import format_inr
from infra.settings.money import Credit
from infra.settings.stack import Settings, Usage

WHY_BEFORE = (
    "COST-01 and the budget hold against the price without credits: a credit ends on a day, and the stack "
    "stays"
)


@dataclass(frozen=True)
class Spent:
    """A cloud's credits over the months of a bill that stays as it is, in rupees without tax.

    `paid_first_month` is what they pay of the first month, `months` how long they pay for all of it, to the day `ends`.
    `lapses` is what is left of them on their last days; `over` are those that had ended before.
    """

    cloud: Cloud
    month: float
    paid_first_month: float
    months: float
    ends: date
    lapses: float
    over: tuple[Credit, ...]


def spend(cloud: Cloud, credits: Sequence[Credit], month: float, today: date) -> Spent:
    """Pay a month of `month` rupees after the other from a cloud's credits, until there are none."""
    at = paid = lapses = 0.0
    usable = [credit for credit in credits if credit.until >= today]
    for credit in sorted(usable, key=lambda credit: credit.until):
        until = ((credit.until - today).days + 1) / DAYS_A_MONTH
        span = max(0.0, min(credit.inr / month, until - at)) if month > 0 else 0.0
        paid += month * max(0.0, min(at + span, 1.0) - min(at, 1.0))
        lapses += credit.inr - span * month
        at += span
    ends = today + timedelta(days=int(at * DAYS_A_MONTH))
    return Spent(
        cloud, month, paid, at, ends, lapses, tuple(credit for credit in credits if credit not in usable)
    )


def credits_of(resources: Sequence[Resource], settings: Settings, today: date) -> tuple[Spent, ...]:
    """The credits of a stack by the cloud that they are for; none without any."""
    clouds: list[Cloud] = [cloud for cloud in ("aws", "gcp") if getattr(settings, cloud)]
    given: dict[Cloud, list[Credit]] = {}
    for credit in settings.budget.credits:
        given.setdefault(credit.cloud or clouds[0], []).append(credit)
    if not given:
        return ()
    months = months_by_cloud(resources, settings.usage)
    rate = settings.currency.usd_inr
    return tuple(spend(cloud, some, months[cloud] * rate, today) for cloud, some in given.items())


def months_by_cloud(resources: Iterable[Resource], usage: Usage) -> Mapping[Cloud, float]:
    """USD of an expected month on each cloud. What Kubernetes makes counts as Amazon's where a stack is on both: its
    node pools are Karpenter's, and Google's are resources of Google's own."""
    known = list(resources)
    google = [resource for resource in known if resource.type.startswith("gcp:")]
    if not google or not any(resource.type.startswith("aws:") for resource in known):
        total = estimate(known, usage).total.expected
        return {"aws": 0.0 if google else total, "gcp": total if google else 0.0}
    others = [resource for resource in known if not resource.type.startswith("gcp:")]
    alone = estimate(others, usage).total.expected
    return {"aws": alone, "gcp": estimate(known, usage).total.expected - alone}


def show_credits(spent: Sequence[Spent], console: Console) -> None:
    """A line for each cloud: the month without credits, with them, and how long they last."""
    for one in spent:
        console.print(escape(in_words(one)), soft_wrap=True)
        for credit in one.over:
            console.print(
                f"[yellow]the credit of {escape(credit.source)} ended on {credit.until} and pays nothing: take it out "
                "of budget.credits[/]",
                soft_wrap=True,
            )
    if spent:
        console.print(f"[dim]{WHY_BEFORE}[/]", soft_wrap=True)


def in_words(one: Spent) -> str:
    """One sentence about a cloud's credits."""
    left = format_inr(one.month - one.paid_first_month)
    lapses = f"; {format_inr(one.lapses)} of them is not used by their last day" if one.lapses >= 1 else ""
    return (
        f"credits on {one.cloud}: {format_inr(one.month)} a month without them, {left} in the first month with them; "
        f"they pay for {one.months:.1f} months, to {one.ends}{lapses}"
    )


def credits_data(spent: Sequence[Spent]) -> list[dict[str, Any]]:
    """All of it as plain data, in rupees without tax."""
    return [
        {
            "cloud": one.cloud,
            "monthInr": round(one.month),
            "firstMonthInr": round(one.month - one.paid_first_month),
            "months": round(one.months, 1),
            "ends": one.ends.isoformat(),
            "lapsesInr": round(one.lapses),
            "over": [credit.source for credit in one.over],
            "text": in_words(one),
        }
        for one in spent
    ]
