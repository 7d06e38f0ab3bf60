"""What a floor on demand is held to, before anything is made."""

from __future__ import annotations

from collections.abc import Mapping

from infra.settings.errors import NOTHING, Problem
from infra.settings.pools import GpuPool
from infra.settings.purchase import FLEX_START, SPOT, in_words
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.serving import Serving
from infra.spelling import nearest

FLOOR = f"{path_of(Serving)}.onDemandFloor"
TAKEN_BACK = {SPOT, FLEX_START}


def check_floor(parts: Parts) -> list[Problem]:
    """Problems: a pool that can be taken back itself, or has other GPUs; replicas that it can't hold, or that are all
    of the server's; a floor below what is never taken back."""
    serving = parts.workload(Serving)
    if serving is None or serving.on_demand_floor is None:
        return []
    beside = next((cloud.pools for cloud in parts.clouds if serving.pool in _named(cloud.pools)), None)
    if beside is None:
        return _on_no_cloud(serving, parts)
    pools = {pool.name: pool for pool in beside.values()}
    first = pools[serving.pool]
    if not TAKEN_BACK.intersection(first.purchase):
        allowed = (
            f"{NOTHING}: pool {first.name} is bought as {in_words(first.purchase)}, and nobody takes it back"
        )
        return [Problem(FLOOR, "given", allowed)]
    able = {pool.name: pool for pool in pools.values() if _can_be_floor(pool, first)}
    pool = able.get(serving.on_demand_floor.pool)
    return [*_replicas(serving, pool), *([] if pool else [_no_such_floor(serving, able, first)])]


def _named(pools: Mapping[str, GpuPool]) -> set[str]:
    return {pool.name for pool in pools.values()}


def _on_no_cloud(serving: Serving, parts: Parts) -> list[Problem]:
    """A server on premises; that of a pool which is nowhere is told elsewhere."""
    if serving.pool not in {pool.name for pool in parts.site.pools.values()}:
        return []
    return [Problem(FLOOR, "given", f"{NOTHING}: nobody takes back the nodes of {serving.pool}, on premises")]


def _can_be_floor(pool: GpuPool, first: GpuPool) -> bool:
    same_gpus = (pool.gpu, pool.min_gpu_memory_gib, pool.parts) == (
        first.gpu,
        first.min_gpu_memory_gib,
        first.parts,
    )
    return same_gpus and not TAKEN_BACK.intersection(pool.purchase)


def _no_such_floor(serving: Serving, able: dict[str, GpuPool], first: GpuPool) -> Problem:
    asked = serving.on_demand_floor
    assert asked
    gpu = first.gpu or f"{first.min_gpu_memory_gib:g} GiB a GPU"
    allowed = f"a pool beside {first.name} with its GPUs ({gpu}), bought as on-demand or reserved alone: "
    return Problem(
        f"{FLOOR}.pool", asked.pool, allowed + (", ".join(able) or NOTHING), nearest(asked.pool, able)
    )


def _replicas(serving: Serving, pool: GpuPool | None) -> list[Problem]:
    floor = serving.floor
    if serving.scale and serving.scale.minimum < floor:
        given = str(serving.scale.minimum)
        allowed = f"no fewer than the {floor} of onDemandFloor, which are among them"
        return [Problem(f"{path_of(Serving)}.scale.minimum", given, allowed, str(floor))]
    most = serving.scale.maximum if serving.scale else serving.replicas
    if floor >= most:
        allowed = f"fewer than the server's replicas, {most}: or put it on that pool"
        return [Problem(f"{FLOOR}.replicas", str(floor), allowed, str(most - 1) if most > 1 else None)]
    if pool is None or serving.gpus > pool.gpus_per_node:
        return [] if pool is None else [_too_few_gpus(serving, pool)]
    if floor > (holds := pool.holds(serving.gpus)):
        allowed = f"no more than pool {pool.name} holds: {holds} of {serving.gpus} GPUs"
        return [Problem(f"{FLOOR}.replicas", str(floor), allowed, str(holds) if holds else None)]
    return []


def _too_few_gpus(serving: Serving, pool: GpuPool) -> Problem:
    allowed = (
        f"a pool of {serving.gpus} GPUs a node, as a replica has: pool {pool.name} has {pool.gpus_per_node}"
    )
    return Problem(f"{FLOOR}.pool", pool.name, allowed)
