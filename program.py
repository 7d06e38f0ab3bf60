"""The platform of a stack, top to bottom: settings in, platform out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pulumi

from infra import advice, catalog, settings
from infra.catalog.fabric_floors import check_floors
from infra.contracts.cluster import GpuCluster
from infra.platform.images import from_mirror
from infra.pricing.budget import Budget
from infra.protection import protect_clusters
from infra.settings.credentials import store_credentials
from infra.settings.placeholders import placeholders
from infra.settings.workloads import OWN_REGISTRY, Proof, Serving, Workloads
from infra.sites import Site, aws, gcp, on_premises
from workloads.proof.component import (
    FabricProof,
    FabricProofArgs,
    FabricProofTemplate,
    LakeProof,
    LakeProofArgs,
    fabric_pools,
)
from workloads.serving.component import IMAGE, ModelServer, ModelServerArgs
from workloads.training.component import TrainingJob, TrainingJobArgs


def run() -> None:
    """Read the running stack's settings, refuse what is wrong in them, and make everything they ask for."""
    said = settings.load(pulumi.Config(), catalog.check_offered, advice.check_fits, check_floors)
    _warn(said)
    site = said.on_premises
    credentials = store_credentials() if site and site.store else None
    protect_clusters(said)
    Budget("budget", said)
    sites = {}
    if said.aws:
        sites["aws"] = aws.site(said, said.aws)
    if said.gcp:
        sites["gcp"] = gcp.site(said, said.gcp)
    if site:
        sites["onPremises"] = on_premises.site(said, site, sites["aws"], credentials)
    run_workloads(said.workloads, sites)
    for place, made in sites.items():
        export(place, made)


def _warn(read: settings.Settings) -> None:
    """Say what a stack may ask for and its owner may not mean."""
    for path, address in placeholders(read).items():
        pulumi.log.warn(f"{path}: {address} is a placeholder: mail to it reaches nobody; put in your own")
    for cloud in filter(None, (read.aws, read.gcp)):
        for pool in cloud.cluster.pools:
            if pool.stands_on_spot:
                pulumi.log.warn(
                    f"pool {pool.name} stands on spot: while spot has too few of its machines, the update fails; "
                    "elastic: true waits for them instead, minNodes: 0 for you"
                )


def run_workloads(asked: Workloads, sites: Mapping[str, Site]) -> None:
    """The proofs, the training job and the model server that the settings ask for, each where its pool is."""
    proofs = prove(asked.proof, sites) if asked.proof else {}
    if train := asked.training:
        site = _site_of(train.pool, sites)
        TrainingJob(
            train.name,
            TrainingJobArgs(
                cluster=_after(site.cluster, proofs.get(train.pool)),
                pool=train.pool,
                nodes=train.nodes,
                gpus_per_node=train.gpus_per_node,
                image=_image(train.image, site),
                checkpoint_uri=pulumi.Output.concat(site.lake["checkpoints"].uri, "/jobs/", train.name),
                endpoint=site.lake.endpoint,
            ),
        )
    if serve := asked.serving:
        pulumi.export("modelServerUrl", _serve(serve, _site_of(serve.pool, sites)).url)


def _serve(asked: Serving, site: Site) -> ModelServer:
    """The model server; what nobody could check about it is told."""
    if unchecked := advice.unchecked(asked):
        pulumi.log.warn(f"workloads.serving: {unchecked}")
    return ModelServer(
        asked.name,
        ModelServerArgs(
            cluster=site.cluster,
            pool=asked.pool,
            model=asked.model,
            replicas=asked.replicas,
            gpus=asked.gpus,
            image=_image(asked.image or IMAGE, site),
            max_model_len=asked.max_model_len,
            quantization=asked.quantization,
            vllm_args=asked.engine_args,
        ),
    )


def _image(reference: str, site: Site) -> pulumi.Input[str]:
    """The image that a setting names: in the site's own registry where it says so, else in its upstream's mirror."""
    registry, own, rest = reference.partition(OWN_REGISTRY)
    if own and not registry:
        return pulumi.Output.concat(site.registry, rest)
    return from_mirror(reference, site.cluster.mirrors)


def _after(cluster: GpuCluster, proof: FabricProof | None) -> GpuCluster:
    """Nobody trains for days on a fabric that is slow; and the proof must have the nodes first."""
    return replace(cluster, platform=[*cluster.platform, proof]) if proof else cluster


def prove(asked: Proof, sites: Mapping[str, Site]) -> dict[str, FabricProof]:
    """The proofs of every pool with a fabric, and of each cloud's lake: a store on premises knows none of the
    identities whose limits are proved. Those that the update waits for are returned, by the pool's name."""
    proofs = {}
    for cloud in sites.keys() - {"onPremises"}:
        site = sites[cloud]
        evidence = pulumi.Output.concat(site.lake["audit"].uri, "/evidence/", site.cluster.name)
        for pool in fabric_pools(site.cluster):
            given = FabricProofArgs(
                cluster=site.cluster,
                pool=pool.name,
                image=_image(asked.image, site),
                dcgm_image=_image(asked.dcgm_image, site),
                evidence_uri=evidence,
                nodes=asked.nodes,
                floor_gbs=asked.floor_gbs.get(pool.name),
            )
            if pool.standing is None:
                FabricProofTemplate(f"nccl-test-{pool.name}", given)
                continue
            proofs[pool.name] = FabricProof(f"nccl-test-{pool.name}", given)
        if (key := site.lake["checkpoints"].key) is not None:
            LakeProof(f"lake-test-{cloud}", _lake_proof(asked, site, key, evidence))
    return proofs


def _lake_proof(
    asked: Proof, site: Site, key: pulumi.Output[str], evidence: pulumi.Output[str]
) -> LakeProofArgs:
    """What the proof's own account may do is below `proof/`; everywhere else in the lake it must be refused."""
    data = {role: bucket for role, bucket in site.lake.buckets.items() if role != "checkpoints"}
    checkpoints = site.lake["checkpoints"].uri
    return LakeProofArgs(
        cluster=site.cluster,
        image=_image(asked.image, site),
        uri=pulumi.Output.concat(checkpoints, "/proof"),
        key=key,
        refused_uris=[pulumi.Output.concat(checkpoints, "/jobs"), *(bucket.uri for bucket in data.values())],
        evidence_uri=evidence,
    )


def _site_of(pool: str, sites: Mapping[str, Site]) -> Site:
    """Where a pool is; the settings refuse a workload on a pool that is nowhere."""
    return next(site for site in sites.values() if pool in site.cluster.pools)


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
