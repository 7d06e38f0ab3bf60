"""ComputeClass: the order in which GKE's autoscaler tries the node pools of a chain.

A class reaches node pools that carry its name as a label and as a taint, and pods that select the label. Fields: GKE's
reference of the ComputeClass CRD (read 2026-11-24).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra.contracts.labels import GKE_COMPUTE_CLASS, NO_SCHEDULE

API = "cloud.google.com/v1"


def spec(node_pools: Sequence[str]) -> dict[str, Any]:
    """The spec of a ComputeClass of these node pools alone, in the order in which they are tried."""
    return {
        "priorities": [{"nodepools": [name]} for name in node_pools],
        "nodePoolAutoCreation": {"enabled": False},
        # A job is not moved back to spot when there is some again: it would lose work at a time that nobody chose.
        "activeMigration": {"optimizeRulePriority": False},
        "whenUnsatisfiable": "DoNotScaleUp",
    }


def taint(name: str) -> dict[str, str]:
    """The taint on the nodes of a class, which keeps other pods off them."""
    return {"key": GKE_COMPUTE_CLASS, "value": name, "effect": NO_SCHEDULE}


def toleration(name: str) -> dict[str, str]:
    """The toleration of that taint, for pods of the class. GKE adds it by itself, other schedulers don't."""
    return {"key": GKE_COMPUTE_CLASS, "operator": "Equal", "value": name, "effect": NO_SCHEDULE}
