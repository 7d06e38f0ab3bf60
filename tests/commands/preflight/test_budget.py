"""Preflight of the budgets: the tag that must be activated (stubbed answers), the billing account and its currency."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.stub import Stubber
from httplib2 import Response

from commands.preflight import account, budget, google_apis
from infra.settings import reading
from infra.settings.stack import Settings

ACCOUNT = "01A2B3-4C5D6E-7F8091"


def read(emails: list[str], billing_account: str | None = None) -> Settings:
    audit, cluster = {"alertEmails": emails}, {"access": {"jumpHost": True}}
    google_cloud: dict[str, Any] = {"project": "unit-project", "region": "asia-south1"}
    google_cloud |= {"audit": audit, "cluster": cluster}
    if billing_account:
        google_cloud["billingAccount"] = billing_account
    return reading.parse(
        {
            "owner": "ml",
            "environment": "local",
            "purpose": "tests",
            "budget": {"monthlyInr": 1000},
            "currency": {"usdInr": 80.5, "asOf": "2026-11-24"},
            "aws": {"region": "ap-south-1", "audit": audit, "cluster": cluster},
            "gcp": google_cloud,
        }
    )


def stubbed(answer: Any) -> account.Aws:
    client = boto3.client(
        "ce", region_name="us-east-1", aws_access_key_id="unit", aws_secret_access_key="unit"
    )
    stub = Stubber(client)
    if isinstance(answer, str):
        stub.add_client_error("list_cost_allocation_tags", answer)
    else:
        tags = [{"TagKey": "stack", "Type": "UserDefined", "Status": status} for status in answer]
        expected = {"TagKeys": ["stack"], "Type": "UserDefined"}
        stub.add_response("list_cost_allocation_tags", {"CostAllocationTags": tags}, expected)
    stub.activate()
    return lambda service, region: client


@pytest.mark.parametrize(
    ("answer", "verdict", "there"),
    [
        (["Active"], "ok", "activated"),
        (["Inactive"], "tight", "not activated"),
        ([], "tight", "not known to billing yet"),
        ("AccessDeniedException", "unknown", "not said: AccessDeniedException"),
    ],
)
def test_a_tag_that_is_not_activated_is_told(answer: Any, verdict: str, there: str):
    (found,) = budget.check(read(["ml@team.in"]), stubbed(answer))
    assert (found.verdict, found.actual) == (verdict, there)
    assert ("update-cost-allocation-tags-status" in found.fix) == (verdict != "ok")


class Answer:
    """The billing account, or the status that Google answers instead."""

    def __init__(self, body: Any, status: int = 200) -> None:
        self.body, self.status = body, status

    def request(self, uri: str, method: str = "GET", **_: Any) -> tuple[Response, bytes]:
        assert (method, urlsplit(uri).path) == ("GET", f"/v1/billingAccounts/{ACCOUNT}")
        headers = {"status": str(self.status), "content-type": "application/json"}
        return Response(headers), json.dumps(self.body).encode()


@pytest.mark.parametrize(
    ("body", "status", "verdict"),
    [
        ({"currencyCode": "INR"}, 200, "ok"),
        ({"currencyCode": "USD"}, 200, "missing"),
        ({"error": {"code": 403, "message": "no"}}, 403, "unknown"),
    ],
)
def test_a_billing_account_is_in_rupees(body: Any, status: int, verdict: str):
    asked = google_apis.Google(Answer(body, status))
    (found,) = budget.check_google(read(["ml@team.in"], ACCOUNT), asked)
    assert found.verdict == verdict


def test_without_a_billing_account_it_says_which_setting():
    (found,) = budget.check_google(read(["ml@team.in"]), google_apis.Google(Answer({})))
    assert (found.verdict, found.actual) == ("tight", "no gcp.billingAccount")
    assert "gcp.billingAccount" in found.fix


def test_without_addresses_there_is_no_budget_to_check():
    nobody = read([], ACCOUNT)
    assert budget.check(nobody, stubbed("must not be asked")) == []
    assert budget.check_google(nobody, google_apis.Google(Answer({}))) == []
