"""What a stack needs of a Google project, counted from what the program registers, its pools grown to their maximum."""

from __future__ import annotations

from collections import Counter
from datetime import date

from commands.preflight.needs import HERE
from infra.catalog.tables import Basis, Row, read
from infra.pricing.nodes import GKE_POOL
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.purchase import Market


class GcpQuotaRow(Row):
    """A quota of Compute Engine by accelerator type and purchase; `family` is the dimension gpu_family of those that
    have one."""

    accelerator: str
    purchase: Market
    metric: str
    family: str
    basis: Basis


def gpus(stack: ResourceGraph) -> list[tuple[GcpQuotaRow, float]]:
    """Google's GPU quotas with the GPUs that the stack's pools grow to; a quota that is not in the table is guessed."""
    rows = {(row.accelerator, row.purchase): row for row in read(HERE / "gcp_quotas.csv", GcpQuotaRow)}
    found: Counter[tuple[str, str]] = Counter()
    for pool in stack.of(GKE_POOL):
        config = pool.inputs.get("nodeConfig") or {}
        # Flex-start takes the preemptible quota, as spot does.
        purchase = "spot" if config.get("spot") is True or config.get("flexStart") is True else "on-demand"
        for accelerator in config.get("guestAccelerators") or ():
            found[str(accelerator.get("type")), purchase] += _most_gke(pool) * int(
                accelerator.get("count") or 0
            )
    return [(rows.get(key) or _guessed(*key), count) for key, count in found.items()]


def _most_gke(pool: Resource) -> int:
    """The most nodes of a GKE pool: its limits are for each zone, unless they are `total…`."""
    scaling = pool.inputs.get("autoscaling") or {}
    if scaling.get("totalMaxNodeCount"):
        return int(scaling["totalMaxNodeCount"])
    zones = len(pool.inputs.get("nodeLocations") or ()) or 1
    return int(scaling.get("maxNodeCount") or pool.inputs.get("nodeCount") or 0) * zones


def _guessed(accelerator: str, purchase: str) -> GcpQuotaRow:
    return GcpQuotaRow(
        accelerator=accelerator,
        purchase="spot" if purchase == "spot" else "on-demand",
        metric="GPUS_PER_GPU_FAMILY",
        family=accelerator,
        basis="unverified",
        as_of=date(2026, 11, 24),
        source="not in the table",
    )
