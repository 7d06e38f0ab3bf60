"""Sites: what a stack has in one region of one cloud, top to bottom."""

from __future__ import annotations

from dataclasses import dataclass

from infra import interfaces


@dataclass(frozen=True)
class Site:
    """What a stack has in one region: where workloads run, and where their data is."""

    cluster: interfaces.GpuCluster
    lake: interfaces.Lake
