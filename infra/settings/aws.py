"""Settings of the platform on AWS."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from infra.geography import regions_of
from infra.settings.aws_pools import AwsPool
from infra.settings.database import AwsDatabase
from infra.settings.errors import refuse
from infra.settings.fields import (
    AddonVersion,
    AwsRegion,
    Deployer,
    Email,
    KubernetesVersion,
    LogRetentionDays,
    PrincipalArn,
    PullSecretArn,
    SecurityGroupId,
    SubnetId,
    VpcId,
)
from infra.settings.model import Model
from infra.settings.networks import PrivateCidr, ReachingCidr
from infra.settings.pools import SystemPool
from infra.spelling import nearest

# AWS Budgets mails a notification to no more addresses (AWS Budgets quotas).
MOST_BUDGET_ADDRESSES = 10


class ExistingNetwork(Model):
    """A VPC that somebody else keeps. Its endpoints, flow logs and ways out are its keeper's."""

    vpc_id: VpcId = Field(
        description="The VPC, such as vpc-0123456789abcdef0, in the stack's account and region."
    )
    private_subnet_ids: list[SubnetId] = Field(
        min_length=1, description="Subnets of the nodes, one a zone, such as subnet-0123456789abcdef0."
    )
    control_plane_subnet_ids: list[SubnetId] = Field(
        default=[],
        description="Subnets of the control plane, in two zones or more. Those of the nodes unless given.",
    )

    @field_validator("private_subnet_ids", "control_plane_subnet_ids")
    @classmethod
    def _each_once(cls, ids: list[str]) -> list[str]:
        if twice := next((one for one in ids if ids.count(one) > 1), None):
            raise refuse(f"each subnet once: {twice} is there {ids.count(twice)} times")
        return ids


class Network(Model):
    """A VPC made for the stack, or one that exists."""

    cidr: PrivateCidr = Field(
        default="10.0.0.0/16",
        description="Addresses of the VPC, such as 10.20.0.0/16: nodes and pods have theirs from it. It "
        "can't change once the stack is up, and overlaps no other network of the stack.",
    )
    nat_per_zone: bool = Field(
        default=False,
        description="A NAT gateway and the interface endpoints in every zone, instead of in one. Dearer, "
        "but a zone that fails takes no other zone's way out.",
    )
    flow_log_days: LogRetentionDays = Field(
        default=365,
        description="Days that the VPC's flow logs are kept: a retention that CloudWatch Logs offers.",
    )
    existing: ExistingNetwork | None = Field(
        default=None,
        description="A VPC that exists, instead of one made here; without the settings beside it. "
        "docs/real-account.md says what it must have.",
    )

    @model_validator(mode="after")
    def _an_existing_one_has_its_own(self) -> Network:
        if self.existing and (given := self.model_fields_set - {"existing"}):
            names = ", ".join(sorted(to_camel(name) for name in given))
            raise refuse(f"existing without {names}: a VPC that exists has its own")
        return self


class ClusterAccess(Model):
    """Who reaches the private API server, and who administers the cluster."""

    cidrs: list[ReachingCidr] = Field(
        default=[],
        description="Networks that reach the VPC already, by VPN, peering or transit gateway, such as "
        "10.1.0.0/16: let in to the API server's port 443.",
    )
    security_groups: list[SecurityGroupId] = Field(
        default=[],
        description="Security groups of machines that reach the VPC already, such as runners "
        "(sg-0123456789abcdef0): let in to the API server's port 443.",
    )
    jump_host: bool = Field(
        default=False,
        description="A small instance in a private subnet, to which Session Manager opens a tunnel. It is "
        "used where neither `cidrs` nor `securityGroups` is given.",
    )
    deployers: list[Deployer] = Field(
        default=[],
        description="IAM roles and users that run Pulumi, such as role/ci: each becomes an administrator "
        "of the cluster. Whoever runs it must be listed, but on the local cloud.",
    )

    @field_validator("deployers")
    @classmethod
    def _each_once(cls, deployers: list[str]) -> list[str]:
        names = [deployer_name(deployer) for deployer in deployers]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise refuse(f"each role and user once: {twice} is there {names.count(twice)} times")
        return deployers

    @property
    def direct(self) -> bool:
        """Whether some network reaches the API server without a tunnel."""
        return bool(self.cidrs or self.security_groups)

    @property
    def tunnel(self) -> bool:
        """Whether the cluster is reached through the jump host's tunnel."""
        return self.jump_host and not self.direct


def deployer_name(deployer: str) -> str:
    """`role/NAME` or `user/NAME`, whether the account is written before it or not."""
    return deployer.rpartition(":")[2]


# EKS' names of the add-ons that a cluster has.
ADDONS = (
    "eks-pod-identity-agent",
    "vpc-cni",
    "kube-proxy",
    "coredns",
    "metrics-server",
    "eks-node-monitoring-agent",
    "aws-guardduty-agent",
    "aws-ebs-csi-driver",
)


