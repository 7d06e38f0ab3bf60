"""Machine types offered in India's regions, with their zones, networks and prices (see data/SOURCES.md)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from infra import geography
from infra.settings_errors import nearest

DATA = Path(__file__).parent / "data"
MONTH_HOURS = 730  # what clouds bill as a month: 365 days × 24 h ÷ 12


class CatalogError(LookupError):
    """The catalogue has no such thing. The message names the nearest that it has."""


@dataclass(frozen=True)
class Machine:
    """One machine type in one region.

    `gpu` is the GPU's short name, "" for a CPU machine; `gpu_count` 0 beside a name is a fraction of that GPU.
    `zones` are zone IDs. Prices are USD an hour, Linux, without tax; None where no figure was found. `basis` says how
    the on-demand price was had: observed, derived or derived-weak.
    """

    cloud: geography.Cloud
    region: str
    machine_type: str
    gpu: str
    gpu_count: int
    gpu_memory_gib: float
    vcpus: int
    memory_gib: float
    nvme_gb: int
    network: str
    network_cards: int
    efa_interfaces: int
    zones: tuple[str, ...]
    on_demand_usd: float | None
    spot_usd: float | None
    interruption_band: str
    basis: str
    as_of: str
    source: str

    def price(self, purchase: str) -> float | None:
        """USD an hour when bought as `spot` or `on-demand`."""
        return self.spot_usd if purchase == "spot" else self.on_demand_usd


def machines(region: str) -> tuple[Machine, ...]:
    """Every machine type of a region in the catalogue.

    Raises:
        geography.UnknownRegionError: the region is not in India.
    """
    place = geography.region(region)
    return tuple(machine for machine in _all_machines() if machine.region == place.name)


def machine(region: str, machine_type: str) -> Machine:
    """One machine type of a region.

    Raises:
        CatalogError: it is not offered there; says what is nearest, or where in India it is.
    """
    here = {found.machine_type: found for found in machines(region)}
    if machine_type in here:
        return here[machine_type]
    elsewhere = [found.region for found in _all_machines() if found.machine_type == machine_type]
    near = nearest(machine_type, here)
    hint = f"; it is in {', '.join(elsewhere)}" if elsewhere else f"; the nearest is {near}" if near else ""
    raise CatalogError(f"{machine_type} is not offered in {region}{hint}")


def offered_in(gpu: str, gpus_per_node: int | None = None) -> Mapping[str, tuple[str, ...]]:
    """Regions of India, with their zones, that have whole GPUs of this kind (`gpus_per_node` of them, if given)."""
    zones: dict[str, set[str]] = {}
    for found in _all_machines():
        if found.gpu == gpu and found.gpu_count and gpus_per_node in (None, found.gpu_count):
            zones.setdefault(found.region, set()).update(found.zones)
    return {region: tuple(sorted(ids)) for region, ids in zones.items()}


@cache
def _all_machines() -> tuple[Machine, ...]:
    return tuple(machine for table in sorted(DATA.glob("*_machines.csv")) for machine in _read(table))


def _read(table: Path) -> list[Machine]:
    with table.open(encoding="utf-8", newline="") as rows:
        return [_machine(row) for row in csv.DictReader(rows)]


def _machine(row: Mapping[str, str]) -> Machine:
    return Machine(
        cloud=geography.region(row["region"]).cloud,
        region=row["region"],
        machine_type=row["machine_type"],
        gpu=row["gpu"],
        gpu_count=int(row["gpu_count"]),
        gpu_memory_gib=float(row["gpu_memory_gib"]),
        vcpus=int(row["vcpus"]),
        memory_gib=float(row["memory_gib"]),
        nvme_gb=int(row["nvme_gb"]),
        network=row["network"],
        network_cards=int(row["network_cards"]),
        efa_interfaces=int(row["efa_interfaces"]),
        zones=tuple(row["zones"].split("|")),
        on_demand_usd=_usd(row["on_demand_usd"]),
        spot_usd=_usd(row["spot_usd"]),
        interruption_band=row["interruption_band"],
        basis=row["basis"],
        as_of=row["as_of"],
        source=row["source"],
    )


def _usd(cell: str) -> float | None:
    return float(cell) if cell else None
