"""The account that a stack made, read back from AWS: what its policies are now, and not what a program meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from localcloud.permissions.aws_account import Account, Bucket, Role
from localcloud.permissions.iam_policies import Statement, statements

Clients = Callable[[str], Any]


def read(clients: Clients, account_id: str, region: str) -> Account:
    """The account as `clients` (a client of AWS, by service) see it in one region. Buckets without a policy or a key
    have none; roles are by their names."""
    buckets = {name: _bucket(clients("s3"), name) for name in _names(clients("s3"))}
    keys = {bucket.key for bucket in buckets.values() if bucket.key}
    return Account(
        account_id,
        buckets,
        _roles(clients("iam")),
        {
            key: statements(clients("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])
            for key in sorted(keys)
        },
        _endpoints(clients("ec2"), region),
    )


def _names(s3: Any) -> list[str]:
    return [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


def _bucket(s3: Any, name: str) -> Bucket:
    place = s3.get_bucket_location(Bucket=name)["LocationConstraint"] or "us-east-1"
    policy = _given(lambda: s3.get_bucket_policy(Bucket=name)["Policy"])
    encryption = _given(lambda: s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"])
    rules = encryption["Rules"] if encryption else []
    key = rules[0]["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID") if rules else None
    return Bucket(name, place, statements(policy) if policy else [], key)


def _given(ask: Callable[[], Any]) -> Any:
    """What is asked for; None where AWS says that there is no such thing."""
    try:
        return ask()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchBucketPolicy", "ServerSideEncryptionConfigurationNotFoundError"):
            return None
        raise


def _roles(iam: Any) -> Mapping[str, Role]:
    found = {}
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            name = role["RoleName"]
            policies = {
                f"policy of the role {name}": statements(
                    iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                )
                for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
            }
            found[name] = Role(role["Arn"], policies, statements(role["AssumeRolePolicyDocument"]))
    return found


def _endpoints(ec2: Any, region: str) -> dict[str, list[Statement]]:
    of_s3 = [{"Name": "service-name", "Values": [f"com.amazonaws.{region}.s3"]}]
    found = ec2.describe_vpc_endpoints(Filters=of_s3)["VpcEndpoints"]
    gateways = [endpoint for endpoint in found if endpoint["VpcEndpointType"] == "Gateway"]
    return {region: statements(gateways[0]["PolicyDocument"])} if gateways else {}
