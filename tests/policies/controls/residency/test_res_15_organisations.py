"""What an organisation writes for all its accounts: guardrails, backups, opt-outs, landing zones, constraints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.readers.region_guardrails import is_everybody
from tests.policies.harness import UNKNOWN, Shown, failures, run, unresolved

SCP, CONTROL = "aws:organizations/policy:Policy", "aws:controltower/controlTowerControl:ControlTowerControl"
GCP = "gcp:orgpolicy/policy:Policy"
INDIA = {"StringNotEquals": {"aws:RequestedRegion": ["ap-south-1", "ap-south-2"]}}
# As AWS's own example of a region guardrail has it, shortened.
GLOBAL = [
    "iam:*",
    "organizations:*",
    "sts:*",
    "route53:*",
    "cloudfront:*",
    "budgets:*",
    "s3:GetAccountPublic*",
    "s3:ListAllMyBuckets",
    "ec2:DescribeRegions",
    "kms:*",
    "support:*",
    "waf:*",
]


def guardrail(condition: Any = INDIA, type_: str = "SERVICE_CONTROL_POLICY", **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Deny", "NotAction": GLOBAL, "Resource": "*", "Condition": condition} | more
    return {"type": type_, "content": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}


def but(arns: Any, operator: str = "ArnNotLike", key: str = "aws:PrincipalArn") -> dict[str, Any]:
    return INDIA | {operator: {key: arns}}


def document(type_: str, content: Any) -> dict[str, Any]:
    return {"name": "p", "type": type_, "content": json.dumps(content)}


def backup(region: str = "ap-south-1", copy: str = "ap-south-2") -> dict[str, Any]:
    vault = f"arn:aws:backup:{copy}:$account:backup-vault:v"
    rule = {
        "target_backup_vault_name": {"@@assign": "v"},
        "copy_actions": {vault: {"target_backup_vault_arn": {"@@assign": vault}}},
    }
    return document(
        "BACKUP_POLICY", {"plans": {"p": {"regions": {"@@assign": [region]}, "rules": {"r": rule}}}}
    )


def opted(value: str, service: str = "default") -> dict[str, Any]:
    return document(
        "AISERVICES_OPT_OUT_POLICY", {"services": {service: {"opt_out_policy": {"@@assign": value}}}}
    )


def tower(exempt: Any) -> dict[str, Any]:
    allowed = {"key": "AllowedRegions", "value": json.dumps(["ap-south-1"])}
    return {
        "controlIdentifier": "arn:aws:controltower:ap-south-1::control/x",
        "targetIdentifier": "ou",
        "parameters": [allowed, exempt],
    }


def locations(**rule: Any) -> dict[str, Any]:
    return {"name": "organizations/1/policies/gcp.resourceLocations", "spec": {"rules": [rule]}}


LEAKS: dict[str, tuple[str, dict[str, Any]]] = {
    "every role is exempt": (SCP, guardrail(but("arn:aws:iam::*:role/*"))),
    "every principal is exempt": (SCP, guardrail(but(["arn:aws:iam::*:role/Break", "*"]))),
    "every role, by another operator": (SCP, guardrail(but("arn:*:iam::*:role/*", "ArnNotLikeIfExists"))),
    "every role, as a text": (SCP, guardrail(but("arn:aws:iam::*:role/*", "StringNotLike"))),
    "every user": (SCP, guardrail(but("arn:aws:iam::*:user/*"))),
    "everybody who signs on": (SCP, guardrail(but("arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*"))),
    "storage is exempt": (SCP, guardrail(NotAction=[*GLOBAL, "s3:*"])),
    "tables are exempt": (SCP, guardrail(NotAction=[*GLOBAL, "dynamodb:*"])),
    "models are exempt": (SCP, guardrail(NotAction=[*GLOBAL, "bedrock:Invoke*"])),
    "all is exempt": (SCP, guardrail(NotAction=["*"])),
    "some resources are exempt": (
        SCP,
        {
            "type": "SERVICE_CONTROL_POLICY",
            "content": json.dumps(
                {
                    "Statement": {
                        "Effect": "Deny",
                        "NotAction": GLOBAL,
                        "NotResource": "arn:aws:s3:::*",
                        "Condition": INDIA,
                    }
                }
            ),
        },
    ),
    "only those with a tag": (SCP, guardrail(INDIA | {"StringEquals": {"aws:PrincipalTag/env": "dev"}})),
    "Virginia too": (
        SCP,
        guardrail({"StringNotEquals": {"aws:RequestedRegion": ["ap-south-1", "us-east-1"]}}),
    ),
    "all of Asia": (SCP, guardrail({"StringNotLike": {"aws:RequestedRegion": "ap-*"}})),
    "of resources, every role": (
        SCP,
        guardrail(
            but("arn:aws:iam::*:role/*"), "RESOURCE_CONTROL_POLICY", Principal="*", Action="*", NotAction=None
        ),
    ),
    "AI may learn": (SCP, opted("optIn")),
    "AI may learn of one": (SCP, opted("optIn", "comprehend")),
    "images for all": (
        SCP,
        document(
            "DECLARATIVE_POLICY_EC2",
            {"ec2_attributes": {"image_block_public_access": {"state": {"@@assign": "unblocked"}}}},
        ),
    ),
    "snapshots for all": (
        SCP,
        document(
            "DECLARATIVE_POLICY_EC2",
            {"ec2_attributes": {"snapshot_block_public_access": {"state": {"@@assign": "unblocked"}}}},
        ),
    ),
    "backups in Virginia": (SCP, backup(region="us-east-1")),
    "copies in Singapore": (SCP, backup(copy="ap-southeast-1")),
    "copies in Ireland, by key": (
        SCP,
        document(
            "BACKUP_POLICY",
            {
                "plans": {
                    "p": {
                        "rules": {
                            "r": {
                                "copy_actions": {
                                    "arn:aws:backup:eu-west-1:$account:backup-vault:v": {"lifecycle": {}}
                                }
                            }
                        }
                    }
                }
            },
        ),
    ),
    "a landing zone": (
        "aws:controltower/landingZone:LandingZone",
        {
            "manifestJson": json.dumps(
                {
                    "governedRegions": ["ap-south-1", "us-west-2"],
                    "centralizedLogging": {"accountId": "111122223333"},
                }
            )
        },
    ),
    "a tower's region": (CONTROL, tower({"key": "AllowedRegions", "value": json.dumps(["eu-west-1"])})),
    "a tower's exempt roles": (
        CONTROL,
        tower({"key": "ExemptedPrincipalArns", "value": json.dumps(["arn:aws:iam::*:role/*"])}),
    ),
    "a tower's exempt actions": (CONTROL, tower({"key": "ExemptedActions", "value": json.dumps(["s3:*"])})),
    "stack sets": (
        "aws:cloudformation/stackInstances:StackInstances",
        {"regions": ["ap-south-1", "eu-west-1"]},
    ),
    "Google, America": (GCP, locations(values={"allowedValues": ["in:us-locations"]})),
    "Google, what is not denied": (GCP, locations(values={"deniedValues": ["in:us-locations"]})),
    "Google, reset": (
        GCP,
        {"name": "organizations/1/policies/gcp.resourceLocations", "spec": {"reset": True}},
    ),
    "Google, as it was": (
        "gcp:organizations/policy:Policy",
        {"constraint": "constraints/gcp.resourceLocations", "restorePolicy": {"default": True}},
    ),
    "Google, all of it": (
        "gcp:projects/organizationPolicy:OrganizationPolicy",
        {"constraint": "gcp.resourceLocations", "listPolicy": {"allow": {"all": True}}},
    ),
    "Google, any domain": (
        GCP,
        {
            "name": "organizations/1/policies/iam.allowedPolicyMemberDomains",
            "spec": {"rules": [{"allowAll": "TRUE"}]},
        },
    ),
    "Google, public buckets": (
        GCP,
        {
            "name": "projects/p/policies/storage.publicAccessPrevention",
            "spec": {"rules": [{"enforce": "FALSE"}]},
        },
    ),
    "Google, by an operator": (
        "kubernetes:resourcemanager.cnrm.cloud.google.com/v1beta1:ResourceManagerPolicy",
        {
            "spec": {
                "constraint": "constraints/gcp.resourceLocations",
                "listPolicy": {"allow": {"values": ["in:us-locations"]}},
            }
        },
    ),
    "Google, by an operator of today": (
        "kubernetes:orgpolicy.cnrm.cloud.google.com/v1beta1:OrgPolicyPolicy",
        {"spec": {"resourceID": "gcp.resourceLocations", "spec": {"rules": [{"allowAll": True}]}}},
    ),
}
CLEAN: dict[str, tuple[str, dict[str, Any]]] = {
    "as AWS has it": (SCP, guardrail()),
    "one role to break the glass": (
        SCP,
        guardrail(but(["arn:aws:iam::*:role/AWSControlTowerExecution", "arn:aws:iam::*:role/Break*"])),
    ),
    "one permission set": (
        SCP,
        guardrail(but("arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Admin_*")),
    ),
    "services of AWS": (SCP, guardrail(INDIA | {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}})),
    "a guardrail of another kind": (
        SCP,
        guardrail({"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}}),
    ),
    "no models abroad": (SCP, guardrail(NotAction=None, Action="bedrock:*")),
    "AI may not": (SCP, opted("optOut")),
    "backups at home": (SCP, backup()),
    "a tag policy": (
        SCP,
        document("TAG_POLICY", {"tags": {"Region": {"tag_value": {"@@assign": ["us", "eu"]}}}}),
    ),
    "images for nobody": (
        SCP,
        document(
            "DECLARATIVE_POLICY_EC2",
            {"ec2_attributes": {"image_block_public_access": {"state": {"@@assign": "block_new_sharing"}}}},
        ),
    ),
    "a landing zone at home": (
        "aws:controltower/landingZone:LandingZone",
        {
            "manifestJson": json.dumps(
                {"governedRegions": ["ap-south-1", "ap-south-2"], "accessManagement": {"enabled": True}}
            )
        },
    ),
    "a tower's one role": (
        CONTROL,
        tower({"key": "ExemptedPrincipalArns", "value": json.dumps(["arn:aws:iam::*:role/Break"])}),
    ),
    "Google, India": (GCP, locations(values={"allowedValues": ["in:in-locations"]})),
    "Google, nothing": (GCP, locations(denyAll="TRUE")),
    "Google, one's domain": (
        GCP,
        {
            "name": "organizations/1/policies/iam.allowedPolicyMemberDomains",
            "spec": {"rules": [{"values": {"allowedValues": ["C0"]}}]},
        },
    ),
    "Google, no public buckets": (
        GCP,
        {
            "name": "projects/p/policies/storage.publicAccessPrevention",
            "spec": {"rules": [{"enforce": "TRUE"}]},
        },
    ),
    "Google, another constraint": (
        GCP,
        {
            "name": "organizations/1/policies/compute.requireOsLogin",
            "spec": {"rules": [{"enforce": "FALSE"}]},
        },
    ),
}


def found(type_: str, props: dict[str, Any]) -> list[str]:
    return [
        line
        for one in run(Shown(type_, props))
        for line in one.message.splitlines()
        if line.startswith("[DPDP-RES-")
    ]


@pytest.mark.parametrize("case", LEAKS)
def test_what_lets_data_leave(case: str) -> None:
    assert found(*LEAKS[case])


@pytest.mark.parametrize("case", CLEAN)
def test_what_keeps_it(case: str) -> None:
    assert not found(*CLEAN[case])


# Stacks


def stack_of(content: dict[str, Any]) -> list[Shown]:
    policy = Shown(SCP, content, "policy")
    attached = Shown(
        "aws:organizations/policyAttachment:PolicyAttachment",
        {"policyId": UNKNOWN, "targetId": "ou-1"},
        "attached",
        sources={"policyId": [policy.urn]},
    )
    unit = Shown("aws:organizations/organizationalUnit:OrganizationalUnit", {"name": "prod"}, "unit")
    return [policy, attached, unit]


@pytest.mark.parametrize(("content", "keeps"), [(guardrail(), True), (guardrail(but("*")), False)])
def test_a_guardrail_with_a_door_is_none(content: dict[str, Any], keeps: bool) -> None:
    lacking = [one for one in failures(run(*stack_of(content)), "DPDP-RES-15") if "no service control" in one]
    assert bool(lacking) != keeps


def test_a_constraint_that_is_only_tried_limits_nothing() -> None:
    folder = Shown("gcp:organizations/folder:Folder", {"displayName": "f"}, "folder")
    rule = {"rules": [{"values": {"allowedValues": ["in:in-locations"]}}]}
    name = "organizations/1/policies/gcp.resourceLocations"
    assert not failures(run(folder, Shown(GCP, {"name": name, "spec": rule})), "DPDP-RES-15")
    for spec in ({"dryRunSpec": rule}, {"spec": {"reset": True}}):
        assert failures(run(folder, Shown(GCP, {"name": name} | spec)), "DPDP-RES-15")


@pytest.mark.parametrize(
    ("type_", "props"),
    [
        (SCP, {"content": UNKNOWN}),
        (CONTROL, {"parameters": UNKNOWN}),
        (CONTROL, {"parameters": [{"key": "ExemptedActions", "value": UNKNOWN}]}),
        (GCP, {"name": UNKNOWN}),
        (GCP, {"name": "organizations/1/policies/gcp.resourceLocations", "spec": UNKNOWN}),
        (GCP, {"name": "organizations/1/policies/iam.allowedPolicyMemberDomains", "spec": UNKNOWN}),
    ],
)
def test_what_nobody_knows_yet_is_no_pass(type_: str, props: dict[str, Any]) -> None:
    assert unresolved(run(Shown(type_, props)), "DPDP-RES-15")


@pytest.mark.parametrize(
    ("pattern", "everybody"),
    [
        ("*", True),
        ("arn:aws:iam::*:*", True),
        ("arn:aws:iam::*:role/*", True),
        ("arn:aws:sts::*:assumed-role/*/*", True),
        ("arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/ap-south-1/AWSReservedSSO_*", True),
        ("arn:aws:iam::*:role/AWSControlTowerExecution", False),
        ("arn:aws:iam::111122223333:role/Break*", False),
        ("arn:aws:iam::*:role/platform/*", False),
    ],
)
def test_whom_a_pattern_leaves_out(pattern: str, everybody: bool) -> None:
    assert is_everybody(pattern) is everybody
