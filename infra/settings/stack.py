"""All settings of a stack."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from infra.geography import Cloud
from infra.settings.aws import Aws
from infra.settings.errors import refuse
from infra.settings.fields import DataClass, TagValue
from infra.settings.gcp import Gcp
from infra.settings.model import Model
from infra.settings.money import Budget, Currency
from infra.settings.on_premises import OnPremises
from infra.settings.workloads import Workloads

PERSONAL_CLASSES = ("personal", "sensitive", "payment")
# DPDP Rules 2025, rule 8(3): personal data, and the logs of its processing, are kept for at least a year.
PERSONAL_RETENTION_DAYS = 365
# A century: more is a slip, and lifecycle rules take no more than 32 bits.
LONGEST_DAYS = 36500
EVEN_PERCENT = 50
Environment = Literal["local", "dev", "prod"]


class Usage(Model):
    """The storage and traffic that a month's price assumes. Nothing enforces it."""

    lake_gib: float = Field(default=2000, ge=0, description="GiB that the lake holds.")
    lake_requests_millions: float = Field(
        default=10, ge=0, description="Millions of requests to the lake a month."
    )
    log_gib: float = Field(default=50, ge=0, description="GiB written to logs a month.")
    nat_gib: float = Field(default=200, ge=0, description="GiB a month through NAT gateways.")
    endpoint_gib: float = Field(
        default=200, ge=0, description="GiB a month through the VPC's interface endpoints."
    )
    internet_gib: float = Field(default=50, ge=0, description="GiB sent to the internet a month.")
    audit_events_millions: float = Field(
        default=20,
        ge=0,
        description="Millions of audit events of the Kubernetes API server that GuardDuty reads a month.",
    )
    management_events_millions: float = Field(
        default=2,
        ge=0,
        description="Millions of management events (API calls of the account) that GuardDuty reads a month.",
    )
    guardduty_flow_gib: float = Field(
        default=25,
        ge=0,
        description="GiB of flow logs and DNS queries that GuardDuty reads a month, without those of nodes "
        "that have its agent.",
    )
    malware_scan_gib: float = Field(
        default=0, ge=0, description="GiB of disks that GuardDuty scans a month, after a finding."
    )
    kms_requests_millions: float = Field(
        default=0.6, ge=0, description="Millions of requests to KMS a month."
    )
    lake_written_gib: float = Field(default=200, ge=0, description="GiB written to the lake a month.")
    checkpoint_gib_per_day: float = Field(
        default=20, ge=0, description="GiB of checkpoints in the lake that are overwritten or deleted a day."
    )
    prometheus_samples_millions: float = Field(
        default=900,
        ge=0,
        description="Millions of samples a month that Google's managed Prometheus takes in.",
    )


class Settings(Model):
    """All settings of a stack."""

    owner: TagValue = Field(
        description="The team that answers for the stack, such as ml-platform. A tag on every resource."
    )
    environment: Environment = Field(
        description="`local` runs on the local cloud, `dev` and `prod` on real accounts. A tag on every resource."
    )
    purpose: TagValue = Field(
        description="What the data is processed for, such as customer support models. A tag on what holds data."
    )
    budget: Budget = Field(
        description="The most that the stack may cost a month, and credits that pay for some of it."
    )
    currency: Currency = Field(
        description="The rate and the tax that prices are shown with. The rate in the shipped files is an "
        "assumption: put in yours."
    )
    usage: Usage = Field(
        default=Usage(),
        description="The storage and traffic that a month's price assumes. Nothing enforces it.",
    )
    data_class: DataClass = Field(
        default="personal",
        description="The class of the data that the stack holds. Under the DPDP Act `personal`, "
        "`sensitive` and `payment` count as personal data.",
    )
    retention_days: int = Field(
        default=PERSONAL_RETENTION_DAYS,
        ge=1,
        le=LONGEST_DAYS,
        description=f"Days that data is kept before it is erased. At least {PERSONAL_RETENTION_DAYS} for personal data "
        "(DPDP Rules, 8(3)).",
    )
    gcp: Gcp | None = Field(
        default=None, description="The platform on Google Cloud. A stack has `aws`, `gcp` or both."
    )
    aws: Aws | None = Field(
        default=None,
        validate_default=True,
        description="The platform on AWS. A stack has `aws`, `gcp` or both.",
    )
    on_premises: OnPremises | None = Field(
        default=None,
        description="A site of your own whose GPU nodes join the EKS cluster over a VPN; needs `aws`. "
        "docs/hybrid.md says how.",
    )
    workloads: Workloads = Field(default=Workloads(), description="The jobs and servers on the GPU pools.")

    def monthly_inr(self, cloud: Cloud) -> int:
        """Rupees of the month's budget for one of the stack's clouds."""
        total = self.budget.monthly_inr
        if self.aws is None or self.gcp is None:
            return total
        of_aws = total * (self.budget.aws_percent or EVEN_PERCENT) // 100
        return of_aws if cloud == "aws" else total - of_aws

    @field_validator("retention_days")
    @classmethod
    def _personal_data_is_kept_a_year(cls, days: int, info: ValidationInfo) -> int:
        if info.data.get("data_class", "personal") in PERSONAL_CLASSES and days < PERSONAL_RETENTION_DAYS:
            floor = str(PERSONAL_RETENTION_DAYS)
            raise refuse(f"at least {floor} days for personal data (DPDP Rules, 8(3))", near=floor)
        return days

    @field_validator("aws", "gcp", "on_premises", mode="before")
    @classmethod
    def _empty_is_none(cls, given: Any) -> Any:
        """Where a stack leaves the setting out, the engine gives the default of Pulumi.yaml, `{}`."""
        return None if given == {} else given

    @field_validator("aws")
    @classmethod
    def _some_cloud(cls, aws: Aws | None, info: ValidationInfo) -> Aws | None:
        if aws is None and info.data.get("gcp", ...) is None:
            raise refuse("a cloud to build on: aws or gcp, with its region")
        return aws

    @field_validator("on_premises")
    @classmethod
    def _sites_join_aws(cls, site: OnPremises | None, info: ValidationInfo) -> OnPremises | None:
        if site and info.data.get("aws", ...) is None:
            raise refuse("only with aws: a site's nodes join the EKS cluster of the stack")
        return site
