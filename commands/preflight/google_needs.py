"""What a stack needs of a Google project, counted from what the program registers, its pools grown to their maximum."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from commands.preflight.needs import HERE
from infra.catalog.tables import Basis, Row, Words, read
from infra.pricing.nodes import GKE_POOL, all_pools
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.purchase import Market

INSTANCE = "gcp:compute/instance:Instance"
# The quota of newer GPUs is one metric with the family as a dimension.
BY_FAMILY = "GPUS_PER_GPU_FAMILY"
# Which quota of vCPUs a machine takes, by its family. None: "You don't need to request CPU quotas" for machines that
# come with their GPUs, only the GPUs' (Compute Engine, "Allocation quotas", read 2026-11-27).
CPU_QUOTAS: Mapping[str, str | None] = {
    "e2": "shared", "n1": "shared", "n2": "n2", "a2": None, "a3": None, "a4": None, "g2": None, "g4": None,
}  # fmt: skip


class GpuQuotaRow(Row):
    """A quota of Compute Engine by accelerator type and purchase; `family` is the dimension gpu_family of those that
    have one."""

    accelerator: str
    purchase: Market
    metric: str
    family: str
    basis: Basis


class QuotaRow(Row):
    """A quota of Compute Engine. `metrics` are tried in turn until the project has one that is not 0; `counts` says
    what `counted` counts; `per` is where it holds."""

    metrics: Words
    per: Literal["project", "region"]
    counts: str
    basis: Basis


@dataclass(frozen=True)
class Need:
    """So much of a quota. `names` are metrics, or the one family where `per` says so."""

    per: Literal["project", "region", "family"]
    names: tuple[str, ...]
    amount: float
    verified: bool


def needs(stack: ResourceGraph) -> list[Need]:
    """Every quota that the stack takes something of."""
    have = counted(stack)
    found = [
        Need(row.per, row.metrics, have[row.counts], row.basis != "unverified")
        for row in read(HERE / "gcp_quotas.csv", QuotaRow)
        if have[row.counts]
    ]
    return [*found, *gpus(stack)]


def counted(stack: ResourceGraph) -> dict[str, float]:
    """Amounts by what the quotas count. Of a chain each link has the vCPUs and GPUs of all its nodes, as each way of
    buying has a quota of its own; disks and instances count once."""
    have: dict[str, float] = defaultdict(float)
    for one in stack.by_urn.values():
        if one.type.startswith("gcp:"):
            have[f"type {one.type}"] += 1
    for pool, nodes in all_pools(stack):
        if pool.type != GKE_POOL:
            continue
        config, most = pool.inputs.get("nodeConfig") or {}, _most_nodes(pool)
        purchase = _purchase(config)
        if quota := CPU_QUOTAS.get(str(config.get("machineType")).partition("-")[0]):
            have[f"vcpus {quota} {purchase}"] += most * nodes.vcpus
            have[f"vcpus {purchase}"] += most * nodes.vcpus
        have[f"gpus {purchase}"] += most * sum(_gpus(config).values())
        once = nodes.count.high if nodes.count else most
        have["instances"] += once
        have[f"GB {config.get('diskType') or 'pd-balanced'}"] += once * nodes.disk_gib
    for machine in stack.of(INSTANCE):
        disk = (machine.inputs.get("bootDisk") or {}).get("initializeParams") or {}
        have["instances"] += 1
        have[f"GB {disk.get('type')}"] += float(disk.get("size") or 0)
    return have


def gpus(stack: ResourceGraph) -> list[Need]:
    """The quotas of GPUs by their model; one that is not in the table is guessed."""
    rows = {(row.accelerator, row.purchase): row for row in read(HERE / "gcp_gpu_quotas.csv", GpuQuotaRow)}
    found: Counter[tuple[str, Market]] = Counter()
    for pool in stack.of(GKE_POOL):
        config = pool.inputs.get("nodeConfig") or {}
        for accelerator, count in _gpus(config).items():
            found[accelerator, _purchase(config)] += _most_nodes(pool) * count
    return [_gpu_need(rows.get((model, bought)), model, count) for (model, bought), count in found.items()]


def _gpu_need(row: GpuQuotaRow | None, accelerator: str, count: float) -> Need:
    if row is None:
        return Need("family", (accelerator,), count, verified=False)
    verified = row.basis != "unverified"
    return Need("family" if row.family else "region", (row.family or row.metric,), count, verified)


def _purchase(config: Mapping[str, Any]) -> Market:
    """Whose quota a node pool takes: flex-start that of preemptible ones, as spot does."""
    return "spot" if config.get("spot") is True or config.get("flexStart") is True else "on-demand"


def _gpus(config: Mapping[str, Any]) -> Counter[str]:
    """The GPUs of a node by their model."""
    found: Counter[str] = Counter()
    for accelerator in config.get("guestAccelerators") or ():
        found[str(accelerator.get("type"))] += int(accelerator.get("count") or 0)
    return found


def _most_nodes(pool: Resource) -> int:
    """The most nodes of a GKE pool: its limits are for each zone, unless they are `total…`."""
    scaling = pool.inputs.get("autoscaling") or {}
    if scaling.get("totalMaxNodeCount"):
        return int(scaling["totalMaxNodeCount"])
    zones = len(pool.inputs.get("nodeLocations") or ()) or 1
    return int(scaling.get("maxNodeCount") or pool.inputs.get("nodeCount") or 0) * zones
