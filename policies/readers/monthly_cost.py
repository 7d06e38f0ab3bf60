"""A stack's month in rupees, held against a budget, by the catalogue's prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.pricing.estimate import estimate
from infra.pricing.resources import Resource
from infra.pricing.rupees import format_inr
from infra.settings.stack import Usage
from policies.framework.control import Finding
from policies.framework.resources import Stack, StackResource

NAMED = 3


def over(stack: Stack, usage: Mapping[str, Any], figure: str, budget: float, rate: float) -> Finding | None:
    """What is wrong if the month (`figure`: low, expected or high, without tax) costs more than `budget` rupees."""
    month = estimate(map(_registered, stack.all()), Usage.model_validate(usage))
    total = getattr(month.total, figure) * rate
    if total <= budget:
        return None
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


def _registered(resource: StackResource) -> Resource:
    shown = resource.analyzed
    return Resource(
        resource.type,
        resource.urn,
        resource.props,
        shown.parent.urn if shown.parent else "",
        shown.provider.urn if shown.provider else "",
        {prop: [source.urn for source in found] for prop, found in shown.property_dependencies.items()},
    )
