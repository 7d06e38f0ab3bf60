"""ComputeClass: the order in which GKE's autoscaler tries the node pools of a chain.

A class reaches node pools that carry its name as a label and as a taint, and pods that select the label. Fields: GKE's
reference of the ComputeClass CRD (read 2026-11-24).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra.contracts.labels import GKE_COMPUTE_CLASS

API = "cloud.google.com/v1"


def spec(node_pools: Sequence[str]) -> dict[str, Any]:
    """A class of these node pools, the one to try first first, and of no other."""
    return {
        "priorities": [{"nodepools": [name]} for name in node_pools],
        "nodePoolAutoCreation": {"enabled": False},
        # A job is not moved back to spot when there is some again: it would lose work at a time that nobody chose.
        "activeMigration": {"optimizeRulePriority": False},
        "whenUnsatisfiable": "DoNotScaleUp",
    }


def taint(name: str) -> dict[str, str]:
    """What keeps pods of other classes off its nodes, in Kubernetes' spelling."""
    return {"key": GKE_COMPUTE_CLASS, "value": name, "effect": "NoSchedule"}


def toleration(name: str) -> dict[str, str]:
    """What its pods say to that. GKE adds it by itself; others that place our pods don't."""
    return {"key": GKE_COMPUTE_CLASS, "operator": "Equal", "value": name, "effect": "NoSchedule"}
