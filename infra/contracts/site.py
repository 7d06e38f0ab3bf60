"""Sites: what a stack has in one region of one cloud, or on premises, as workloads see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi

from infra.contracts.cluster import GpuCluster
from infra.contracts.images import from_mirror
from infra.contracts.lake import Lake
from infra.contracts.needs import Place, WorkloadNeeds
from infra.settings.workloads.workload import OWN_REGISTRY


@dataclass(frozen=True)
class Service:
    """A service that one workload of a site has for the pods of others, inside the cluster."""

    url: str
    namespace: str
    port: int
    """Of its pods, which is what network policies see."""


@dataclass(frozen=True)
class Site:
    """What a stack has in one region, or on premises: where workloads run, and where their data is.

    `registry` is the host (on Google with the project) of the account's own images in the region. `node_configs` are
    what nodes on premises join the cluster with, by pool. `tunnel` is the command that opens the way to the API server
    through the jump host, None without one.
    """

    cluster: GpuCluster
    lake: Lake
    registry: pulumi.Input[str]
    node_configs: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    tunnel: pulumi.Output[str] | None = None
    services: dict[str, Service] = field(default_factory=dict)
    """What its workloads have for each other, by the name of the workload that adds it: the registry has that before
    those that use it."""

    def image(self, reference: str) -> pulumi.Input[str]:
        """The image that a setting names: in the site's own registry where it says so, else in its upstream's
        mirror."""
        registry, own, rest = reference.partition(OWN_REGISTRY)
        if own and not registry:
            return pulumi.Output.concat(self.registry, rest)
        return from_mirror(reference, self.cluster.mirrors)


@dataclass(frozen=True)
class Sites:
    """The sites of a stack by their place (`aws`, `gcp`, `onPremises`)."""

    by_place: Mapping[str, Site]
    proofs: dict[str, pulumi.Resource] = field(default_factory=dict)
    """What has to pass before a job of days begins on a pool, by the pool's name. A workload that proves pools adds to
    it; the registry has it before those that wait."""
    gates: dict[str, Callable[[Any], pulumi.Resource]] = field(default_factory=dict)
    """What has to pass before a server is rolled out, by the server's name: makes it of the arguments of the server's
    component. A workload that judges servers adds to it; the registry has it before those that wait."""
    usd_inr: float = 0.0
    """Rupees for a dollar."""

    def with_pool(self, pool: str) -> Site:
        """Where a pool is; the settings refuse a workload on a pool that is nowhere."""
        return next(site for site in self.by_place.values() if pool in site.cluster.pools)

    def of(self, needs: WorkloadNeeds) -> Mapping[str, Site]:
        """Those that the workload may run on."""
        return {place: site for place, site in self.by_place.items() if place in needs.runs_on}

    def in_cloud(self, cloud: Place | None, needs: WorkloadNeeds) -> Site:
        """The one of a cloud; None is the only one that the workload may run on."""
        here = self.of(needs)
        return here[cloud] if cloud else next(iter(here.values()))
