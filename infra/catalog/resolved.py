"""Pools as the catalogue resolves them, once a run: the machines of each, how they are bought, where they are, and why.

Everything made of a pool takes this answer: its nodes, what pods see of it, its price, a replay of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Generic, Protocol, TypeVar, cast

from infra import geography
from infra.catalog.choose import Asked, Choice, NoMachineError, choose
from infra.catalog.machines import Machine, Quote
from infra.catalog.risk import reclaims_per_hour
from infra.settings.pools import GpuPool
from infra.settings.purchase import SPOT
from infra.spelling import nearest

P = TypeVar("P", bound=GpuPool)
P_co = TypeVar("P_co", bound=GpuPool, covariant=True)


@dataclass(frozen=True)
class Link:
    """A way of buying in a pool's chain, and the machine that is the cheapest when it is bought so.

    `quote` is its price over the zones where its nodes may be, None where none is known.
    """

    purchase: str
    machine: Machine
    quote: Quote | None


@dataclass(frozen=True)
class ResolvedPool(Generic[P_co]):
    """A pool of the settings, and what the catalogue chose for it."""

    settings: P_co
    region: str
    choice: Choice
    """Why these machines: every offer that serves, the cheapest useful hour first, and why all others do not."""
    machines: tuple[Machine, ...]
    """The machine types of its nodes, the cheapest first; all have the same GPU."""
    allowed_zones: tuple[str, ...]
    """Where its nodes may be."""
    zone: str | None
    """Where all of them are, if they are in one zone: the first of those."""

    @property
    def name(self) -> str:
        """The pool's name in the settings."""
        return self.settings.name

    @property
    def machine(self) -> Machine:
        """The cheapest machine type."""
        return self.machines[0]

    @property
    def machine_types(self) -> tuple[str, ...]:
        """The cloud's names of the machines, the cheapest first."""
        return tuple(machine.machine_type for machine in self.machines)

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones that its nodes come up in."""
        return (self.zone,) if self.zone else self.allowed_zones

    @property
    def chain(self) -> tuple[Link, ...]:
        """Each way of buying, in order of preference, with its machine."""
        return tuple(cheapest(self.machines, purchase, self.zones) for purchase in self.settings.purchase)

    @property
    def reclaims_per_hour(self) -> float:
        """How often one of its nodes is taken back, when they are bought in the first of its ways."""
        first = self.chain[0]
        return reclaims_per_hour(first.machine, self.zones) if first.purchase == SPOT else 0.0

    @property
    def usd_per_hour(self) -> float:
        """What one of its nodes costs when it is bought in the first of its ways; 0 where no price is known."""
        quote = self.chain[0].quote
        return quote.usd if quote else 0.0

    def within(self, zones: Collection[str]) -> ResolvedPool[P_co]:
        """The same pool in a network that is in these zones alone.

        Raises:
            LookupError: it can be in none of them.
        """
        # In the network's order where its nodes come up in any zone; else the cheapest first.
        order = self.allowed_zones if self.zone else zones
        left = tuple(zone for zone in order if zone in zones and zone in self.allowed_zones)
        if not left:
            offered = ", ".join(self.allowed_zones)
            raise LookupError(
                f"{self.machine.machine_type} is in {offered}; the network has {', '.join(zones)}"
            )
        if self.zone is None:
            return replace(self, allowed_zones=left)
        machines = _alike(_of_cloud(self.choice), left[0])
        return replace(self, machines=machines, allowed_zones=left, zone=left[0])


class Resolve(Protocol):
    """`resolve`, or what remembers its answers."""

    def __call__(self, region: str, pool: P) -> ResolvedPool[P]:
        """Return the pool with what the catalogue chose for it."""
        ...


def resolve(region: str, pool: P) -> ResolvedPool[P]:
    """The pool with the machines that serve when they are bought in the first of its ways that is offered.

    Raises:
        NoMachineError: none serves, or none on spot where spot is one of the ways: that a chain goes on behind spot
            that saves too little makes it no better; or the machine is not in the zone that the pool names.
        geography.UnknownRegionError: the region is not in India.
    """
    choice = _choice(region, pool)
    machines = _of_cloud(choice)
    if not pool.colocated:
        zones = dict.fromkeys(zone for machine in machines for zone in machine.zones)
        return ResolvedPool(pool, region, choice, machines, tuple(zones), None)
    if pool.zone and pool.zone not in choice.zones:
        offered = f"where {machines[0].machine_type} is: {', '.join(choice.zones)}"
        raise NoMachineError("zone", pool.zone, offered, nearest(pool.zone, choice.zones))
    zones = (pool.zone,) if pool.zone else choice.zones
    return ResolvedPool(pool, region, choice, _alike(machines, zones[0]), zones, zones[0])


def resolver() -> Resolve:
    """`resolve` for one run, in which the catalogue is asked once for each pool: by the check of the settings first,
    and what is built on the pool is given the same answer."""
    return cast(Resolve, cache(resolve))


def cheapest(machines: Sequence[Machine], purchase: str, zones: Collection[str] = ()) -> Link:
    """The machine that is bought first of several, as Karpenter and EKS buy: the cheapest that has a price."""
    links = (Link(purchase, machine, machine.quote(purchase, zones)) for machine in machines)
    return min(links, key=lambda link: link.quote.usd if link.quote else float("inf"))


def _choice(region: str, pool: GpuPool) -> Choice:
    found: list[Choice] = []
    for purchase in pool.purchase:
        try:
            found.append(choose([region], Asked.by(pool, purchase)))
        except NoMachineError:
            if purchase == SPOT or (purchase == pool.purchase[-1] and not found):
                raise
    return found[0]


def _of_cloud(choice: Choice) -> tuple[Machine, ...]:
    """What the nodes of one pool may be: a GKE node pool has one machine type."""
    cheapest = choice.machines[0]
    return choice.machines[:1] if geography.region(cheapest.region).cloud == "gcp" else choice.machines


def _alike(machines: Sequence[Machine], zone: str) -> tuple[Machine, ...]:
    """Those that can be in one group with the cheapest: in its zone, and with as many EFA interfaces, for which the
    launch template has the layout."""
    first, *others = machines
    same = (other for other in others if zone in other.zones and other.efa_interfaces == first.efa_interfaces)
    return (first, *same)
