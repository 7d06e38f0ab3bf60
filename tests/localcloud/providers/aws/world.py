"""What the engine would do with the AWS provider, against a moto of its own, and what is left in that."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from localcloud.providers.aws.api import Api
from localcloud.providers.aws.provider import Aws
from localcloud.providers.protocol import Resource, Values

REGION = "ap-south-1"
DEFAULT_TAGS = {"project": "india-ai-infra", "owner": "ml"}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
EKS_POLICY = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"


def allow(action: str, resource: str = "*", **more: Any) -> str:
    statement = {"Sid": "One", "Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# What a program gives: token, name, inputs, and what it changes later. A function is given the resources made so far. A
# change of None says that the type has nothing that can be changed in place.
Step = tuple[str, str, Any, Any]


class Made(SimpleNamespace):
    resource: Resource
    inputs: Values
    outputs: Values

    @property
    def id(self) -> str:
        return self.resource.id

    @property
    def arn(self) -> str:
        return self.outputs["arn"]


class World:
    """What the engine would do with the provider, one resource at a time."""

    def __init__(self) -> None:
        self.made: dict[str, Made] = {}
        self.aws = Aws()
        self.aws.configure({"region": REGION, "defaultTags": {"tags": DEFAULT_TAGS}})

    def make(self, token: str, name: str, given: Any) -> Made:
        inputs: Any = given(self.made) if callable(given) else given
        checked = self.aws.check(about(token, name), {}, inputs)
        assert self.aws.create(about(token, name, preview=True), checked)[0] == ""
        resource_id, outputs = self.aws.create(about(token, name), checked)
        self.made[name] = Made(resource=about(token, name, resource_id), inputs=checked, outputs=outputs)
        return self.made[name]

    def refresh(self, name: str) -> tuple[Values, Values] | None:
        made = self.made[name]
        return self.aws.read(made.resource, made.inputs, made.outputs)

    def change(self, name: str, given: Any) -> None:
        made = self.made[name]
        change: Any = given(self.made) if callable(given) else given
        wanted = {k: v for k, v in {**own(made.inputs), **change}.items() if v is not None}
        checked = self.aws.check(made.resource, made.inputs, wanted)
        diff = self.aws.diff(made.resource, made.inputs, made.outputs, checked)
        assert set(diff.changed) == set(change)
        assert diff.replaces == []
        made.outputs = self.aws.update(made.resource, made.inputs, made.outputs, checked)
        made.inputs = checked

    def remove(self, name: str) -> None:
        made = self.made.pop(name)
        self.aws.delete(made.resource, made.inputs, made.outputs)


def about(token: str, name: str, resource_id: str = "", preview: bool = False) -> Resource:
    return Resource(f"urn:pulumi:unit::india-ai-infra::{token}::{name}", resource_id, preview=preview)


def own(inputs: Values) -> Values:
    """The inputs that a program gave: without those that the provider filled."""
    filled = {"__defaults", *inputs.get("__defaults", [])}
    tags = {k: v for k, v in inputs.get("tags", {}).items() if k not in DEFAULT_TAGS}
    return {k: v for k, v in inputs.items() if k not in filled} | ({"tags": tags} if tags else {})


class Played(list[tuple[Any, ...]]):
    """The calls that the clusters and their nodes got."""


def census() -> dict[str, Any]:
    """What is left in moto, by kind. (It never deletes the default network ACL of a VPC, which AWS does.)"""
    api = Api()
    listings = {
        "ec2": [
            "DescribeVpcs Vpcs VpcId",
            "DescribeSubnets Subnets SubnetId",
            "DescribeSecurityGroups SecurityGroups GroupId",
            "DescribeSecurityGroupRules SecurityGroupRules SecurityGroupRuleId",
            "DescribeRouteTables RouteTables RouteTableId",
            "DescribeInternetGateways InternetGateways InternetGatewayId",
            "DescribeAddresses Addresses AllocationId",
            "DescribeNetworkInterfaces NetworkInterfaces NetworkInterfaceId",
            "DescribeLaunchTemplates LaunchTemplates LaunchTemplateId",
            "DescribeFlowLogs FlowLogs FlowLogId",
        ],
        "s3": ["ListBuckets Buckets Name"],
        "iam": ["ListRoles Roles RoleName", "ListInstanceProfiles InstanceProfiles InstanceProfileName"],
        "kms": ["ListAliases Aliases AliasName"],
        "eks": ["ListClusters clusters "],
        "logs": ["DescribeLogGroups logGroups logGroupName"],
        "events": ["ListRules Rules Name"],
        "sqs": ["ListQueues QueueUrls "],
        "sns": ["ListTopics Topics TopicArn", "ListSubscriptions Subscriptions SubscriptionArn"],
        "cloudtrail": ["ListTrails Trails Name"],
        "guardduty": ["ListDetectors DetectorIds "],
        "secretsmanager": ["ListSecrets SecretList Name"],
        "ssm": ["DescribeParameters Parameters Name"],
        "rds": [
            "DescribeDBInstances DBInstances DBInstanceIdentifier",
            "DescribeDBSubnetGroups DBSubnetGroups DBSubnetGroupName",
            "DescribeDBParameterGroups DBParameterGroups DBParameterGroupName",
        ],
    }
    found: dict[str, Any] = {}
    for service, lists in listings.items():
        for listing in lists:
            operation, member, key = listing.split(" ")
            answer = api.call(service, REGION, operation, {}).get(member) or []
            # moto keeps the default ACL of a VPC that has gone, and the interface of a NAT gateway in it.
            if operation in ("DescribeNetworkAcls", "DescribeNetworkInterfaces"):
                answer = [entry for entry in answer if entry["VpcId"] in found["DescribeVpcs"]]
            found[operation] = sorted(entry[key] if key else entry for entry in answer)
    local = api.call("iam", REGION, "ListPolicies", {"Scope": "Local"}).get("Policies", [])
    return {**found, "ListPolicies": [policy["PolicyName"] for policy in local]}
