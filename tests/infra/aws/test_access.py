"""Access: who may assume which role, what each may reach, and that no key is handed out."""

from __future__ import annotations

import json
from fnmatch import fnmatch

import pulumi
import pytest

from infra import contracts
from infra.aws import grants
from infra.aws.access import Access, AccessArgs, ClusterAccess, ClusterAccessArgs
from infra.contracts.grants import HUMANS, Grant
from tests.workloads.registered import NEEDS, WORKLOAD_GRANTS

BUCKETS = ("raw", "curated", "features", "models", "checkpoints", "audit")
KEY = "arn:aws:kms:ap-south-1:111122223333:key/lake"


def _bucket(role: str, key: str | None = KEY) -> contracts.Bucket:
    def out(text: str) -> pulumi.Output[str]:
        return pulumi.Output.from_input(text)

    return contracts.Bucket(
        name=out(role),
        uri=out(f"s3://{role}"),
        arn_or_id=out(f"arn:aws:s3:::{role}"),
        key=out(key) if key else None,
    )


@pytest.fixture(scope="module")
def build(deploy, account):
    def run(**people):
        def program():
            lake = contracts.Lake({role: _bucket(role) for role in BUCKETS})
            args = AccessArgs(account, lake, _bucket("access-logs", None), "mumbai", people, workloads=NEEDS)
            access = Access("access", args)
            return {"humans": access.human_roles, "workloads": access.workload_roles}

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


def _may(made, who, action, resource):
    """Whether the role's policy allows it, leaving conditions aside."""
    for said in made.one("iam/rolePolicy:RolePolicy", f"access-{who}").policy().values():
        resources = said["Resource"] if isinstance(said["Resource"], list) else [said["Resource"]]
        if action in said["Action"] and any(fnmatch(resource, pattern) for pattern in resources):
            return True
    return False


@pytest.mark.parametrize(
    ("who", "action", "where", "allowed"),
    [
        ("data-engineer", "s3:PutObject", "raw/landing/day.parquet", True),
        ("data-engineer", "s3:PutObject", "raw/settled/day.parquet", False),
        ("data-engineer", "s3:DeleteObject", "raw/landing/day.parquet", False),
        ("data-engineer", "s3:PutObject", "curated/day.parquet", True),
        ("data-engineer", "s3:GetObject", "models/released/m", False),
        ("ml-engineer", "s3:GetObject", "raw/landing/day.parquet", False),
        ("ml-engineer", "s3:GetObject", "curated/day.parquet", True),
        ("ml-engineer", "s3:PutObject", "curated/day.parquet", False),
        ("ml-engineer", "s3:PutObject", "models/released/m", True),
        ("ml-engineer", "s3:PutObject", "models/candidates/m", False),
        ("ml-engineer", "s3:GetObject", "audit/AWSLogs/x", False),
        ("auditor", "s3:GetObject", "audit/AWSLogs/x", True),
        ("auditor", "s3:GetObject", "access-logs/raw/x", True),
        ("auditor", "s3:GetObject", "raw/landing/day.parquet", False),
        ("auditor", "s3:PutObject", "audit/AWSLogs/x", False),
        ("training", "s3:GetObject", "features/x", True),
        ("training", "s3:PutObject", "checkpoints/jobs/train/1.pt", True),
        ("training", "s3:PutObject", "models/released/m", False),
        ("training", "s3:PutObject", "models/candidates/m", True),
        ("training", "s3:GetObject", "raw/landing/day.parquet", False),
        ("serving", "s3:GetObject", "models/released/m", True),
        ("serving", "s3:GetObject", "models/candidates/m", False),
        ("serving", "s3:PutObject", "models/released/m", False),
        ("serving", "s3:GetObject", "checkpoints/jobs/train/1.pt", False),
        ("proof", "s3:PutObject", "audit/evidence/mumbai/all_reduce.json", True),
        ("proof", "s3:DeleteObject", "audit/evidence/mumbai/all_reduce.json", False),
        ("proof", "s3:PutObject", "audit/AWSLogs/x", False),
        ("proof", "s3:DeleteObject", "checkpoints/proof/x", True),
        ("proof", "s3:GetObject", "checkpoints/jobs/train/1.pt", False),
        ("proof", "s3:GetObject", "raw/landing/day.parquet", False),
    ],
)
def test_a_role_reaches_what_it_needs_and_no_more(made, who, action, where, allowed):
    assert _may(made, who, action, f"arn:aws:s3:::{where}") is allowed


def test_no_policy_has_a_wildcard_action_or_erases_versions(made):
    for policy in made.of("iam/rolePolicy:RolePolicy").values():
        for said in policy.policy().values():
            assert said["Resource"] != "*"
            assert not any("*" in action for action in said["Action"])
            assert "s3:DeleteObjectVersion" not in said["Action"]
        assert len(policy.inputs["policy"]) < 10_240, "the limit of a role's inline policies"


