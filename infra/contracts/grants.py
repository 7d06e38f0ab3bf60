"""Grants: what people may do with which part of the lake, and which Kubernetes groups they are, on any cloud.

What a workload may do is in its own `needs.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

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


# The roles of people.
DATA_ENGINEER, ML_ENGINEER, AUDITOR = "data-engineer", "ml-engineer", "auditor"
HUMANS: Mapping[str, Sequence[Grant]] = MappingProxyType(
    {
        DATA_ENGINEER: (
            Grant("raw", "read"),
            Grant("raw", "write", "landing/"),
            Grant("curated", "prune"),
            Grant("features", "prune"),
        ),
        ML_ENGINEER: (
            Grant("curated", "read"),
            Grant("features", "read"),
            Grant("models", "read"),
            Grant("models", "write", "released/"),
            Grant("checkpoints", "read"),
            Grant("checkpoints", "prune", "experiments/"),
        ),
        AUDITOR: (Grant("audit", "read"), Grant("access-logs", "read")),
    }
)
# Kubernetes groups of the people's roles; platform's RBAC binds them.
DATA_ENGINEERS = "data-engineers"
ML_ENGINEERS = "ml-engineers"
AUDITORS = "auditors"
KUBERNETES_GROUPS: Mapping[str, str] = MappingProxyType(
    {DATA_ENGINEER: DATA_ENGINEERS, ML_ENGINEER: ML_ENGINEERS, AUDITOR: AUDITORS}
)


class People(Protocol):
    """Who has which role, as the settings of a cloud list them."""

    @property
    def data_engineers(self) -> list[str]:
        """The names of those who prepare data."""
        ...

    @property
    def ml_engineers(self) -> list[str]:
        """The names of those who train and serve models."""
        ...

    @property
    def auditors(self) -> list[str]:
        """The names of those who read the audit trail."""
        ...


def by_role(people: People) -> dict[str, list[str]]:
    """The people of each role."""
    return {
        DATA_ENGINEER: people.data_engineers,
        ML_ENGINEER: people.ml_engineers,
        AUDITOR: people.auditors,
    }
