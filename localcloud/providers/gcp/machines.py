"""GKE's words for machines, GPUs and zones, and the catalogue's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from infra.contracts.labels import EFFECTS, GKE_ACCELERATOR, GPU_TAINT

if TYPE_CHECKING:
    from infra.catalog.machines import Machine

DEFAULT_MACHINE = "e2-medium"
# Compute Engine's accelerator types (the GPU page of its documentation), and the catalogue's names.
GPUS = {
    "nvidia-tesla-t4": "T4",
    "nvidia-l4": "L4",
    "nvidia-h100-80gb": "H100",
    "nvidia-h200-141gb": "H200",
    "nvidia-rtx-pro-6000": "RTX PRO 6000",
}


class MachineNotOfferedError(Exception):
    """The region has no such machine, or the machine no such GPU."""


def region_of(location: str) -> str:
    """The region of a zone (`asia-south1-b`), or the region itself."""
    return re.sub(r"-[a-z]$", "", location)


def zones_of(location: str, node_locations: list[str] | None) -> list[str]:
    """The zones of a pool: those that it names, the one zone where it is, or all of its region."""
    from infra import geography

    if node_locations:
        return sorted(node_locations)
    if region_of(location) != location:
        return [location]
    return list(geography.region(location).zones)


def machine_of(node_config: Mapping[str, Any], region: str) -> Machine:
    """The machine that a pool's nodes are, with its GPUs.

    Raises:
        MachineNotOfferedError: in the catalogue's words.
    """
    from infra import geography
    from infra.catalog.machines import machine
    from infra.catalog.tables import CatalogError

    machine_type = node_config.get("machineType") or DEFAULT_MACHINE
    asked = accelerator(node_config)
    if asked and machine_type.startswith("n1-"):
        machine_type += f"+{asked['count']}x{GPUS.get(asked['type'], asked['type'])}"
    try:
        return machine(region, machine_type)
    except (CatalogError, geography.UnknownRegionError) as unknown:
        raise MachineNotOfferedError(str(unknown)) from unknown


def accelerator(node_config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first accelerator of a node config; None where it has no GPU."""
    asked = [each for each in node_config.get("guestAccelerators") or () if each.get("count")]
    return asked[0] if asked else None


def purchase_of(node_config: Mapping[str, Any]) -> str:
    """How nodes of a node config are bought, spot or on-demand."""
    return "spot" if node_config.get("spot") or node_config.get("preemptible") else "on-demand"


def labels_of(node_config: Mapping[str, Any], machine: Machine) -> dict[str, str]:
    """A pool's labels, and those that GKE gives its nodes for their GPUs and for how they are bought."""
    labels = {**(node_config.get("labels") or {}), "cloud.google.com/gke-provisioning": "standard"}
    if node_config.get("spot"):
        labels |= {"cloud.google.com/gke-spot": "true", "cloud.google.com/gke-provisioning": "spot"}
    if node_config.get("flexStart"):
        labels["cloud.google.com/gke-flex-start"] = "true"
    if machine.gpu_count:
        asked = accelerator(node_config)
        kind = asked["type"] if asked else {name: kind for kind, name in GPUS.items()}[machine.gpu]
        labels |= {
            GKE_ACCELERATOR: kind,
            "cloud.google.com/gke-accelerator-count": str(machine.gpu_count),
        }
    return labels


def taints_of(node_config: Mapping[str, Any], machine: Machine) -> list[dict[str, str]]:
    """A pool's taints in Kubernetes' spelling. GKE taints nodes with GPUs, unless the pool does so itself."""
    taints = [
        {"key": taint["key"], "value": taint.get("value") or "", "effect": EFFECTS[taint["effect"]]}
        for taint in node_config.get("taints") or ()
    ]
    if machine.gpu_count and all(taint["key"] != GPU_TAINT["key"] for taint in taints):
        taints.append(GPU_TAINT)
    return taints
