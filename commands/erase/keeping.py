"""What must stay for a year when somebody asks for erasure, and until when: a version of an object at a time.

DPDP Act s.8(7) asks a Data Fiduciary to erase personal data when consent is withdrawn or the purpose is served, and
s.12 when the Data Principal asks, unless a law asks that it be kept. DPDP Rules r.8(3) is such a law: personal data,
traffic data and logs of the processing stay for a year from the processing, and are then erased. All bind from the day
in policies/data/provisions.yaml; before it the year is a rule of this house, as in the lifecycle of the lake
(infra/contracts/governance.py).

So a principal's rows leave the current version at once, and nothing reads them any more; the version that had them
stays for what is left of its year. When that is over it is deleted by its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from infra.settings.stack import PERSONAL_CLASSES, PERSONAL_RETENTION_DAYS
from policies.law import provisions

KEEPS, ERASES = "rules-8-3", ("act-8-7", "act-12")


@dataclass(frozen=True)
class Verdict:
    """Whether a version may be deleted now; if not, the first day on which it may, and why not before."""

    now: bool
    until: date | None
    why: str


def verdict(
    written: datetime, data_class: str, locked_until: datetime | None, today: date, locked_by: str = "a lock"
) -> Verdict:
    """What becomes of a version that was written at a moment (UTC), with data of a class, under a lock of the store
    or none."""
    year_over = written.date() + timedelta(days=PERSONAL_RETENTION_DAYS)
    # A hold has no end: the last day that dates have stands for it.
    last = locked_until.date() if locked_until else date.min
    lock_over = last + timedelta(days=1) if date.min < last < date.max else last
    reasons = []
    if data_class in PERSONAL_CLASSES and today < year_over:
        reasons.append((year_over, the_year()))
    if today < lock_over:
        reasons.append((lock_over, locked_by))
    if not reasons:
        asks = " and ".join(provisions()[one].cited for one in ERASES)
        return Verdict(now=True, until=None, why=f"{asks} ask for it")
    return Verdict(now=False, until=max(day for day, _ in reasons), why="; ".join(why for _, why in reasons))


def the_year() -> str:
    """Why personal data and logs of it stay for a year, with the provision and the day from which it binds."""
    kept = provisions()[KEEPS]
    return f"{kept.cited} ({kept.when()}): a year from the processing, also when erasure is asked for"
