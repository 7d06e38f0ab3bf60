"""The budget on the AWS account: the stack's rupees in dollars, its tag, and who is mailed when."""

from __future__ import annotations

from datetime import date

import pulumi
import pytest

from infra.aws import nodes
from infra.aws.budget import SpendBudget, SpendBudgetArgs
from infra.aws.tags import defaults
from infra.settings.money import Currency

EMAILS = ["ml@example.in", "money@example.in"]


@pytest.fixture(scope="module")
def budget(deploy):
    def program():
        currency = Currency(usd_inr=80.0, as_of=date(2026, 11, 26))
        SpendBudget("spend", SpendBudgetArgs("unit-dev", "dev", 200_000, currency, EMAILS))

    return deploy(program).one("budgets/budget:Budget").inputs


def test_the_month_is_the_stacks_rupees_at_its_rate(budget):
    assert (budget["limitAmount"], budget["limitUnit"]) == ("2500.00", "USD")
    assert (budget["timeUnit"], budget["budgetType"]) == ("MONTHLY", "COST")


def test_it_counts_what_the_bill_does(budget):
    assert budget["costTypes"] == {"includeTax": False, "includeCredit": False, "includeRefund": False}


def test_people_are_mailed_before_the_money_is_spent(budget):
    told = [
        (one["notificationType"], one["threshold"], one["thresholdType"]) for one in budget["notifications"]
    ]
    assert told == [
        ("ACTUAL", 50, "PERCENTAGE"),
        ("ACTUAL", 80, "PERCENTAGE"),
        ("ACTUAL", 100, "PERCENTAGE"),
        ("FORECASTED", 100, "PERCENTAGE"),
    ]
    for notification in budget["notifications"]:
        assert notification["comparisonOperator"] == "GREATER_THAN"
        assert notification["subscriberEmailAddresses"] == EMAILS


def test_the_tag_that_is_counted_is_on_resources_and_on_what_ec2_starts(budget, deploy):
    """Of a filter by a tag that nodes lack, the dearest part of the month would be missing."""
    (cost_filter,) = budget["costFilters"]
    assert cost_filter["name"] == "TagKeyValue"
    (value,) = cost_filter["values"]
    kind, _, key_and_value = value.partition(":")
    key, _, stack = key_and_value.partition("$")
    assert (kind, stack) == ("user", "dev")
    assert defaults("india-ai-infra", "dev", "ml")[key] == "dev"
    args = nodes.TemplateArgs(80, "arn:key", {"Name": "a"})
    template = deploy(
        lambda: nodes.launch_template("t", args, pulumi.ResourceOptions()) and None, stack="dev"
    )
    specified = template.one("launchTemplate:LaunchTemplate").inputs["tagSpecifications"]
    assert {one["resourceType"] for one in specified} == {"instance", "volume"}
    assert all(one["tags"][key] == "dev" for one in specified)
