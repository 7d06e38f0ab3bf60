"""What a stack may say of AWS."""

from __future__ import annotations

from pydantic import ValidationInfo, field_validator

from infra.geography import regions_of
from infra.settings.errors import refuse
from infra.settings.model import Model
from infra.settings.pools import AwsPool, SystemPool
from infra.settings.types import (
    AwsRegion,
    Email,
    KubernetesVersion,
    LogRetentionDays,
    PrincipalArn,
    PrivateCidr,
)


class Network(Model):
    """The VPC: its addresses, one NAT gateway or one a zone, and how many days its flow logs are kept."""

    cidr: PrivateCidr = "10.0.0.0/16"
    nat_per_zone: bool = False
    flow_log_days: LogRetentionDays = 365


class Cluster(Model):
    """EKS: a Kubernetes minor version, the system pool and the GPU pools."""

    version: KubernetesVersion = "1.35"
    system: SystemPool = SystemPool()
    pools: list[AwsPool] = []
    deletion_protection: bool = False


class Access(Model):
    """Who may assume which role: ARNs of IAM roles or users."""

    data_engineers: list[PrincipalArn] = []
    ml_engineers: list[PrincipalArn] = []
    auditors: list[PrincipalArn] = []


class Audit(Model):
    """Threat detection, and who is mailed about findings and spot notices."""

    guardduty: bool = True
    alert_emails: list[Email] = []


class Replica(Model):
    """The lake a second time, in the other Indian region; after a `failover` workloads use that one."""

    region: AwsRegion
    failover: bool = False


class Aws(Model):
    """The platform on AWS, in one Indian region, with the lake in both if there is a `replica`."""

    region: AwsRegion
    replica: Replica | None = None
    network: Network = Network()
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
