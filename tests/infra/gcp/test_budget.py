"""The budget on Google's billing account: rupees over the stack's project, and the channels that are told."""

from __future__ import annotations

import pytest

from infra.gcp.budget import SpendBudget, SpendBudgetArgs
from localcloud.providers.gcp import table as gcp_table

ACCOUNT = "01A2B3-4C5D6E-7F8091"


@pytest.fixture(scope="module")
def budget(deploy, project):
    def program():
        SpendBudget("spend", SpendBudgetArgs(project, "unit-gcp", ACCOUNT, 3_000_000, ["channel-1"]))

    return deploy(program).one("billing/budget:Budget").inputs


def test_the_month_is_in_rupees_and_says_so(budget):
    assert budget["billingAccount"] == ACCOUNT
    assert budget["amount"] == {"specifiedAmount": {"currencyCode": "INR", "units": "3000000"}}


def test_the_stacks_project_is_counted_and_start_up_credits_hide_nothing(budget, project):
    counted = budget["budgetFilter"]
    assert counted["projects"] == [f"projects/{project.number}"]
    assert counted["calendarPeriod"] == "MONTH"
    assert counted["creditTypesTreatment"] == "INCLUDE_SPECIFIED_CREDITS"
    assert "PROMOTION" not in counted["creditTypes"]
    assert "SUSTAINED_USAGE_DISCOUNT" in counted["creditTypes"], (
        "else e2 and n1 nodes count dearer than billed"
    )


def test_the_stacks_channels_are_told_and_nobody_else(budget):
    assert budget["allUpdatesRule"] == {
        "monitoringNotificationChannels": ["channel-1"],
        "disableDefaultIamRecipients": True,
    }
    rules = [(rule["spendBasis"], rule["thresholdPercent"]) for rule in budget["thresholdRules"]]
    assert rules == [
        ("CURRENT_SPEND", 0.5),
        ("CURRENT_SPEND", 0.8),
        ("CURRENT_SPEND", 1.0),
        ("FORECASTED_SPEND", 1.0),
    ]


def test_the_local_cloud_has_the_type():
    assert "gcp:billing/budget:Budget" in gcp_table.tokens()
