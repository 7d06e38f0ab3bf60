"""Cost: COST-01 a stack within its budget.

The budget is the stack's own (`india-ai-infra:index:Budget`), or the policy's settings for stacks that have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from pulumi_policy import EnforcementLevel, Severity

from infra.catalog.bill import Bill, Registered, bill
from infra.catalog.rupees import format_inr
from infra.settings.stack import Usage
from policies.control import Control, Finding
from policies.law import BUDGET
from policies.resource import Settings, Stack, StackResource
from policies.unknowns import dig

BUDGET_TYPE = "india-ai-infra:index:Budget"
NAMED = 3


def within_budget(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """COST-01: the month that the stack's resources add up to, in rupees without tax, is within the budget."""
    stated = next(stack.of(BUDGET_TYPE), None)
    told = stated.props if stated else {}
    budget = settings.get("monthlyInr") or told.get("monthlyInr")
    rate = settings.get("usdInr") or dig(told, "currency", "usdInr")
    if not budget and not rate:
        return
    where = stated.urn if stated else next(stack.all()).urn
    if not _positive(budget) or not _positive(rate):
        value = {"monthlyInr": budget, "usdInr": rate}
        yield where, Finding("the budget can't be compared", "budget", value, "both, as numbers above 0")
        return
    month = bill(map(_registered, stack.all()), Usage.model_validate(told.get("usage") or {}))
    figure = settings.get("figure", "expected")
    total = getattr(month.total, figure) * rate
    if total > budget:
        yield where, _over(month, figure, total, budget, rate)


def _over(month: Bill, figure: str, total: float, budget: float, rate: float) -> Finding:
    dearest = sorted(month.dearest, key=lambda item: -getattr(item.usd, figure))[:NAMED]
    named = ", ".join(
        f"{item.what} of {item.component} ({format_inr(getattr(item.usd, figure) * rate)})"
        for item in dearest
    )
    return Finding(
        f"the stack costs {format_inr(total)} a month ({figure}), over its budget of {format_inr(budget)}",
        "budget.monthlyInr",
        budget,
        f"{format_inr(total)} or more",
        f"make one of the dearest smaller: {named}; or raise the budget",
    )


def _positive(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _registered(resource: StackResource) -> Registered:
    shown = resource.shown
    return Registered(
        resource.type,
        resource.urn,
        resource.props,
        shown.parent.urn if shown.parent else "",
        shown.provider.urn if shown.provider else "",
        {prop: [source.urn for source in found] for prop, found in shown.property_dependencies.items()},
    )


COST_01 = Control(
    id="COST-01",
    title="Stack within its budget",
    law=BUDGET,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(),
    remedy="lower what the stack asks for, or raise budget.monthlyInr",
    check=None,
    stack_check=within_budget,
    settings={
        "monthlyInr": {
            "type": "number",
            "description": "rupees a month without tax, for a stack that states no budget",
        },
        "usdInr": {"type": "number", "description": "rupees for a US dollar, likewise"},
        "figure": {
            "type": "string",
            "enum": ["low", "expected", "high"],
            "default": "expected",
            "description": "which figure is held against it: pools at their minimum, as expected, at their maximum",
        },
    },
)
CONTROLS = (COST_01,)
