"""What a stack may cost, as a resource: so that whoever sees the stack's resources (a policy, a reviewer) sees it
too."""

from __future__ import annotations

from typing import Any

import pulumi

from infra.settings.stack import Settings


class Budget(pulumi.ComponentResource):
    """The budget, the rate and the assumed usage of a stack. It costs nothing and makes nothing.

    `COST-01` of the policy pack compares the price of the other resources with it.
    """

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        told: dict[str, Any] = {
            # Without credits nothing is told of them: a stack that is up sees no change.
            **settings.budget.model_dump(by_alias=True, mode="json", exclude_defaults=True),
            "currency": settings.currency.model_dump(by_alias=True, mode="json"),
            "usage": settings.usage.model_dump(by_alias=True),
        }
        super().__init__("india-ai-infra:index:Budget", name, told, opts)
        self.register_outputs(told)
