"""DataGovernance: how data is to be handled, and how long each bucket of a lake keeps it, on any cloud."""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings.stack import PERSONAL_CLASSES, PERSONAL_RETENTION_DAYS

DATA = ("raw", "curated", "features", "models", "checkpoints")
AUDIT = "audit"
ACCESS_LOGS = "access-logs"

CHECKPOINT_DAYS = 30
UNDELETE_DAYS = 30
# A run overwrites its checkpoints every hour: their old versions are the size of the model each, and what they were
# trained from is kept by itself.
OLD_CHECKPOINT_DAYS = 7


@dataclass(frozen=True)
class DataGovernance:
    """How data is to be handled: its class, who answers for it, what it is for, and for how many days it is kept."""

    data_class: str
    owner: str
    purpose: str
    retention_days: int

    @property
    def personal(self) -> bool:
        """Whether the data class is one of personal data."""
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


@dataclass(frozen=True)
class Lifecycle:
    """Objects expire after `days`.

    What was deleted, overwritten or has expired can be restored for `noncurrent_days` more.
    """

    days: int
    noncurrent_days: int


def lifecycle(role: str, governance: DataGovernance) -> Lifecycle:
    """How long a bucket keeps things, from the class of the data.

    Everything expires `retention_days` after it was written. What was deleted, overwritten or has expired can be
    restored: for a year if the data is personal (the floor of DPDP Rules, 8(3): nobody shortens it by deleting; an
    erasure that the law asks for deletes the versions by their ids), else for a month. Checkpoints are written often
    and soon of no use, so they expire after a month, but not those of models trained on personal data: weights can
    give examples back, and a checkpoint is as personal as what it saw. One that a run overwrites is gone within a week:
    the next has learnt from the same data. Logs are kept a year at least.
    """
    if role in (AUDIT, ACCESS_LOGS):
        return Lifecycle(governance.log_days, UNDELETE_DAYS)
    if role == "checkpoints":
        kept = governance.retention_days
        return Lifecycle(kept if governance.personal else min(CHECKPOINT_DAYS, kept), OLD_CHECKPOINT_DAYS)
    return Lifecycle(governance.retention_days, max(UNDELETE_DAYS, governance.floor_days))
