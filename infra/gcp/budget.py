"""The stack's budget on Google's billing account: who is mailed before the month's rupees are spent.

Sources: Cloud Billing Budget API v1, `Budget` and `Filter`; Cloud Billing documentation, "Create, edit, or delete
budgets and budget alerts".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.gcp.iam import Project

# Google refuses a currency that is not the billing account's. Without one it would take rupees for dollars.
CURRENCY = "INR"
ACTUAL_SHARES = (0.5, 0.8, 1.0)
FORECAST_SHARES = (1.0,)
# What lowers the price is counted as the invoice has it. Promotions (start-up credits) are not: they would hide what is
# used until they end.
PRICE_CREDITS = (
    "COMMITTED_USAGE_DISCOUNT",
    "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE",
    "DISCOUNT",
    "FREE_TIER",
    "RESELLER_MARGIN",
    "SUBSCRIPTION_BENEFIT",
    "SUSTAINED_USAGE_DISCOUNT",
)


@dataclass(frozen=True)
class SpendBudgetArgs:
    """`channels` are ids of notification channels; `billing_account` is paid from in rupees."""

    project: Project
    name: str
    billing_account: str
    monthly_inr: int
    channels: Sequence[pulumi.Input[str]]


class SpendBudget(pulumi.ComponentResource):
    """A monthly budget in rupees over the stack's project, mailed at 50, 80 and 100 % spent and at 100 % forecast.

    Nothing is stopped. The whole project is counted: a budget by label leaves out what Google bills without one (NAT,
    traffic, logs).
    """

    def __init__(self, name: str, args: SpendBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:SpendBudget", name, None, opts)
        gcp.billing.Budget(
            name,
            billing_account=args.billing_account,
            display_name=args.name,
            amount={"specified_amount": {"currency_code": CURRENCY, "units": str(args.monthly_inr)}},
            budget_filter={
                "projects": [pulumi.Output.concat("projects/", args.project.number)],
                "calendar_period": "MONTH",
                "credit_types_treatment": "INCLUDE_SPECIFIED_CREDITS",
                "credit_types": list(PRICE_CREDITS),
            },
            threshold_rules=[
                *({"threshold_percent": share, "spend_basis": "CURRENT_SPEND"} for share in ACTUAL_SHARES),
                *(
                    {"threshold_percent": share, "spend_basis": "FORECASTED_SPEND"}
                    for share in FORECAST_SHARES
                ),
            ],
            all_updates_rule={
                "monitoring_notification_channels": list(args.channels),
                # The billing account may be a reseller's, or another team's.
                "disable_default_iam_recipients": True,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
