"""The stack's budget on the AWS account: who is mailed before the month's rupees are spent.

Sources: AWS Cost Management user guide, "Managing your costs with AWS Budgets"; AWS Billing user guide, "Using
user-defined cost allocation tags"; awslabs/landing-zone-accelerator-on-aws#682 (a limit in another currency is refused:
"not in the supported unit set: [USD]").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.settings.money import Currency

ACTUAL_PERCENT = (50, 80, 100)
FORECAST_PERCENT = (100,)
# Of the provider's default tags, and of the nodes' own (infra/aws/nodes.py).
TAG = "stack"


@dataclass(frozen=True)
class SpendBudgetArgs:
    """`name` is unique in the account. `monthly_inr` is without tax; `stack` is the value of the tag that is counted.

    `emails` are mailed directly, without the stack's topic: they have nothing to confirm, and a service that answers in
    us-east-1 needs no way into a topic and its key in India.
    """

    name: str
    stack: str
    monthly_inr: float
    currency: Currency
    emails: Sequence[str]


class SpendBudget(pulumi.ComponentResource):
    """A monthly cost budget in dollars at the stack's rate, mailed at 50, 80 and 100 % spent and at 100 % forecast.

    Nothing is stopped. What AWS bills without the tag (tax, support, some traffic) is not counted, and before the tag
    is activated for cost allocation nothing is.
    """

    def __init__(self, name: str, args: SpendBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:SpendBudget", name, None, opts)
        aws.budgets.Budget(
            name,
            name=args.name,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{args.monthly_inr / args.currency.usd_inr:.2f}",
            limit_unit="USD",
            cost_filters=[{"name": "TagKeyValue", "values": [f"user:{TAG}${args.stack}"]}],
            # As the bill of `make cost`: before tax, and before credits, which would hide what is used until they end.
            cost_types={"include_tax": False, "include_credit": False, "include_refund": False},
            notifications=[
                *(_notification("ACTUAL", percent, args.emails) for percent in ACTUAL_PERCENT),
                *(_notification("FORECASTED", percent, args.emails) for percent in FORECAST_PERCENT),
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})


def _notification(kind: str, percent: int, emails: Sequence[str]) -> aws.budgets.BudgetNotificationArgs:
    return aws.budgets.BudgetNotificationArgs(
        notification_type=kind,
        comparison_operator="GREATER_THAN",
        threshold=percent,
        threshold_type="PERCENTAGE",
        subscriber_email_addresses=list(emails),
    )
