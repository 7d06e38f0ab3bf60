"""Cost: COST-01 a stack within its budget.

The budget is the stack's own (`india-ai-infra:index:Budget`), or the policy's settings for stacks that have none.
Credits of the budget are not taken off: they end on a day, and the stack would be over its budget on the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Settings, Stack
from policies.framework.unknowns import dig
from policies.law import BUDGET

BUDGET_TYPE = "india-ai-infra:index:Budget"


def within_budget(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """COST-01: the month that the stack's resources add up to, in rupees without tax, is within the budget."""
    stated = next(stack.of(BUDGET_TYPE), None)
    told = stated.props if stated else {}
    budget = settings.get("monthlyInr") or told.get("monthlyInr")
    rate = settings.get("usdInr") or dig(told, "currency", "usdInr")
    if not budget and not rate:
        return
    where = stated.urn if stated else stack.urn
    if not _positive(budget) or not _positive(rate):
        value = {"monthlyInr": budget, "usdInr": rate}
        yield where, Finding("the budget can't be compared", "budget", value, "both, as numbers above 0")
        return
    # The catalogue is read where there is a budget, and only there: every preview waits for the pack to start.
    from policies.readers.monthly_cost import over

    figure = settings.get("figure", "expected")
    if finding := over(stack, told.get("usage") or {}, figure, budget, rate):
        yield where, finding


def _positive(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


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
