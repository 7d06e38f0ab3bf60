"""Grants: what people may do with which part of the lake, and which Kubernetes groups they are, on any cloud.

What a workload may do is in its own `needs.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Right = Literal["read", "add", "write", "prune"]


@dataclass(frozen=True)
class Grant:
    """A right to the objects of one bucket below `prefix` (`jobs/`; empty for all).

    `read` gets objects; `add` puts them and sees none; `write` does both; `prune` also deletes them, which can be
    undone until the lifecycle erases the old version.
    """

    bucket: str
    right: Right
    prefix: str = ""


@dataclass(frozen=True)
class ServiceAccount:
    """A Kubernetes service account."""

    namespace: str
    name: str


HUMANS: Mapping[str, Sequence[Grant]] = MappingProxyType(
    {
        "data-engineer": (
            Grant("raw", "read"),
            Grant("raw", "write", "landing/"),
            Grant("curated", "prune"),
            Grant("features", "prune"),
        ),
        "ml-engineer": (
            Grant("curated", "read"),
            Grant("features", "read"),
            Grant("models", "read"),
            Grant("models", "write", "released/"),
            Grant("checkpoints", "read"),
            Grant("checkpoints", "prune", "experiments/"),
        ),
        "auditor": (Grant("audit", "read"), Grant("access-logs", "read")),
    }
)
# Kubernetes groups of the people's roles; platform's RBAC binds them.
DATA_ENGINEERS = "data-engineers"
ML_ENGINEERS = "ml-engineers"
AUDITORS = "auditors"
KUBERNETES_GROUPS: Mapping[str, str] = MappingProxyType(
    {"data-engineer": DATA_ENGINEERS, "ml-engineer": ML_ENGINEERS, "auditor": AUDITORS}
)
