"""Sites: what a stack has in one region of one cloud, top to bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from infra import contracts


@dataclass(frozen=True)
class Site:
    """What a stack has in one region, or on premises: where workloads run, and where their data is.

    `registry` is the host (on Google with the project) of the account's own images in the region. `node_configs` are
    what nodes on premises join the cluster with, by pool. `tunnel` is the command that opens the way to the API server
    through the jump host, None without one.
    """

    cluster: contracts.GpuCluster
    lake: contracts.Lake
    registry: pulumi.Input[str]
    node_configs: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    tunnel: pulumi.Output[str] | None = None
