"""Tags: what a stack puts on everything, and what it puts on every resource that holds data."""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings import PERSONAL_CLASSES, PERSONAL_RETENTION_DAYS


@dataclass(frozen=True)
class Handling:
    """How data is to be handled: its class, who answers for it, what it is for, and for how many days it is kept."""

    data_class: str
    owner: str
    purpose: str
    retention_days: int

    @property
    def personal(self) -> bool:
        return self.data_class in PERSONAL_CLASSES

    @property
    def floor_days(self) -> int:
        """Days that nothing is erased before: a year for personal data (DPDP Rules, 8(3)), else one."""
        return PERSONAL_RETENTION_DAYS if self.personal else 1

    @property
    def log_days(self) -> int:
        """Days that logs about the data are kept: as long as the data, a year at least (DPDP Rules, 6(1)(e))."""
        return max(self.retention_days, PERSONAL_RETENTION_DAYS)

    def tags(self, name: str, retention_days: int | None = None) -> dict[str, str]:
        """Tags of a resource that holds this data. `retention_days` is given where it differs from the data's own."""
        return {
            "Name": name,
            "dpdp:data-class": self.data_class,
            "dpdp:owner": self.owner,
            "dpdp:purpose": self.purpose,
            "dpdp:retention-days": str(retention_days or self.retention_days),
        }


def defaults(project: str, stack: str, owner: str) -> dict[str, str]:
    """Tags that the AWS provider puts on every resource (its `default_tags`)."""
    return {"project": project, "stack": stack, "owner": owner}
