"""Floors: the least bus bandwidth of a fabric, by GPU, and the refusal of a proof whose floor nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from infra.catalog.choose import NoMachineError
from infra.catalog.resolved import Resolve, resolve
from infra.catalog.tables import DATA, Basis, Row, read
from infra.geography import REGIONS
from infra.settings.errors import Problem
from infra.settings.on_premises import OnPremisesPool
from infra.settings.pools import GpuPool
from infra.settings.valid_parts import Parts
from infra.settings.workloads import Proof, path_of


class FloorRow(Row):
    """The least bus bandwidth, in GB/s, of an all_reduce over two or more whole nodes."""

    gpu: str
    fabric: str
    floor_gbs: float
    basis: Basis


def floors() -> Mapping[tuple[str, str], float]:
    """By GPU and fabric."""
    rows = read(DATA / "fabric_floors.csv", FloorRow)
    return {(row.gpu, row.fabric): row.floor_gbs for row in rows}


def check_floors(parts: Parts, resolve: Resolve = resolve) -> list[Problem]:
    """A problem for each pool with a fabric that the stack wants proved, and whose floor is neither known nor given."""
    asked = parts.workload(Proof)
    if asked is None:
        return []
    known = floors()
    return [
        Problem(
            f"{path_of(Proof)}.floorGbs.{pool.name}",
            "nothing",
            f"GB/s: no floor is known for {gpu} on {pool.fabric}",
        )
        for region, pool in _with_a_fabric(parts)
        if (gpu := _gpu(region, pool, resolve)) and (gpu, pool.fabric) not in known
        if pool.name not in asked.floor_gbs
    ]


def _with_a_fabric(parts: Parts) -> Iterator[tuple[str | None, GpuPool | OnPremisesPool]]:
    regions = {path: cloud.region for cloud in parts.clouds for path in cloud.pools}
    for path, pool in parts.pools.items():
        if pool.fabric != "none":
            yield regions.get(path), pool


def _gpu(region: str | None, pool: GpuPool | OnPremisesPool, resolve: Resolve) -> str | None:
    """The pool's GPU, chosen by its memory where the settings name none; None where nothing serves, which
    `check_offered` refuses."""
    if pool.gpu or not isinstance(pool, GpuPool) or region is None or region not in REGIONS:
        return pool.gpu
    try:
        return resolve(region, pool).machine.gpu
    except NoMachineError:
        return None
