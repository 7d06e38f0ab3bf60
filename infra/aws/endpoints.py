"""Endpoints: AWS services reached from inside the VPC, without the internet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import iam
from infra.aws.iam import Account, Statement

# What nodes, add-ons, Karpenter and pods call: the endpoints of AWS's HyperPod reference, and what the add-ons need
# (2026-11). guardduty-data is here because GuardDuty would make its own otherwise and leave it behind, and a VPC with
# an endpoint in it can't be destroyed.
GUARDDUTY = "guardduty-data"
ENDPOINTS = (
    "ecr.api",
    "ecr.dkr",
    "sts",
    "ec2",
    "logs",
    "monitoring",
    "ssm",
    "ssmmessages",
    "ec2messages",
    "sqs",
    "eks",
    "eks-auth",
    "kms",
    "elasticloadbalancing",
    "autoscaling",
    "secretsmanager",
    GUARDDUTY,
)

# Buckets of AWS and Kubernetes that nodes read through the S3 endpoint: image layers of ECR and of registry.k8s.io,
# packages of Amazon Linux, and the agents of Systems Manager.
PUBLIC_BUCKETS = (
    "prod-{region}-starport-layer-bucket",
    "prod-registry-k8s-io-{region}",
    "al2023-repos-{region}-*",
    "amazon-ssm-{region}",
    "aws-ssm-{region}",
)


@dataclass(frozen=True)
class EndpointsArgs:
    """`services` by their short names (`ecr.api`); `route_table_ids` are of the subnets that reach S3 directly."""

    account: Account
    vpc_id: pulumi.Input[str]
    cidr: str
    subnet_ids: Sequence[pulumi.Input[str]]
    route_table_ids: Sequence[pulumi.Input[str]]
    services: Sequence[str] = ENDPOINTS


class Endpoints(pulumi.ComponentResource):
    """Interface endpoints with private DNS, and the S3 gateway endpoint, whose policy lets data go to own buckets only.

    `interfaces` are by short name; `security_group_id` is the group in front of them.
    """

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Endpoints", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        prefix = f"com.amazonaws.{args.account.region}"
        self.s3 = aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=args.vpc_id,
            service_name=f"{prefix}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=args.route_table_ids,
            policy=iam.document(*_through_s3(args.account)),
            tags={"Name": f"{name}-s3"},
            opts=child,
        )
        group = aws.ec2.SecurityGroup(
            name,
            description="Interface endpoints, from inside the VPC only",
            vpc_id=args.vpc_id,
            tags={"Name": name},
            opts=child,
        )
        aws.vpc.SecurityGroupIngressRule(
            name,
            description="HTTPS from the VPC",
            security_group_id=group.id,
            cidr_ipv4=args.cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=child,
        )
        self.security_group_id = group.id
        self.interfaces = {
            service: aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=args.vpc_id,
                service_name=f"{prefix}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=args.subnet_ids,
                security_group_ids=[group.id],
                tags={"Name": f"{name}-{service}"},
                opts=child,
            )
            for service in args.services
        }
        self.register_outputs({"securityGroupId": group.id, "s3": self.s3.id})


def _through_s3(account: Account) -> list[Statement]:
    """Nothing can be carried out to a bucket of another account, even with that account's credentials."""
    public = [f"arn:aws:s3:::{bucket.format(region=account.region)}/*" for bucket in PUBLIC_BUCKETS]
    return [
        iam.statement(
            "OwnBuckets",
            ("s3:*",),
            principal=iam.EVERYONE,
            conditions={"StringEquals": {"aws:ResourceAccount": account.id}},
        ),
        iam.statement("ImagesAndPackages", ("s3:GetObject",), public, principal=iam.EVERYONE),
    ]
