"""What Karpenter's controller may do: start, tag and end its own cluster's nodes, and read what it chooses from.

After the policies of Karpenter 1.14's reference CloudFormation (2026-08-21), without the making of instance profiles:
the node classes name one that the program makes. With the making of spot's service-linked role.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from infra.aws import iam
from infra.aws.iam import Account, Statement
from infra.contracts.labels import KARPENTER_NODE_POOL

MADE_BY_KARPENTER = (
    "fleet",
    "instance",
    "volume",
    "network-interface",
    "launch-template",
    "spot-instances-request",
)
SPOT = "spot.amazonaws.com"
START = ("ec2:RunInstances", "ec2:CreateFleet")


def documents(
    account: Account,
    cluster_name: str,
    *,
    queue_arn: pulumi.Output[str],
    node_role_arn: pulumi.Output[str],
) -> Mapping[str, pulumi.Output[str]]:
    """The controller's inline policies, by name."""
    return {
        "nodes": iam.document(
            *_nodes(account, cluster_name), _pass_role(node_role_arn), _make_spots_role(account)
        ),
        "cluster": iam.document(*_cluster(account, cluster_name), _queue(queue_arn)),
        "discovery": iam.document(*_discovery(account)),
    }


def _nodes(account: Account, cluster_name: str) -> list[Statement]:
    owned = f"kubernetes.io/cluster/{cluster_name}"
    any_pool = {"StringLike": {f"aws:RequestTag/{KARPENTER_NODE_POOL}": "*"}}
    asked = {f"aws:RequestTag/{owned}": "owned", "aws:RequestTag/eks:eks-cluster-name": cluster_name}
    ours = {
        "StringEquals": {f"aws:ResourceTag/{owned}": "owned"},
        "StringLike": {f"aws:ResourceTag/{KARPENTER_NODE_POOL}": "*"},
    }
    made = [_ec2(account, f"{kind}/*") for kind in MADE_BY_KARPENTER]
    return [
        iam.statement(
            "StartFrom",
            START,
            [
                f"arn:aws:ec2:{account.region}::image/*",
                f"arn:aws:ec2:{account.region}::snapshot/*",
                *(
                    _ec2(account, f"{kind}/*")
                    for kind in ("security-group", "subnet", "capacity-reservation", "placement-group")
                ),
            ],
        ),
        iam.statement("StartFromOwnTemplates", START, _ec2(account, "launch-template/*"), conditions=ours),
        iam.statement(
            "StartTagged",
            (*START, "ec2:CreateLaunchTemplate"),
            made,
            conditions={"StringEquals": asked, **any_pool},
        ),
        iam.statement(
            "TagAtStart",
            ("ec2:CreateTags",),
            made,
            conditions={
                "StringEquals": {
                    **asked,
                    "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"],
                },
                **any_pool,
            },
        ),
        iam.statement(
            "TagOwnInstances",
            ("ec2:CreateTags",),
            _ec2(account, "instance/*"),
            conditions={
                **ours,
                "StringEqualsIfExists": {"aws:RequestTag/eks:eks-cluster-name": cluster_name},
                "ForAllValues:StringEquals": {
                    "aws:TagKeys": ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]
                },
            },
        ),
        iam.statement(
            "EndOwn",
            ("ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"),
            [_ec2(account, "instance/*"), _ec2(account, "launch-template/*")],
            conditions=ours,
        ),
    ]


def _pass_role(node_role_arn: pulumi.Output[str]) -> Statement:
    return iam.statement(
        "GiveNodesTheirRole",
        ("iam:PassRole",),
        node_role_arn,
        conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    )


def _make_spots_role(account: Account) -> Statement:
    """EC2 makes its role for spot at an account's first request, if the caller may.

    Karpenter's reference leaves that to a person ("Troubleshooting", Missing Service Linked Role;
    terraform-aws-modules/terraform-aws-eks#2565). No resource of the stack: the role is every other stack's too.
    """
    role = f":role/aws-service-role/{SPOT}/AWSServiceRoleForEC2Spot"
    return iam.statement(
        "MakeSpotsRole",
        ("iam:CreateServiceLinkedRole",),
        pulumi.Output.concat("arn:aws:iam::", account.id, role),
        conditions={"StringEquals": {"iam:AWSServiceName": SPOT}},
    )


def _cluster(account: Account, cluster_name: str) -> list[Statement]:
    cluster = account.arn("eks", f"cluster/{cluster_name}")
    return [
        iam.statement("FindTheApiServer", ("eks:DescribeCluster",), cluster),
        iam.statement(
            "SeeZonalShifts",
            ("arc-zonal-shift:GetManagedResource",),
            conditions={"StringEquals": {"arc-zonal-shift:ResourceIdentifier": cluster}},
        ),
    ]


def _queue(queue_arn: pulumi.Output[str]) -> Statement:
    return iam.statement(
        "HearInterruptions", ("sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"), queue_arn
    )


def _discovery(account: Account) -> list[Statement]:
    return [
        iam.statement(
            "SeeEc2OfTheRegion",
            (
                "ec2:DescribeCapacityReservations",
                "ec2:DescribeImages",
                "ec2:DescribeInstances",
                "ec2:DescribeInstanceStatus",
                "ec2:DescribeInstanceTypeOfferings",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplates",
                "ec2:DescribePlacementGroups",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSpotPriceHistory",
                "ec2:DescribeSubnets",
            ),
            conditions={"StringEquals": {"aws:RequestedRegion": account.region}},
        ),
        iam.statement(
            "FindImages", ("ssm:GetParameter",), f"arn:aws:ssm:{account.region}::parameter/aws/service/*"
        ),
        iam.statement("SeePrices", ("pricing:GetProducts",)),
        iam.statement("SeeInstanceProfiles", ("iam:ListInstanceProfiles", "iam:GetInstanceProfile")),
    ]


def _ec2(account: Account, resource: str) -> str:
    # Karpenter's own policies leave the account open: shared subnets and images belong to others.
    return f"arn:aws:ec2:{account.region}:*:{resource}"
