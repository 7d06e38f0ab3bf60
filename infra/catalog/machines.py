"""Machine types offered in India's regions, with their zones, networks and prices (see data/SOURCES.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from statistics import median
from typing import TypeVar

from infra import geography
from infra.catalog import exchange_rate
from infra.catalog.gpus import memory_of
from infra.catalog.tables import (
    DATA,
    STALE_DAYS,
    CatalogError,
    InterruptionRow,
    MachineRow,
    OfferingRow,
    PlacementRow,
    PriceRow,
    SoldOnlyRow,
    read,
)
from infra.settings.purchase import ON_DEMAND, RESERVED, SPOT
from infra.spelling import nearest

MONTH_HOURS = 730  # what clouds bill as a month: 365 days × 24 h ÷ 12
AT_MOST = "at-most"

Z = TypeVar("Z", PriceRow, PlacementRow)


@dataclass(frozen=True)
class Price:
    """USD an hour, Linux, without tax, bought one way in one zone, or in all of the region where `zone` is empty.

    `basis` says how it was had (see data/SOURCES.md); `at-most`: another way's price, which this one does not exceed.
    """

    purchase: str
    zone: str
    usd: float
    basis: str
    as_of: date
    source: str


@dataclass(frozen=True)
class Quote:
    """A machine bought one way over some zones, USD an hour.

    `usd` is the median of the zones, and what to count on where a node may come up in any of them; `low` and `high` are
    the cheapest and the dearest zone. `prices` has a price for each zone, the cheapest first; one without a zone where
    zones are not told apart.
    """

    usd: float
    low: float
    high: float
    prices: tuple[Price, ...]

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones with a price, the cheapest first."""
        return tuple(price.zone for price in self.prices if price.zone)


@dataclass(frozen=True)
class Machine:
    """One machine type in one region.

    `gpu` is the GPU's short name, "" for a CPU machine; `gpu_count` 0 beside a name is a fraction of that GPU
    (`gpu_fraction`). `gpu_memory_gib` is what the driver reports of one GPU, or of the fraction. `gpu_link` joins the
    GPUs of one machine. `fabrics` are the fast networks that it can have: efa, rdma (memory to memory, past the CPU),
    tcpx; `extra_networks` are those that Google's need beside the first. `capacity_blocks`: AWS sells it by the block,
    reserved for days. `ways` are the only ways in which it is sold, empty where it is sold in all. `zones` are zone
    IDs, none where they were not found. `prices` are those that were found.
    """

    cloud: geography.Cloud
    region: str
    machine_type: str
    gpu: str
    gpu_count: int
    gpu_fraction: float
    gpu_memory_gib: float
    gpu_link: str
    vcpus: int
    memory_gib: float
    nvme_gb: int
    network: str
    network_cards: int
    efa_interfaces: int
    fabrics: tuple[str, ...]
    extra_networks: int
    capacity_blocks: bool
    purchases: tuple[str, ...]
    zones: tuple[str, ...]
    prices: tuple[Price, ...]
    interruption: InterruptionRow | None
    placement: tuple[PlacementRow, ...]
    as_of: date
    source: str

    @property
    def on_demand_usd(self) -> float | None:
        """USD an hour on demand; None where it is not sold so."""
        return self.price(ON_DEMAND)

    def sold_as(self, purchase: str) -> bool:
        """Whether it can be bought in this way."""
        return not self.purchases or purchase in self.purchases

    def price(self, purchase: str, zones: Collection[str] = ()) -> float | None:
        """USD an hour over `zones`, or all that offer it: the median where they differ."""
        quote = self.quote(purchase, zones)
        return quote.usd if quote else None

    def quote(self, purchase: str, zones: Collection[str] = ()) -> Quote | None:
        """What it costs over `zones`, or all that offer it; None where no figure was found.

        A reservation is paid as on demand. A block is priced when it is bought, and flex-start is said to be up to 53 %
        cheaper (GKE documentation, "flex-start", 2026-11-24): without a figure of their own they cost at most what on
        demand does.
        """
        found = self._prices(purchase)
        in_zones = [price for price in found if price.zone and (not zones or price.zone in zones)]
        if not in_zones:
            # Told for the whole region. Of spot on AWS that is the lowest zone, without a word which.
            in_zones = [price for price in found if not price.zone and not any(other.zone for other in found)]
        if not in_zones:
            return None
        figures = sorted(price.usd for price in in_zones)
        order = tuple(sorted(in_zones, key=lambda price: (price.usd, price.zone)))
        return Quote(median(figures), figures[0], figures[-1], order)

    def _prices(self, purchase: str) -> list[Price]:
        found = [price for price in self.prices if price.purchase == purchase]
        if found or purchase in (SPOT, ON_DEMAND):
            return found
        basis = {} if purchase == RESERVED else {"basis": AT_MOST}
        return [replace(price, **basis) for price in self.prices if price.purchase == ON_DEMAND]


def machines(region: str) -> tuple[Machine, ...]:
    """Every machine type of a region in the catalogue.

    Raises:
        geography.UnknownRegionError: the region is not in India.
    """
    return _by_region().get(geography.region(region).name, ())


