"""What workloads ask of the pools that they run on."""

from __future__ import annotations

from infra.settings.errors import NOTHING, Problem
from infra.settings.on_premises import OnPremisesPool
from infra.settings.pools import GpuPool
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.proof import Proof
from infra.settings.workloads.workload import PoolUse
from infra.spelling import nearest


def workloads_fit_their_pools(parts: Parts) -> list[Problem]:
    """A workload's pool exists, its nodes have the GPUs, and there can be as many of them as it takes at once."""
    pools = {pool.name: pool for pool in parts.pools.values()}
    problems = []
    for path, workload in parts.workloads.items():
        if use := workload.pool_use:
            problems += _fits(path, use, parts)
            if use.nodes and (pool := pools.get(use.pool)):
                problems += _nodes_fit(f"{path}.nodes", use.nodes, pool)
    return problems + _fabrics_can_be_proved(parts)


def _fabrics_can_be_proved(parts: Parts) -> list[Problem]:
    """There are as many nodes of each fabric as its proof takes, and floors are of pools that have one."""
    proof = parts.workload(Proof)
    if proof is None:
        return []
    problems = []
    fabrics = {pool.name: pool for pool in parts.pools.values() if pool.fabric != "none"}
    if there := [pool for pool in fabrics.values() if _most_nodes(pool)]:
        smallest = min(there, key=_most_nodes)
        problems += _nodes_fit(f"{path_of(Proof)}.nodes", proof.nodes, smallest, least=2)
    for name in proof.floor_gbs.keys() - fabrics.keys():
        allowed = f"pools with a fabric: {', '.join(fabrics) or NOTHING}"
        problems.append(Problem(f"{path_of(Proof)}.floorGbs", name, allowed, nearest(name, fabrics)))
    return problems


def _fits(path: str, use: PoolUse, parts: Parts) -> list[Problem]:
    name, gpus = use.pool, use.gpus
    if name not in parts.pool_names:
        allowed = ", ".join(parts.pool_names) or NOTHING
        near = nearest(name, parts.pool_names)
        places = [f"{cloud.cloud}.cluster.pools" for cloud in parts.clouds]
        where = " or ".join(places + ["onPremises.pools"] * bool(parts.site.pools)) or "a cloud"
        return [Problem(f"{path}.pool", name, f"a pool of {where}: {allowed}", near)]
    pool = next((pool for pool in parts.pools.values() if pool.name == name), None)
    if pool and pool.sharing and (gpus > 1 or use.nodes):
        whole = [other.name for other in parts.pools.values() if other.sharing is None]
        allowed = f"a pool without sharing: a pod on {name} gets a part of a GPU, for a server of one GPU"
        return [Problem(f"{path}.pool", name, allowed, next(iter(whole), None))]
    if pool and gpus > pool.gpus_per_node:
        allowed = f"no more GPUs than a node of pool {name} has"
        return [Problem(f"{path}.{use.gpus_setting}", str(gpus), allowed, str(pool.gpus_per_node))]
    return []


def _nodes_fit(path: str, nodes: int, pool: GpuPool | OnPremisesPool, least: int = 1) -> list[Problem]:
    """A problem if the job needs more nodes than the pool can have: it would wait for ever."""
    most = _most_nodes(pool)
    if nodes <= most:
        return []
    static = "has on premises (nodes)" if isinstance(pool, OnPremisesPool) else "always has (minNodes)"
    limit = static if pool.static else "grows to"
    allowed = f"no more nodes than pool {pool.name} {limit}"
    return [Problem(path, str(nodes), allowed, str(most) if most >= least else None)]


def _most_nodes(pool: GpuPool | OnPremisesPool) -> int:
    return pool.static_nodes if pool.static else pool.most_nodes
