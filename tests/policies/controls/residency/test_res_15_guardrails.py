"""What denies regions abroad to the accounts and folders of a stack: RES-15."""

from __future__ import annotations

import json
from typing import Any

from tests.policies.harness import UNKNOWN, Shown, failures, run, unresolved


def scp(regions: Any, **given: Any) -> Shown:
    statement = {
        "Effect": "Deny",
        "NotAction": ["iam:*"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": regions}},
    } | given
    return Shown(
        "aws:organizations/policy:Policy", {"content": json.dumps({"Statement": [statement]})}, "scp"
    )


ACCOUNT = Shown("aws:organizations/account:Account", {"email": "a@example.in"}, "account")


def attached(policy: Shown) -> Shown:
    return Shown(
        "aws:organizations/policyAttachment:PolicyAttachment",
        {"policyId": UNKNOWN},
        "attached",
        sources={"policyId": [policy.urn]},
    )


def test_an_organisation_denies_regions_abroad() -> None:
    good = scp(["ap-south-1", "ap-south-2"])
    assert not failures(run(ACCOUNT, good, attached(good)), "DPDP-RES-15")
    assert failures(run(ACCOUNT), "DPDP-RES-15")
    assert failures(run(ACCOUNT, good), "DPDP-RES-15")
    for weak in (
        scp(["ap-south-1", "us-east-1"]),
        scp([]),
        scp("ap-south-1", Effect="Allow"),
        scp("ap-south-1", NotAction=None) and scp("ap-south-1", Condition={}),
        Shown("aws:organizations/policy:Policy", {"content": UNKNOWN}, "scp"),
    ):
        assert failures(run(ACCOUNT, weak, attached(weak)), "DPDP-RES-15")


def test_folders_of_google_are_limited_too() -> None:
    folder = Shown("gcp:organizations/folder:Folder", {"displayName": "f"}, "folder")
    rules = {"rules": [{"values": {"allowedValues": ["in:in-locations"]}}]}
    limit = Shown(
        "gcp:orgpolicy/policy:Policy",
        {"name": "organizations/1/policies/gcp.resourceLocations", "spec": rules},
        "limit",
    )
    assert failures(run(folder), "DPDP-RES-15")
    assert not failures(run(folder, limit), "DPDP-RES-15")
    assert not failures(run(Shown("aws:sqs/queue:Queue", {})), "DPDP-RES-15")


def test_a_region_abroad_may_be_closed() -> None:
    def region(enabled: Any) -> Shown:
        return Shown("aws:account/region:Region", {"regionName": "me-central-1", "enabled": enabled})

    assert not failures(run(region(False)), "DPDP-RES-15")
    assert failures(run(region(True)), "DPDP-RES-15")
    assert unresolved(run(region(UNKNOWN)), "DPDP-RES-15")
