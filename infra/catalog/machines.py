"""Machine types offered in India's regions, with their zones, networks and prices (see data/SOURCES.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from infra import geography
from infra.catalog.tables import (
    DATA,
    CatalogError,
    InterruptionRow,
    MachineRow,
    OfferingRow,
    PriceRow,
    WaysRow,
    read,
)
from infra.settings.errors import nearest

MONTH_HOURS = 730  # what clouds bill as a month: 365 days × 24 h ÷ 12
STALE_DAYS = 90


@dataclass(frozen=True)
class Price:
    """USD an hour, Linux, without tax. `basis` says how it was had: observed, derived or derived-weak."""

    usd: float
    basis: str
    as_of: date
    source: str


@dataclass(frozen=True)
class Machine:
    """One machine type in one region.

    `gpu` is the GPU's short name, "" for a CPU machine; `gpu_count` 0 beside a name is a fraction of that GPU
    (`gpu_fraction`). `gpu_link` joins the GPUs of one machine. `fabrics` are the fast networks that it can have: efa,
    rdma (memory to memory, past the CPU), tcpx; `extra_networks` are those that Google's need beside the first.
    `capacity_blocks`: AWS sells it by the block, reserved for days. `ways` are the only ways in which it is sold, empty
    where it is sold in all. `zones` are zone IDs, none where they were not found. Prices are None where no figure was
    found."""

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
    ways: tuple[str, ...]
    zones: tuple[str, ...]
    on_demand: Price | None
    spot: Price | None
    interruption_band: str
    as_of: date
    source: str

    @property
    def on_demand_usd(self) -> float | None:
        return self.on_demand.usd if self.on_demand else None

    @property
    def spot_usd(self) -> float | None:
        return self.spot.usd if self.spot else None

    def sold_as(self, purchase: str) -> bool:
        """Whether it can be bought in this way."""
        return not self.ways or purchase in self.ways

    def price(self, purchase: str) -> float | None:
        """USD an hour when bought as `spot`, or on demand. No figure was found for the other ways, none of which costs
        more than on demand: a block is priced when it is bought, flex-start is said to be up to 53 % cheaper (GKE
        documentation, "flex-start", 2026-11-24), and a reservation is paid for whether it is used or not."""
        return self.spot_usd if purchase == "spot" else self.on_demand_usd

    @property
    def spot_saving(self) -> float | None:
        """The share of the on-demand price that spot saves; None where one of the two is not known."""
        if self.spot is None or self.on_demand is None:
            return None
        return 1 - self.spot.usd / self.on_demand.usd


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
    """A sentence about prices older than 90 days, with their age, or None."""
    prices = [price for found in everywhere() for price in (found.on_demand, found.spot) if price]
    oldest = min(price.as_of for price in prices)
    old = sum((today - price.as_of).days > STALE_DAYS for price in prices)
    if not old:
        return None
    age = (today - oldest).days
    return (
        f"{old} of {len(prices)} prices are older than {STALE_DAYS} days (the oldest {age}, of {oldest}): "
        "`make catalog` refreshes them from the clouds where you have credentials"
    )


@cache
def _by_region() -> Mapping[str, tuple[Machine, ...]]:
    types = {row.machine_type: row for row in read(DATA / "machines.csv", MachineRow)}
    prices = {
        (row.region, row.machine_type, row.purchase): Price(row.usd_hour, row.basis, row.as_of, row.source)
        for row in read(DATA / "prices.csv", PriceRow)
    }
    bands = {
        (row.region, row.machine_type): row.band for row in read(DATA / "interruptions.csv", InterruptionRow)
    }
    ways = {row.machine_type: row.ways for row in read(DATA / "sold_only_as.csv", WaysRow)}
    found: dict[str, list[Machine]] = {region: [] for region in geography.REGIONS}
    for offering in read(DATA / "offerings.csv", OfferingRow):
        if offering.machine_type not in types:
            raise CatalogError(f"offerings.csv: {offering.machine_type} has no row in machines.csv")
        at = (offering.region, offering.machine_type)
        made = _machine(
            types[offering.machine_type],
            offering,
            ways.get(offering.machine_type, ()),
            prices.get((*at, "on-demand")),
            prices.get((*at, "spot")),
            bands.get(at, ""),
        )
        found[geography.region(offering.region).name].append(made)
    return {region: tuple(offered) for region, offered in found.items()}


def _machine(
    kind: MachineRow,
    offering: OfferingRow,
    ways: tuple[str, ...],
    on_demand: Price | None,
    spot: Price | None,
    band: str,
) -> Machine:
    facts = kind.model_dump()
    return Machine(
        **facts,
        region=offering.region,
        ways=ways,
        zones=offering.zones,
        on_demand=on_demand,
        spot=spot,
        interruption_band=band,
    )
