"""Settings of the PostgreSQL databases that a cloud keeps for workloads: each that needs one has its own."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import CloudSqlMachine, RdsMachine
from infra.settings.model import Model

Version = Literal["15", "16", "17"]
# RDS refuses a limit that is nearer to what is there ("Managing capacity automatically with Amazon RDS storage
# autoscaling", RDS User Guide).
GROWS_BY_PERCENT = 10


class Database(Model):
    """What is alike on every cloud."""

    storage_gib: int = Field(
        default=20,
        ge=20,
        le=65_536,
        description="GiB of disk at first. It can be raised, and never lowered.",
    )
    max_storage_gib: int = Field(
        default=100,
        ge=20,
        le=65_536,
        validate_default=True,
        description="GiB that the disk grows to by itself when it fills. The same as `storageGib`: it does not grow.",
    )
    multi_zone: bool = Field(
        default=False,
        description="A second machine in another zone, which takes over when the first fails. At twice the price.",
    )
    backup_days: int = Field(
        default=7,
        ge=7,
        le=35,
        description="Days that the daily backups are kept; the policy BCK-01 asks for 7. It can be restored to "
        "any moment of them, on Google of the last 7 days.",
    )
    version: Version = Field(
        default="17",
        description='The major version of PostgreSQL, in quotes, such as "17". A higher one upgrades the '
        "database, with minutes of downtime; there is no way back.",
    )

    @field_validator("max_storage_gib")
    @classmethod
    def _room_to_grow(cls, most: int, info: ValidationInfo) -> int:
        first = info.data.get("storage_gib")
        if first is None or most == first:
            return most
        least = -(-first * (100 + GROWS_BY_PERCENT) // 100)
        if most < least:
            raise refuse(f"storageGib ({first}), or {GROWS_BY_PERCENT} % more at least", near=str(least))
        return most


class AwsDatabase(Database):
    """RDS instances for workloads that need a PostgreSQL database: docs/database.md."""

    machine: RdsMachine = Field(
        default="db.t4g.small",
        description="The instance class, such as db.t4g.small. A change restarts the database.",
    )


class GoogleDatabase(Database):
    """Cloud SQL instances for workloads that need a PostgreSQL database: docs/database.md."""

    machine: CloudSqlMachine = Field(
        default="db-custom-1-3840",
        description="The machine type, such as db-custom-1-3840 for one vCPU and 3,840 MiB. A change restarts the "
        "database.",
    )
