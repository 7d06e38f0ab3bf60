"""Settings of money: the budget, credits, and the rate that prices are shown with."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from infra.geography import Cloud
from infra.settings.model import Model


class Credit(Model):
    """A start-up credit: rupees that one cloud takes off its bills until a day."""

    inr: int = Field(gt=0, le=10**12, description="The credit in rupees.")
    until: date = Field(description="The last day on which it pays, such as 2027-03-31.")
    source: str = Field(
        min_length=1,
        description="Who gave it, such as AWS Activate or Google for Startups. Shown with the price.",
    )
    cloud: Cloud | None = Field(
        default=None,
        description="The cloud whose bills it pays. Needed where the stack is on both.",
    )


class Budget(Model):
    """The most that the stack may cost a month."""

    monthly_inr: int = Field(
        gt=0,
        le=10**12,
        description="Rupees a month, without tax. The policy COST-01 refuses an update whose expected "
        "month is above it, and the clouds mail when it is spent: docs/showback.md.",
    )
    aws_percent: int | None = Field(
        default=None,
        ge=1,
        le=99,
        description="With both clouds: the share of AWS, in percent. 50 unless given. Each cloud has a "
        "budget of its own, for neither sees the other's bill.",
    )
    credits: tuple[Credit, ...] = Field(
        default=(),
        description="Start-up credits. They pay for some of the month while they last: docs/cost.md.",
    )


class Currency(Model):
    """The rate and the tax that prices are shown with."""

    usd_inr: float = Field(gt=0, description="Rupees for a US dollar, such as 94.96.")
    as_of: date = Field(description='The day of that rate, such as "2026-10-30".')
    gst_percent: float = Field(
        default=18, ge=0, le=50, description="Goods and services tax that AWS India adds, in percent."
    )
