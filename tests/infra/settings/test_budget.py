"""The month's budget in the settings: shares of two clouds, the billing account, and how many can be mailed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import reading
from infra.settings.errors import Problem, SettingsError
from infra.settings.stack import Settings

AWS = {"region": "ap-south-1", "cluster": {"access": {"jumpHost": True}}}
GOOGLE = {"project": "unit-project", "region": "asia-south1", "cluster": {"access": {"jumpHost": True}}}
ACCOUNT = "01A2B3-4C5D6E-7F8091"


def read(budget: dict[str, Any], **clouds: Any) -> Settings:
    return reading.parse(
        {
            "owner": "ml",
            "environment": "local",
            "purpose": "tests",
            "budget": budget,
            "currency": {"usdInr": 80.5, "asOf": "2026-11-24"},
            **clouds,
        }
    )


def refused(budget: dict[str, Any], **clouds: Any) -> dict[str, Problem]:
    with pytest.raises(SettingsError) as error:
        read(budget, **clouds)
    return {problem.path: problem for problem in error.value.problems}


@given(total=st.integers(1, 10**12), percent=st.none() | st.integers(1, 99))
def test_two_clouds_share_the_whole_budget(total: int, percent: int | None):
    """So that together they can't be over it while neither is over its own."""
    both = read({"monthlyInr": total, "awsPercent": percent}, aws=AWS, gcp=GOOGLE)
    assert both.monthly_inr("aws") + both.monthly_inr("gcp") == total
    assert both.monthly_inr("aws") == total * (percent or 50) // 100


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_one_cloud_has_it_all(cloud: Any):
    alone = read({"monthlyInr": 1000, "awsPercent": 60}, **{cloud: {"aws": AWS, "gcp": GOOGLE}[cloud]})
    assert alone.monthly_inr(cloud) == 1000


def test_a_share_leaves_both_clouds_something():
    assert list(refused({"monthlyInr": 1000, "awsPercent": 100}, aws=AWS, gcp=GOOGLE)) == [
        "budget.awsPercent"
    ]


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ("billingAccounts/01A2B3-4C5D6E-7F8091", ACCOUNT),
        ("01a2b3-4c5d6e-7f8091", ACCOUNT),
        ("01A2B34C5D6E7F8091", ACCOUNT),
        ("unit-project", None),
        ("01A2B3-4C5D6E", None),
    ],
)
def test_a_billing_account_is_an_id(given: str, near: str | None):
    problem = refused({"monthlyInr": 1000}, gcp={**GOOGLE, "billingAccount": given})["gcp.billingAccount"]
    assert problem.nearest == near
    assert "gcloud billing accounts list" in problem.allowed


def test_no_more_are_told_than_a_budget_can_tell():
    eleven = [f"a{i}@example.in" for i in range(11)]
    assert read({"monthlyInr": 1}, aws={**AWS, "audit": {"alertEmails": eleven[:10]}})
    problem = refused({"monthlyInr": 1}, aws={**AWS, "audit": {"alertEmails": eleven}})[
        "aws.audit.alertEmails"
    ]
    assert "at most 10 addresses" in problem.allowed
    six = {**GOOGLE, "audit": {"alertEmails": eleven[:6]}}
    assert read({"monthlyInr": 1}, gcp=six), "without a budget, channels have no such limit"
    problem = refused({"monthlyInr": 1}, gcp={**six, "billingAccount": ACCOUNT})["gcp.audit"]
    assert "at most 5 alertEmails" in problem.allowed
