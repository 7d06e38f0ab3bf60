"""All that a stack may say."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from infra.geography import Cloud
from infra.settings.aws import Aws
from infra.settings.errors import refuse
from infra.settings.fields import TagValue
from infra.settings.gcp import Gcp
from infra.settings.model import Model
from infra.settings.on_premises import OnPremises
from infra.settings.workloads import Workloads

PERSONAL_CLASSES = ("personal", "sensitive", "payment")
# DPDP Rules 2025, rule 8(3): personal data, and the logs of its processing, are kept for at least a year.
PERSONAL_RETENTION_DAYS = 365
LONGEST_DAYS = 36500  # a century: more is a slip, and lifecycle rules take no more than 32 bits
EVEN_PERCENT = 50
DataClass = Literal["personal", "sensitive", "payment", "internal", "public"]
Environment = Literal["local", "dev", "prod"]


class Credit(Model):
    """A start-up's credit: rupees that one cloud takes off its bills up to a day, that day too.

    `source` says who gave it (AWS Activate, Google for Startups). `cloud` is whose bills it pays, of a stack on both.
    """

    inr: int = Field(gt=0, le=10**12)
    until: date
    source: str = Field(min_length=1)
    cloud: Cloud | None = None


class Budget(Model):
    """What the stack may cost a month, in rupees without tax.

    `aws_percent` is the share of AWS where the stack is on Google too, half unless given: each cloud has a budget of
    its own, for neither sees what the other is paid. `credits` pay for some of it, while they last.
    """

    monthly_inr: int = Field(gt=0, le=10**12)
    aws_percent: int | None = Field(default=None, ge=1, le=99)
    credits: tuple[Credit, ...] = ()


class Currency(Model):
    """Rupees for a US dollar on a day, and the goods and services tax that AWS India adds, in percent."""

    usd_inr: float = Field(gt=0)
    as_of: date
    gst_percent: float = Field(default=18, ge=0, le=50)


class Usage(Model):
    """What a month is assumed to carry, for the price: GiB stored and moved, millions of requests and events.

    Nothing enforces it. `lake_gib` is all that the lake holds, `lake_written_gib` what is written to it in a month,
    `checkpoint_gib_per_day` what of its checkpoints is overwritten or deleted in a day; `log_gib` what is written to
    logs in a month. `guardduty_flow_gib` are flow logs and DNS queries that GuardDuty reads, without those of nodes
    that have its agent; `malware_scan_gib` the disks that it scans after a finding.
    """

    lake_gib: float = Field(default=2000, ge=0)
    lake_requests_millions: float = Field(default=10, ge=0)
    log_gib: float = Field(default=50, ge=0)
    nat_gib: float = Field(default=200, ge=0)
    endpoint_gib: float = Field(default=200, ge=0)
    internet_gib: float = Field(default=50, ge=0)
    audit_events_millions: float = Field(default=20, ge=0)
    management_events_millions: float = Field(default=2, ge=0)
    guardduty_flow_gib: float = Field(default=25, ge=0)
    malware_scan_gib: float = Field(default=0, ge=0)
    kms_requests_millions: float = Field(default=0.6, ge=0)
    lake_written_gib: float = Field(default=200, ge=0)
    checkpoint_gib_per_day: float = Field(default=20, ge=0)
    prometheus_samples_millions: float = Field(default=900, ge=0)


class Settings(Model):
    """All that a stack says. `retention_days` is for the data; personal data is kept for a year at least."""

    owner: TagValue
    environment: Environment
    purpose: TagValue
    budget: Budget
    currency: Currency
    usage: Usage = Usage()
    data_class: DataClass = "personal"
    retention_days: int = Field(default=PERSONAL_RETENTION_DAYS, ge=1, le=LONGEST_DAYS)
    gcp: Gcp | None = None
    aws: Aws | None = Field(default=None, validate_default=True)
    on_premises: OnPremises | None = None
    workloads: Workloads = Workloads()

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
        """The engine gives a cloud that is not written as the default of Pulumi.yaml, `{}`."""
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
