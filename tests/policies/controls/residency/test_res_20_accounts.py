"""Whose an account is, and who is declared one's own: RES-20."""

from __future__ import annotations

import json
from typing import Any

from policies.pack import CONTROLS
from tests.policies.harness import UNKNOWN, Shown, failures, run, unresolved

OWN, OTHER = "111111111111", "222222222222"


def setting(control: str, **settings: Any) -> dict[str, Any]:
    (found,) = [one for one in CONTROLS if one.id == control]
    names = [found.policy_name, f"{found.policy_name}-stack"]
    return dict.fromkeys(names if found.check and found.stack_check else names[:1], settings)


def document(*accounts: str, action: str = "sqs:*") -> str:
    principals = [f"arn:aws:iam::{number}:root" for number in accounts]
    return json.dumps(
        {
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": action, "Resource": "*"}
            ]
        }
    )


def queue_policy(*accounts: str) -> Shown:
    return Shown("aws:sqs/queuePolicy:QueuePolicy", {"policy": document(*accounts)}, "queue-policy")


def key(*accounts: str) -> Shown:
    return Shown("aws:kms/key:Key", {"policy": document(*accounts, action="kms:Put*")}, "key")


def test_an_account_is_the_stacks_own_by_its_arns_or_its_keys() -> None:
    queue = Shown("aws:sqs/queue:Queue", {}, "queue", outputs={"arn": f"arn:aws:sqs:ap-south-1:{OWN}:q"})
    provider = Shown("pulumi:providers:aws", {"region": "ap-south-1", "allowedAccountIds": f'["{OWN}"]'}, "p")
    for proof in (queue, key(OWN), provider):
        assert not failures(run(proof, queue_policy(OWN)), "DPDP-RES-20")
        assert failures(run(proof, queue_policy(OWN, OTHER)), "DPDP-RES-20")
    assert failures(run(queue_policy(OWN)), "DPDP-RES-20"), "nothing shows that it is the stack's own"
    assert failures(run(key(OWN, OTHER)), "DPDP-RES-20"), "either may be the stack's own"


def test_declared_accounts() -> None:
    declared = setting(
        "DPDP-RES-20", indianAccounts=[OTHER, f"arn:aws:organizations::{OTHER}:organization/o-1"]
    )
    for type_, props in (
        ("aws:ec2/amiLaunchPermission:AmiLaunchPermission", {"accountId": OTHER}),
        ("aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission", {"accountId": OTHER}),
        (
            "aws:ec2/amiLaunchPermission:AmiLaunchPermission",
            {"organizationArn": f"arn:aws:organizations::{OTHER}:organization/o-1"},
        ),
        ("aws:ram/principalAssociation:PrincipalAssociation", {"principal": OTHER}),
        ("aws:kms/grant:Grant", {"granteePrincipal": f"arn:aws:iam::{OTHER}:role/r"}),
    ):
        shown = Shown(type_, props)
        assert failures(run(key(OWN), shown), "DPDP-RES-20")
        assert not failures(run(key(OWN), shown, config=declared), "DPDP-RES-20")


def test_an_unknown_policy_is_settled_by_what_it_is_made_from() -> None:
    queue = Shown("aws:sqs/queue:Queue", {}, "queue")
    secret = Shown("aws:ssm/parameter:Parameter", {}, "parameter")
    for source, settled in ((queue, True), (secret, False)):
        policy = Shown(
            "aws:sqs/queuePolicy:QueuePolicy", {"policy": UNKNOWN}, "policy", sources={"policy": [source.urn]}
        )
        assert bool(unresolved(run(source, policy), "DPDP-RES-20")) != settled


def test_members_of_other_domains_once_ones_own_are_named() -> None:
    member = Shown("gcp:projects/iAMMember:IAMMember", {"member": "group:a@elsewhere.example"})
    assert not failures(run(member), "DPDP-RES-20")
    assert failures(run(member, config=setting("DPDP-RES-20", ownDomains=["example.in"])), "DPDP-RES-20")
