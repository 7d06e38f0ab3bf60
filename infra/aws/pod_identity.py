"""Roles that pods take by EKS Pod Identity: no static keys, no OIDC provider."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.aws import iam
from infra.aws.iam import Account


def trust(account: Account, cluster_name: str) -> pulumi.Output[str]:
    """Lets the pods of one cluster assume a role, as its Pod Identity associations say."""
    return iam.trust(
        iam.service("pods.eks.amazonaws.com"),
        ("sts:AssumeRole", "sts:TagSession"),
        conditions={
            "StringEquals": {"aws:SourceAccount": account.id},
            "ArnEquals": {"aws:SourceArn": account.arn("eks", f"cluster/{cluster_name}")},
        },
    )


def role(
    name: str, description: str, account: Account, cluster_name: str, opts: pulumi.ResourceOptions
) -> aws.iam.Role:
    """A role for pods of the cluster. What it may do, and which service account takes it, is the caller's."""
    return aws.iam.Role(
        name, description=description, assume_role_policy=trust(account, cluster_name), opts=opts
    )
