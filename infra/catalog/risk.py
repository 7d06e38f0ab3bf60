"""What it costs that spot is taken back: from what is published of a machine to reclaims an hour, and to a price."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import log
from types import MappingProxyType

from infra.catalog.machines import MONTH_HOURS, STALE_DAYS, Machine
from infra.settings.purchase import SPOT

# AWS Spot Advisor: the share of a machine type's spot nodes that AWS took back, in the month before. Each band counts
# as its upper end; the last has none, so 30 % is assumed. Google publishes no figure; what has none counts as the last.
BANDS: Mapping[str, float] = MappingProxyType(
    {"<5%": 0.05, "5-10%": 0.10, "10-15%": 0.15, "15-20%": 0.20, ">20%": 0.30}
)
WORST = ">20%"
# The share is of nodes of any age: most run for hours, not for all of the month. A node is taken to run for a day, so
# that a share p of nodes is a hazard of -ln(1 - p) a day. Nothing is published of their ages: this is an assumption.
RUN_HOURS = 24
# A zone that asks nearly the on-demand price has hardly any spot to give, whatever its band says.
SCARCE = 0.7


def band(machine: Machine) -> str:
    """Its band; empty without one, and where it is so much older than the prices that it tells of another market."""
    known, newest = machine.interruption, max((price.as_of for price in machine.prices), default=None)
    if known is None or (newest and known.as_of < newest - timedelta(days=STALE_DAYS)):
        return ""
    return known.band


def scarce(machine: Machine, usd: float) -> bool:
    """Whether spot at this price is near the price on demand."""
    on_demand = machine.on_demand_usd
    return on_demand is not None and usd > SCARCE * on_demand


def reclaims_per_hour(machine: Machine, usd: float | None = None) -> float:
    """The hazard of one spot node, bought at `usd` an hour or at what is to be counted on."""
    usd = machine.price(SPOT) if usd is None else usd
    worst = usd is not None and scarce(machine, usd)
    return -log(1 - BANDS[WORST if worst else band(machine) or WORST]) / RUN_HOURS


def hours_lost_a_month(machine: Machine, usd: float, together: int, lost_hours: float) -> float:
    """Hours of work that reclaims cost a spot node in a month that it runs."""
    return reclaims_per_hour(machine, usd) * MONTH_HOURS * together * lost_hours


def factor(machine: Machine, purchase: str, usd: float, together: int, lost_hours: float) -> float:
    """How much dearer an hour of useful work is than an hour of the machine; 1 for what can't be taken back.

    A job over `together` nodes meets λ × together reclaims an hour, and each costs all of them `lost_hours`: the work
    since the last checkpoint, and the time until a new node has joined."""
    if purchase != SPOT:
        return 1.0
    return 1 + reclaims_per_hour(machine, usd) * together * lost_hours