def machine(region: str, machine_type: str) -> Machine:
    """One machine type of a region.

    Raises:
        CatalogError: it is not offered there; says what is nearest, or where in India it is.
    """
    here = {found.machine_type: found for found in machines(region)}
    if machine_type in here:
        return here[machine_type]
    elsewhere = [found.region for found in everywhere() if found.machine_type == machine_type]
    near = nearest(machine_type, here)
    hint = f"; it is in {', '.join(elsewhere)}" if elsewhere else f"; the nearest is {near}" if near else ""
    raise CatalogError(f"{machine_type} is not offered in {region}{hint}")


def everywhere() -> tuple[Machine, ...]:
    """Every machine type of every region in India."""
    return tuple(found for offered in _by_region().values() for found in offered)


def offered_in(gpu: str, gpus_per_node: int | None = None) -> Mapping[str, tuple[str, ...]]:
    """Regions of India, with their zones, that have whole GPUs of this kind (`gpus_per_node` of them, if given)."""
    zones: dict[str, set[str]] = {}
    for found in everywhere():
        if found.gpu == gpu and found.gpu_count and gpus_per_node in (None, found.gpu_count):
            zones.setdefault(found.region, set()).update(found.zones)
    return {region: tuple(sorted(ids)) for region, ids in zones.items()}


def stale(today: date) -> str | None:
    """A sentence about prices, interruption bands, placement scores and a rate of the dollar that are older than 90
    days, or None."""
    every = everywhere()
    days = {
        "prices": [price.as_of for found in every for price in found.prices],
        "interruption bands": [found.interruption.as_of for found in every if found.interruption],
        "placement scores": [row.as_of for found in every for row in found.placement],
    }
    clauses = [_old(what, as_of, today) for what, as_of in days.items()]
    told = [clause for clause in (*clauses, exchange_rate.stale(today)) if clause]
    if not told:
        return None
    return (
        f"{'; '.join(told)}: `make catalog` refreshes what the clouds, with your logins, or public feeds tell"
    )


def _old(what: str, days: Sequence[date], today: date) -> str | None:
    old = [day for day in days if (today - day).days > STALE_DAYS]
    if not old:
        return None
    verb = "is" if len(old) == 1 else "are"
    return (
        f"{len(old)} of {len(days)} {what} {verb} older than {STALE_DAYS} days "
        f"(the oldest {(today - min(old)).days}, of {min(old)})"
    )


@cache
def _by_region() -> Mapping[str, tuple[Machine, ...]]:
    types = {row.machine_type: row for row in read(DATA / "machines.csv", MachineRow)}
    offerings = read(DATA / "offerings.csv", OfferingRow)
    zones = {(row.region, row.machine_type): row.zones for row in offerings}
    prices: dict[tuple[str, str], list[Price]] = {}
    for row in _in_zones(DATA / "prices.csv", PriceRow, zones):
        price = Price(row.purchase, row.zone, row.usd_hour, row.basis, row.as_of, row.source)
        prices.setdefault((row.region, row.machine_type), []).append(price)
    bands = {(row.region, row.machine_type): row for row in read(DATA / "interruptions.csv", InterruptionRow)}
    placement: dict[tuple[str, str], list[PlacementRow]] = {}
    for row in _in_zones(DATA / "placement.csv", PlacementRow, zones):
        placement.setdefault((row.region, row.machine_type), []).append(row)
    purchases = {row.machine_type: row.purchases for row in read(DATA / "sold_only_as.csv", SoldOnlyRow)}
    found: dict[str, list[Machine]] = {region: [] for region in geography.REGIONS}
    for offering in offerings:
        if offering.machine_type not in types:
            raise CatalogError(f"offerings.csv: {offering.machine_type} has no row in machines.csv")
        at = (offering.region, offering.machine_type)
        made = _machine(
            types[offering.machine_type],
            offering,
            purchases.get(offering.machine_type, ()),
            tuple(prices.get(at, ())),
            bands.get(at),
            tuple(placement.get(at, ())),
        )
        found[geography.region(offering.region).name].append(made)
    return {region: tuple(offered) for region, offered in found.items()}


def _in_zones(path: Path, kind: type[Z], zones: Mapping[tuple[str, str], tuple[str, ...]]) -> list[Z]:
    """The rows of a table, each of a zone that offers its machine type, or of all of a region."""
    rows = read(path, kind)
    for number, row in enumerate(rows, 2):
        there = zones.get((row.region, row.machine_type), ())
        if row.zone and row.zone not in there:
            near = nearest(row.zone, there)
            raise CatalogError(
                f"{path.name}:{number}: zone is {row.zone!r}: {row.machine_type} is offered in {row.region} in "
                f"{', '.join(there) or 'no zone'}{f'; the nearest is {near}' if near else ''}"
            )
    return rows


def _machine(
    kind: MachineRow,
    offering: OfferingRow,
    purchases: tuple[str, ...],
    prices: tuple[Price, ...],
    band: InterruptionRow | None,
    placement: tuple[PlacementRow, ...],
) -> Machine:
    facts = kind.model_dump()
    facts["gpu_memory_gib"] = memory_of(kind.gpu, kind.gpu_count, kind.gpu_memory_gib)
    return Machine(
        **facts,
        region=offering.region,
        purchases=purchases,
        zones=offering.zones,
        prices=prices,
        interruption=band,
        placement=placement,
    )
