"""What the settings of a server that scales by its load are held to, before anything is made."""

from __future__ import annotations

from math import ceil

from infra.settings.errors import NOTHING, Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads.scaling import LONGEST_COOLDOWN
from infra.settings.workloads.serving import Serving
from workloads.serving.cold_start import cold_start

SERVING, GATEWAY = "workloads.serving", "workloads.gateway"


def check_scale(parts: Parts) -> list[Problem]:
    """Problems: replicas said twice, more of them than the pool holds, none without a gateway, or gone before they are
    ready."""
    serving = parts.workload(Serving)
    if serving is None or serving.scale is None:
        return []
    problems = []
    if serving.engine != "vllm":
        allowed = f"{NOTHING} with {serving.engine}: what it scales by are metrics of vLLM"
        problems.append(Problem(f"{SERVING}.scale", "given", allowed, "engine: vllm"))
    if "replicas" in serving.model_fields_set:
        allowed = (
            f"nothing beside scale: it says how many, {serving.scale.minimum} to {serving.scale.maximum}"
        )
        problems.append(Problem(f"{SERVING}.replicas", str(serving.replicas), allowed))
    pool = next((pool for pool in parts.pools.values() if pool.name == serving.pool), None)
    most = serving.floor + (pool.holds(serving.gpus) if pool else 0)
    if pool and serving.gpus <= pool.gpus_per_node and serving.scale.maximum > most:
        beside = f" beside the {serving.floor} on demand" if serving.floor else ""
        allowed = f"no more replicas than pool {pool.name} holds{beside}: {most} of {serving.gpus} GPUs"
        problems.append(Problem(f"{SERVING}.scale.maximum", str(serving.scale.maximum), allowed, str(most)))
    none = serving.scale.minimum == 0 and not serving.floor
    return problems + (_from_zero(serving, parts) if none else [])


def _from_zero(serving: Serving, parts: Parts) -> list[Problem]:
    assert serving.scale
    if GATEWAY not in parts.workloads:
        allowed = f"1 or more without {GATEWAY}: nothing else sees a request that finds no replica"
        return [Problem(f"{SERVING}.scale.minimum", "0", allowed, "1")]
    start = cold_start(serving)
    least = min(ceil(start.high_seconds / 60), LONGEST_COOLDOWN)
    if serving.scale.cooldown_minutes >= least:
        return []
    allowed = f"with minimum: 0, {least} or more: a replica may take {start} to come, and would go before it is ready"
    return [
        Problem(f"{SERVING}.scale.cooldownMinutes", str(serving.scale.cooldown_minutes), allowed, str(least))
    ]
