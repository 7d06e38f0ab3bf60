"""The platform of a stack, top to bottom: settings in, platform out."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from infra.catalog.resolved import resolver
from infra.contracts.site import Site, Sites
from infra.pricing.budget import Budget
from infra.protection import protect_clusters
from infra.settings import reading
from infra.settings.credentials import store_credentials
from infra.settings.placeholders import placeholders
from infra.settings.stack import Settings
from infra.sites import aws, gcp, on_premises
from workloads import registry
from workloads.workload import Workload


def run(workloads: Sequence[Workload] = registry.WORKLOADS) -> None:
    """Read the running stack's settings, refuse what is wrong in them, and make everything they ask for."""
    resolve = resolver()
    stack_settings = reading.load(pulumi.Config(), *registry.checks(workloads, resolve))
    _warn(stack_settings)
    site = stack_settings.on_premises
    credentials = store_credentials() if site and site.store else None
    protect_clusters(stack_settings)
    Budget("budget", stack_settings)
    needs = registry.needs_of(stack_settings, workloads)
    places: dict[str, Site] = {}
    if stack_settings.aws:
        pools = [resolve(stack_settings.aws.region, pool) for pool in stack_settings.aws.cluster.pools]
        places["aws"] = aws.site(stack_settings, stack_settings.aws, pools, needs)
    if stack_settings.gcp:
        pools_there = [resolve(stack_settings.gcp.region, pool) for pool in stack_settings.gcp.cluster.pools]
        places["gcp"] = gcp.site(stack_settings, stack_settings.gcp, pools_there, needs)
    if site:
        places["onPremises"] = on_premises.site(stack_settings, site, places["aws"], credentials, needs)
    registry.build(stack_settings, Sites(places, usd_inr=stack_settings.currency.usd_inr), workloads)
    for place, made in places.items():
        export(place, made)


def _warn(read: Settings) -> None:
    """Say what a stack may ask for and its owner may not mean."""
    for path, address in placeholders(read).items():
        pulumi.log.warn(f"{path}: {address} is a placeholder: mail to it reaches nobody; put in your own")
    for cloud in filter(None, (read.aws, read.gcp)):
        for pool in cloud.cluster.pools:
            if pool.static_on_spot:
                pulumi.log.warn(
                    f"pool {pool.name} stands on spot: while spot has too few of its machines, the update fails; "
                    "elastic: true waits for them instead, minNodes: 0 for you"
                )


# What a stack's outputs are called, by where they are; on premises there is no cluster but the cloud's.
OUTPUTS = {
    "aws": ("cluster", "buckets"),
    "gcp": ("gcpCluster", "gcpBuckets"),
    "onPremises": (None, "onPremisesBuckets"),
}
TUNNELS = {"aws": "tunnel", "gcp": "gcpTunnel"}


def export(place: str, site: Site) -> None:
    """The names of a site's cluster and buckets, the way to its API server, and what nodes on premises join with."""
    cluster, buckets = OUTPUTS[place]
    if cluster:
        pulumi.export(cluster, site.cluster.name)
    pulumi.export(buckets, {role: bucket.name for role, bucket in site.lake.buckets.items()})
    if site.node_configs:
        pulumi.export("nodeConfigs", dict(site.node_configs))
    if site.tunnel is not None:
        pulumi.export(TUNNELS[place], site.tunnel)
