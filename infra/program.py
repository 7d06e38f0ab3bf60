"""The platform of a stack, top to bottom: settings in, platform out."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from infra import catalog, settings
from infra.budget import Budget
from infra.settings.credentials import store_credentials
from infra.settings.workloads import Workloads
from infra.sites import Site, aws, gcp, on_premises
from workloads.serving.component import ModelServer, ModelServerArgs
from workloads.training.component import TrainingJob, TrainingJobArgs


def run() -> None:
    """Read the running stack's settings, refuse what is wrong in them, and make everything they ask for."""
    said = settings.load(pulumi.Config(), catalog.check_offered)
    site = said.on_premises
    credentials = store_credentials() if site and site.store else None
    Budget("budget", said)
    sites = {}
    if said.aws:
        sites["aws"] = aws.site(said, said.aws)
    if said.gcp:
        sites["gcp"] = gcp.site(said, said.gcp)
    if site:
        sites["onPremises"] = on_premises.site(said, site, sites["aws"], credentials)
    run_workloads(said.workloads, list(sites.values()))
    for place, made in sites.items():
        export(place, made)


def run_workloads(asked: Workloads, sites: Sequence[Site]) -> None:
    """The training job and the model server that the settings ask for, each where its pool is."""
    if train := asked.training:
        site = _site_of(train.pool, sites)
        TrainingJob(
            train.name,
            TrainingJobArgs(
                cluster=site.cluster,
                pool=train.pool,
                nodes=train.nodes,
                gpus_per_node=train.gpus_per_node,
                image=train.image,
                checkpoint_uri=pulumi.Output.concat(site.lake["checkpoints"].uri, "/jobs/", train.name),
                endpoint=site.lake.endpoint,
            ),
        )
    if serve := asked.serving:
        server = ModelServer(
            serve.name,
            ModelServerArgs(
                cluster=_site_of(serve.pool, sites).cluster,
                pool=serve.pool,
                model=serve.model,
                replicas=serve.replicas,
                gpus=serve.gpus,
            ),
        )
        pulumi.export("modelServerUrl", server.url)


def _site_of(pool: str, sites: Sequence[Site]) -> Site:
    """Where a pool is; the settings refuse a workload on a pool that is nowhere."""
    return next(site for site in sites if pool in site.cluster.pools)


# What a stack's outputs are called, by where they are; on premises there is no cluster but the cloud's.
OUTPUTS = {
    "aws": ("cluster", "buckets"),
    "gcp": ("gcpCluster", "gcpBuckets"),
    "onPremises": (None, "onPremisesBuckets"),
}


def export(place: str, site: Site) -> None:
    """The names of a site's cluster and buckets, and what nodes on premises join with."""
    cluster, buckets = OUTPUTS[place]
    if cluster:
        pulumi.export(cluster, site.cluster.name)
    pulumi.export(buckets, {role: bucket.name for role, bucket in site.lake.buckets.items()})
    if site.node_configs:
        pulumi.export("nodeConfigs", dict(site.node_configs))
