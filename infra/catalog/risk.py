"""What it costs that spot is taken back: from what is published of a machine to reclaims an hour, and to a price."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from math import log
from types import MappingProxyType

from infra.catalog.machines import MONTH_HOURS, Machine
from infra.catalog.tables import STALE_DAYS
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
# A zone that asks nearly the on-demand price, or whose placement score says that one machine is unlikely to be had, has
# hardly any spot to give, whatever its band says: bands tell of the nodes that some people have.
SCARCE = 0.7
UNLIKELY = 1


def band(machine: Machine) -> str:
    """Its band; empty without one, and where it is so much older than the prices that it tells of another market."""
    known, newest = machine.interruption, max((price.as_of for price in machine.prices), default=None)
    if known is None or (newest and known.as_of < newest - timedelta(days=STALE_DAYS)):
        return ""
    return known.band


def scarce(machine: Machine, zones: Collection[str] = ()) -> str:
    """Why spot is hardly to be had in these zones, or in any; empty where it is, or nothing is known of it."""
    spot, on_demand = machine.price(SPOT, zones), machine.on_demand_usd
    if spot is not None and on_demand is not None and spot > SCARCE * on_demand:
        return f"scarce: costs {spot / on_demand:.0%} of on demand"
    scores = [row.score for row in machine.placement if not zones or row.zone in zones]
    if scores and max(scores) <= UNLIKELY:
        return f"scarce: placement score {max(scores)} of 10"
    return ""


def reclaims_per_hour(machine: Machine, zones: Collection[str] = ()) -> float:
    """The hazard of one spot node in these zones, or in any."""
    return -log(1 - BANDS[WORST if scarce(machine, zones) else band(machine) or WORST]) / RUN_HOURS


def hours_lost_a_month(machine: Machine, zones: Collection[str], nodes: int, lost_hours: float) -> float:
    """Hours of work that reclaims cost a spot node in a month that it runs."""
    return reclaims_per_hour(machine, zones) * MONTH_HOURS * nodes * lost_hours


def factor(machine: Machine, purchase: str, zones: Collection[str], nodes: int, lost_hours: float) -> float:
    """How much dearer an hour of useful work is than an hour of the machine; 1 for what can't be taken back.

    A job over `nodes` nodes meets λ × nodes reclaims an hour, and each costs all of them `lost_hours`: the work
    since the last checkpoint, and the time until a new node has joined."""
    if purchase != SPOT:
        return 1.0
    return 1 + reclaims_per_hour(machine, zones) * nodes * lost_hours
