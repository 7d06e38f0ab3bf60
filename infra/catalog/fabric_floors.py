"""Floors: the least bus bandwidth of a fabric, by GPU, and the refusal of a proof whose floor nobody knows."""

from __future__ import annotations

from collections.abc import Mapping

from infra.catalog.tables import DATA, Basis, Row, read
from infra.settings.errors import Problem
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


def check_floors(parts: Parts) -> list[Problem]:
    """A problem for each pool with a fabric that the stack wants proved, and whose floor is neither known nor given."""
    asked = parts.workload(Proof)
    if asked is None:
        return []
    known = floors()
    return [
        Problem(
            f"{path_of(Proof)}.floorGbs.{pool.name}",
            "nothing",
            f"GB/s: no floor is known for {pool.gpu} on {pool.fabric}",
        )
        for pool in parts.pools.values()
        if pool.fabric != "none" and pool.gpu and (pool.gpu, pool.fabric) not in known
        if pool.name not in asked.floor_gbs
    ]
