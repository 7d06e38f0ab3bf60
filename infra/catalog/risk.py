"""What it costs that spot is taken back: from the band of a machine type to reclaims an hour, and to a price."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from types import MappingProxyType

from infra.catalog.machines import MONTH_HOURS, Machine

# AWS Spot Advisor: the share of a machine type's spot nodes that were taken back in the month before. Each band
# counts as its upper end; the last has none, so 30 % is assumed. Google publishes no figure, and what has none counts
# as the last.
BANDS: Mapping[str, float] = MappingProxyType(
    {"<5%": 0.05, "5-10%": 0.10, "10-15%": 0.15, "15-20%": 0.20, ">20%": 0.30}
)
WORST, WORST_AT_LEAST = ">20%", 0.20


def reclaims_per_hour(machine: Machine) -> float:
    """The hazard λ of one spot node, so that a share 1 − exp(−730 λ) of them is lost within a month."""
    return _hazard(BANDS[machine.interruption_band or WORST])


def hours_lost_a_month(machine: Machine, together: int, lost_hours: float) -> float | None:
    """Hours of work that reclaims cost a spot node in a month, at its band's upper end; of the last band, which has
    none, at its lower. None where no band is known: nothing is assumed here."""
    band = machine.interruption_band
    if not band:
        return None
    share = WORST_AT_LEAST if band == WORST else BANDS[band]
    return _hazard(share) * MONTH_HOURS * together * lost_hours


def _hazard(share: float) -> float:
    return -log(1 - share) / MONTH_HOURS


def factor(machine: Machine, purchase: str, together: int, lost_hours: float) -> float:
    """How much dearer an hour of useful work is than an hour of the machine; 1 for what can't be taken back.

    A job over `together` nodes meets λ × together reclaims an hour, and each costs all of them `lost_hours`: the work
    since the last checkpoint, and the time until a new node has joined."""
    if purchase != "spot":
        return 1.0
    return 1 + reclaims_per_hour(machine) * together * lost_hours
