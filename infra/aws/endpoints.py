"""Endpoints: AWS services reached from inside the VPC, without the internet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import iam
from infra.aws.iam import Account, Statement
from infra.settings.errors import Problem, SettingsError

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

# The provider's words for a service name that a region does not know (aws_vpc_endpoint_service of its data sources).
UNKNOWN_SERVICE = "no matching EC2 VPC Endpoint Service found"

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
    """`subnet_ids` of each service's endpoint, by its short name (`ecr.api`); `route_table_ids` are of the subnets that
    reach S3 directly."""

    account: Account
    vpc_id: pulumi.Input[str]
    cidr: str
    subnet_ids: Mapping[str, Sequence[pulumi.Input[str]]]
    route_table_ids: Sequence[pulumi.Input[str]]


def zones_of(
    services: Iterable[str],
    zone_names: Mapping[str, str],
    *,
    in_every_zone: bool,
    region: str,
    opts: pulumi.InvokeOptions,
) -> dict[str, list[str]]:
    """The zone IDs of each service's endpoint: all of `zone_names` that offer it, or the first that does.

    EC2 refuses an endpoint in a zone without its service (terraform-aws-modules/terraform-aws-vpc#785). It is asked
    once a service, and waited for: how many subnets there are is part of what a preview says, and of its price.

    Raises:
        SettingsError: the region, or every zone of the network, lacks a service.
    """
    placed: dict[str, list[str]] = {}
    lacking = []
    for service in services:
        offered = _zones_offering(service, opts)
        having = [zone for zone, name in zone_names.items() if name in offered]
        if not having:
            lacking.append(service)
        placed[service] = having if in_every_zone else having[:1]
    if lacking:
        raise SettingsError([_not_offered(service, region, zone_names) for service in lacking])
    return placed


def _zones_offering(service: str, opts: pulumi.InvokeOptions) -> Sequence[str]:
    """Names of the zones where EC2 offers an endpoint of the service; none where the region does not know it."""
    try:
        return aws.ec2.get_vpc_endpoint_service(service=service, opts=opts).availability_zones
    except Exception as failed:
        # The SDK raises no class of its own for what a function answers.
        if UNKNOWN_SERVICE not in str(failed):
            raise
        return ()


def _not_offered(service: str, region: str, zone_names: Mapping[str, str]) -> Problem:
    given = f"an endpoint of {service}, which {region} does not offer in {', '.join(zone_names)}"
    if service == GUARDDUTY:
        return Problem(
            "aws.audit.guardduty", given, "a service that the zones offer, or no detector", "false"
        )
    allowed = (
        "services that the zones offer; in a VPC of your own, named in network.existing, they may be reached through "
        "its NAT instead"
    )
    return Problem("aws.network", given, allowed)


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
                subnet_ids=list(subnet_ids),
                security_group_ids=[group.id],
                tags={"Name": f"{name}-{service}"},
                opts=child,
            )
            for service, subnet_ids in args.subnet_ids.items()
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
