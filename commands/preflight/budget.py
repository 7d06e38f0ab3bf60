"""Whether the budgets on the real accounts would count what the stack costs: AWS' tag, Google's billing account.

Sources: AWS Billing user guide, "Activating user-defined cost allocation tags"; Cloud Billing API v1, BillingAccount.
"""

from __future__ import annotations

from commands.preflight.account import UNSAID, Aws, Finding, code_of
from commands.preflight.google_apis import UNSAID as UNSAID_BY_GOOGLE
from commands.preflight.google_apis import Google, why
from infra.aws.budget import TAG
from infra.gcp.budget import CURRENCY
from infra.settings.stack import Settings

# Cost Explorer answers there alone.
REGION = "us-east-1"
BILLING = "https://cloudbilling.googleapis.com/v1/billingAccounts"
NEEDED = "counts what the stack costs"
ACTIVATE = (
    f"once the stack is up and AWS knows the tag (a day), in the account that pays: aws ce "
    f"update-cost-allocation-tags-status --cost-allocation-tags-status TagKey={TAG},Status=Active; the budget is at $0 "
    "until a day after"
)


def check(settings: Settings, aws: Aws) -> list[Finding]:
    """Whether the tag that the AWS budget is filtered by is activated for cost allocation."""
    if settings.aws is None or not settings.aws.audit.alert_emails:
        return []
    what, needed = f"budget of the tag {TAG}", NEEDED
    try:
        answer = aws("ce", REGION).list_cost_allocation_tags(TagKeys=[TAG], Type="UserDefined")
    except UNSAID as error:
        fix = f"only the account that pays is told: {ACTIVATE}"
        return [Finding("budget", what, needed, f"not said: {code_of(error)}", "unknown", fix)]
    statuses = [tag["Status"] for tag in answer["CostAllocationTags"]]
    if statuses == ["Active"]:
        return [Finding("budget", what, needed, "activated", "ok")]
    there = "not activated" if statuses else "not known to billing yet"
    return [Finding("budget", what, needed, there, "tight", ACTIVATE)]


def check_google(settings: Settings, asked: Google) -> list[Finding]:
    """Whether Google has a budget at all, on a billing account in rupees."""
    if settings.gcp is None or not settings.gcp.audit.alert_emails:
        return []
    account = settings.gcp.billing_account
    what = "budget on the billing account"
    if account is None:
        fix = "set gcp.billingAccount to the one that pays for the project (`gcloud billing accounts list`)"
        return [Finding("budget", what, NEEDED, "no gcp.billingAccount", "tight", fix)]
    try:
        found = asked.get(f"{BILLING}/{account}")
    except UNSAID_BY_GOOGLE as error:
        fix = f"roles/billing.costsManager on {account}, which making the budget needs as well"
        return [Finding("budget", what, f"in {CURRENCY}", f"not said: {why(error)}", "unknown", fix)]
    if (currency := found.get("currencyCode")) != CURRENCY:
        fix = f"a billing account in {CURRENCY}, or no gcp.billingAccount: Google refuses a budget in another currency"
        return [Finding("budget", what, f"in {CURRENCY}", f"in {currency}", "missing", fix)]
    return [Finding("budget", what, f"in {CURRENCY}", f"in {currency}", "ok")]