def test_a_key_is_used_for_the_granted_buckets_alone(made):
    said = made.one("iam/rolePolicy:RolePolicy", "access-serving").policy()
    key = said["KeyModels0"]
    assert key["Action"] == ["kms:Decrypt"]
    assert key["Resource"] == KEY
    assert key["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.ap-south-1.amazonaws.com"},
        "StringLike": {"kms:EncryptionContext:aws:s3:arn": ["arn:aws:s3:::models", "arn:aws:s3:::models/*"]},
    }
    assert said["ListModels0"]["Condition"] == {"StringLike": {"s3:prefix": "released/*"}}


def test_who_writes_below_a_prefix_may_learn_that_the_bucket_is_there_and_no_more(made):
    said = made.one("iam/rolePolicy:RolePolicy", "access-training").policy()
    assert said["PlaceCheckpoints3"] == {
        "Sid": "PlaceCheckpoints3",
        "Effect": "Allow",
        "Action": ["s3:GetBucketLocation"],
        "Resource": "arn:aws:s3:::checkpoints",
    }
    assert said["ListCheckpoints3"]["Condition"] == {"StringLike": {"s3:prefix": "jobs/*"}}
    assert "PlaceModels0" not in made.one("iam/rolePolicy:RolePolicy", "access-serving").policy()


def test_access_logs_need_no_customer_key(made):
    said = made.one("iam/rolePolicy:RolePolicy", "access-auditor").policy()
    assert "KeyAudit0" in said
    assert "KeyAccessLogs1" not in said


def test_a_grant_on_no_bucket_is_refused(account):
    with pytest.raises(LookupError, match="bucket lakes; there are raw"):
        grants.statements(["ap-south-1"], [{"raw": _bucket("raw")}], [Grant("lakes", "read")])


def test_named_people_may_assume_their_role(build):
    arn = "arn:aws:iam::111122223333:role/sso/data"
    trusted = build(**{"data-engineer": [arn]}).one("iam/role:Role", "access-data-engineer")
    said = trusted.policy("assumeRolePolicy")["Assume"]
    assert said["Principal"] == {"AWS": [arn]}
    assert said["Action"] == ["sts:AssumeRole"]


def test_without_names_a_second_factor_is_asked(made, account_id):
    for person in HUMANS:
        said = made.one("iam/role:Role", f"access-{person}").policy("assumeRolePolicy")["Assume"]
        assert said["Principal"] == {"AWS": f"arn:aws:iam::{account_id}:root"}
        assert said["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@pytest.mark.parametrize("workload", list(WORKLOAD_GRANTS))
def test_only_the_workloads_pods_assume_its_role(made, account_id, workload):
    said = made.one("iam/role:Role", f"access-{workload}").policy("assumeRolePolicy")["Assume"]
    assert said["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert said["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert said["Condition"]["StringEquals"] == {
        "aws:SourceAccount": account_id,
        "aws:RequestTag/eks-cluster-arn": f"arn:aws:eks:ap-south-1:{account_id}:cluster/mumbai",
        "aws:RequestTag/kubernetes-namespace": workload,
        "aws:RequestTag/kubernetes-service-account": workload,
    }


def test_there_are_no_static_keys(made):
    assert not [
        found.type for found in made.resources if "accessKey" in found.type or "iam/user" in found.type
    ]
    assert set(made.result["humans"]) == {"data-engineer", "ml-engineer", "auditor"}
    assert set(made.result["workloads"]) == set(WORKLOAD_GRANTS)


def test_roles_enter_the_cluster_as_groups_and_service_accounts(deploy):
    def program():
        humans = {who: pulumi.Output.from_input(f"arn:aws:iam::1:role/{who}") for who in HUMANS}
        workloads = {who: pulumi.Output.from_input(f"arn:aws:iam::1:role/{who}") for who in WORKLOAD_GRANTS}
        ClusterAccess("entry", ClusterAccessArgs("mumbai", humans, workloads, NEEDS))

    made = deploy(program)
    entries = {name: found.inputs for name, found in made.of("eks/accessEntry:AccessEntry").items()}
    assert {
        entry["principalArn"].split("/")[-1]: entry["kubernetesGroups"] for entry in entries.values()
    } == {
        "data-engineer": ["data-engineers"],
        "ml-engineer": ["ml-engineers"],
        "auditor": ["auditors"],
    }
    assert not any(
        group.startswith("system:") for entry in entries.values() for group in entry["kubernetesGroups"]
    )
    pods = made.of("eks/podIdentityAssociation:PodIdentityAssociation")
    assert pods["entry-serving"].inputs["serviceAccount"] == "serving"
    assert pods["entry-serving"].inputs["namespace"] == "serving"
    assert json.dumps(pods["entry-training"].inputs["roleArn"]) == '"arn:aws:iam::1:role/training"'