class Cluster(Model):
    """The EKS cluster, its nodes and its GPU pools."""

    version: KubernetesVersion = Field(
        default="1.35",
        description='The Kubernetes minor version, in quotes, such as "1.35". It must be in support.',
    )
    access: ClusterAccess = Field(
        default=ClusterAccess(),
        description="Who reaches the private API server, and who administers the cluster: "
        "docs/real-account.md. One way in is needed.",
    )
    system: SystemPool = Field(
        default=SystemPool(), description="The nodes without GPUs, which run the operators."
    )
    pools: list[AwsPool] = Field(default=[], description="The GPU pools.")
    deletion_protection: bool = Field(
        default=False,
        description="The cluster and its network survive a destroy, and a change that would replace either "
        "is refused.",
    )
    addon_versions: dict[str, AddonVersion] = Field(
        default={},
        description="Builds of EKS add-ons by their name, such as {coredns: v1.13.2-eksbuild.21}. Each "
        "other one has EKS' default for the Kubernetes version. EKS withdraws builds in time, and then "
        "refuses them.",
        json_schema_extra={"propertyNames": {"enum": list(ADDONS)}},
    )

    @field_validator("addon_versions")
    @classmethod
    def _of_addons_that_are_installed(cls, versions: dict[str, str]) -> dict[str, str]:
        if unknown := next((name for name in versions if name not in ADDONS), None):
            raise refuse(
                f"versions of {', '.join(ADDONS)}: there is no {unknown}", near=nearest(unknown, ADDONS)
            )
        return versions


class Access(Model):
    """Who may assume the roles that see data."""

    data_engineers: list[PrincipalArn] = Field(
        default=[],
        description="IAM roles or users that may assume the role for data engineers, such as "
        "arn:aws:iam::<account>:role/data.",
    )
    ml_engineers: list[PrincipalArn] = Field(
        default=[], description="IAM roles or users that may assume the role for machine-learning engineers."
    )
    auditors: list[PrincipalArn] = Field(
        default=[], description="IAM roles or users that may assume the role for auditors, which reads logs."
    )


class Audit(Model):
    """Threat detection and alerts."""

    guardduty: bool = Field(
        default=True,
        description="A GuardDuty detector, of which an account has one a region: `false` for a second "
        "stack there. Nodes have no agent of it where it is off, nor where a site on premises joins.",
    )
    alert_emails: list[Email] = Field(
        default=[],
        description="Addresses that findings, spot notices and budgets are mailed to, such as "
        "soc@yourcompany.in; ten at most. One of example.org is taken with a warning, and `make preflight` "
        "counts it as missing.",
    )

    @field_validator("alert_emails")
    @classmethod
    def _a_budget_mails_ten(cls, emails: list[str]) -> list[str]:
        if len(emails) > MOST_BUDGET_ADDRESSES:
            raise refuse(
                f"at most {MOST_BUDGET_ADDRESSES} addresses, as AWS Budgets mails no more: give the address of a group"
            )
        return emails


class Replica(Model):
    """The lake a second time, in the other Indian region."""

    region: AwsRegion = Field(description="The other region of India.")
    failover: bool = Field(default=False, description="Workloads use the lake in that region.")


class Registries(Model):
    """Where nodes pull the charts' images from."""

    mirror: bool = Field(
        default=True,
        description="ECR of the region mirrors every upstream that it can; `false` pulls from the internet.",
    )
    github_secret: PullSecretArn | None = Field(
        default=None,
        description="ARN of the Secrets Manager secret with a GitHub login, which ECR needs to mirror "
        "ghcr.io. In the stack's account and region.",
    )
    docker_hub_secret: PullSecretArn | None = Field(
        default=None,
        description="ARN of the Secrets Manager secret with a Docker Hub login, which ECR needs to mirror "
        "docker.io. In the stack's account and region.",
    )
    copied: list[Literal["ghcr.io", "docker.io", "nvcr.io"]] = Field(
        default=[],
        description="Upstreams whose images were copied into ECR by hand (`make images` says how). The "
        "only way for nvcr.io, which ECR can't mirror.",
    )

    @model_validator(mode="after")
    def _nothing_for_no_mirror(self) -> Registries:
        if not self.mirror and (self.github_secret or self.docker_hub_secret or self.copied):
            raise refuse("mirror: true, or none of githubSecret, dockerHubSecret and copied")
        return self


class Aws(Model):
    """The platform on AWS, in one Indian region."""

    region: AwsRegion = Field(
        description="The region. It can't change once the stack is up. Hyderabad is an opt-in region: "
        "enable it first."
    )
    replica: Replica | None = Field(
        default=None,
        description="The lake a second time, in the other Indian region, replicated both ways: docs/failover.md.",
    )
    network: Network = Field(default=Network(), description="The VPC.")
    registries: Registries = Field(
        default=Registries(), description="Where nodes pull the charts' images from: docs/registries.md."
    )
    cluster: Cluster = Field(default=Cluster(), description="The EKS cluster, its nodes and its GPU pools.")
    database: AwsDatabase = Field(
        default=AwsDatabase(),
        description="The PostgreSQL databases of workloads that need one: docs/database.md.",
    )
    access: Access = Field(default=Access(), description="Who may assume the roles that see data.")
    audit: Audit = Field(default=Audit(), description="Threat detection and alerts.")
    protect_data: bool = Field(default=True, description="Buckets, databases and keys survive a destroy.")

    @field_validator("replica")
    @classmethod
    def _replica_is_elsewhere(cls, replica: Replica | None, info: ValidationInfo) -> Replica | None:
        home = info.data.get("region")
        if replica and replica.region == home:
            other = next(name for name in regions_of("aws") if name != home)
            raise refuse("its region: the other one in India", near=other)
        return replica

    @field_validator("registries")
    @classmethod
    def _secrets_are_at_home(cls, registries: Registries, info: ValidationInfo) -> Registries:
        home = info.data.get("region")
        for arn in (registries.github_secret, registries.docker_hub_secret):
            if home and arn and arn.split(":")[3] != home:
                raise refuse(
                    f"secrets in {home}: ECR reads one of its own region only",
                    near=arn.replace(arn.split(":")[3], home),
                )
        return registries
