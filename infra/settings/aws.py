"""What a stack may say of AWS."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from infra.geography import regions_of
from infra.settings.errors import nearest, refuse
from infra.settings.fields import (
    AddonVersion,
    AwsRegion,
    Deployer,
    Email,
    KubernetesVersion,
    LogRetentionDays,
    PrincipalArn,
    PrivateCidr,
    PullSecretArn,
    ReachingCidr,
    SecurityGroupId,
    SubnetId,
    VpcId,
)
from infra.settings.model import Model
from infra.settings.pools import AwsPool, SystemPool

MOST_BUDGET_ADDRESSES = 10  # AWS Budgets mails a notification to no more (AWS Budgets quotas)


class ExistingNetwork(Model):
    """A VPC that somebody else keeps, instead of one made here, and its subnets, one a zone: those of the nodes, and
    those of the control plane where they differ. Its endpoints, flow logs and ways out are its keeper's."""

    vpc_id: VpcId
    private_subnet_ids: list[SubnetId] = Field(min_length=1)
    control_plane_subnet_ids: list[SubnetId] = []

    @field_validator("private_subnet_ids", "control_plane_subnet_ids")
    @classmethod
    def _each_once(cls, ids: list[str]) -> list[str]:
        if twice := next((one for one in ids if ids.count(one) > 1), None):
            raise refuse(f"each subnet once: {twice} is there {ids.count(twice)} times")
        return ids


class Network(Model):
    """The VPC: its addresses, one NAT gateway or one a zone, and how many days its flow logs are kept; or one that
    exists already, which has its own."""

    cidr: PrivateCidr = "10.0.0.0/16"
    nat_per_zone: bool = False
    flow_log_days: LogRetentionDays = 365
    existing: ExistingNetwork | None = None

    @model_validator(mode="after")
    def _an_existing_one_has_its_own(self) -> Network:
        if self.existing and (given := self.model_fields_set - {"existing"}):
            names = ", ".join(sorted(to_camel(name) for name in given))
            raise refuse(f"existing without {names}: a VPC that exists has its own")
        return self


class ClusterAccess(Model):
    """Who reaches the private API server, and who administers the cluster.

    `cidrs` and `security_groups` reach the VPC already (a VPN, a peering, a runner inside); `jump_host` is a small
    instance inside that Session Manager opens a tunnel to. `deployers` are the roles and users that run the program.
    """

    cidrs: list[ReachingCidr] = []
    security_groups: list[SecurityGroupId] = []
    jump_host: bool = False
    deployers: list[Deployer] = []

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
    """EKS: a Kubernetes minor version, who reaches it, the system pool and the GPU pools.

    `addon_versions` pins add-ons, by EKS' names of them; each other one has EKS' default for the Kubernetes version.
    """

    version: KubernetesVersion = "1.35"
    access: ClusterAccess = ClusterAccess()
    system: SystemPool = SystemPool()
    pools: list[AwsPool] = []
    deletion_protection: bool = False
    addon_versions: dict[str, AddonVersion] = {}

    @field_validator("addon_versions")
    @classmethod
    def _of_addons_that_are_installed(cls, versions: dict[str, str]) -> dict[str, str]:
        if unknown := next((name for name in versions if name not in ADDONS), None):
            raise refuse(
                f"versions of {', '.join(ADDONS)}: {unknown} is none of them", near=nearest(unknown, ADDONS)
            )
        return versions


class Access(Model):
    """Who may assume which role: ARNs of IAM roles or users."""

    data_engineers: list[PrincipalArn] = []
    ml_engineers: list[PrincipalArn] = []
    auditors: list[PrincipalArn] = []


class Audit(Model):
    """Threat detection, and who is mailed about findings and spot notices."""

    guardduty: bool = True
    alert_emails: list[Email] = []

    @field_validator("alert_emails")
    @classmethod
    def _a_budget_mails_ten(cls, emails: list[str]) -> list[str]:
        if len(emails) > MOST_BUDGET_ADDRESSES:
            raise refuse(
                f"at most {MOST_BUDGET_ADDRESSES} addresses, as AWS Budgets mails no more: the address of a group"
            )
        return emails


class Replica(Model):
    """The lake a second time, in the other Indian region; after a `failover` workloads use that one."""

    region: AwsRegion
    failover: bool = False


class Registries(Model):
    """Where nodes pull the charts' images from: ECR of the region for every upstream that it can mirror (`mirror`).

    `github_secret` and `docker_hub_secret` hold the credentials that ECR asks for these upstreams. `copied` are those
    whose images were copied into ECR by hand (`make images` says how), the only way for nvcr.io: ECR can't mirror it.
    """

    mirror: bool = True
    github_secret: PullSecretArn | None = None
    docker_hub_secret: PullSecretArn | None = None
    copied: list[Literal["ghcr.io", "docker.io", "nvcr.io"]] = []

    @model_validator(mode="after")
    def _nothing_for_no_mirror(self) -> Registries:
        if not self.mirror and (self.github_secret or self.docker_hub_secret or self.copied):
            raise refuse("mirror: true, or none of githubSecret, dockerHubSecret and copied")
        return self


class Aws(Model):
    """The platform on AWS, in one Indian region, with the lake in both if there is a `replica`."""

    region: AwsRegion
    replica: Replica | None = None
    network: Network = Network()
    registries: Registries = Registries()
    cluster: Cluster = Cluster()
    access: Access = Access()
    audit: Audit = Audit()
    protect_data: bool = True

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
