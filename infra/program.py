"""The platform of a stack, top to bottom: settings in, platform out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pulumi

from infra import catalog, settings
from infra.budget import Budget
from infra.interfaces import GpuCluster
from infra.settings.workloads import Proof, Workloads
from infra.sites import Site, aws, gcp
from workloads.proof.component import FabricProof, FabricProofArgs, LakeProof, LakeProofArgs, fabric_pools
from workloads.proof.floors import check_floors
from workloads.serving.component import ModelServer, ModelServerArgs
from workloads.training.component import TrainingJob, TrainingJobArgs


def run() -> None:
    """Read the running stack's settings, refuse what is wrong in them, and make everything they ask for."""
    said = settings.load(pulumi.Config(), catalog.check_offered, check_floors)
    Budget("budget", said)
    sites = []
    if said.aws:
        sites.append(aws.site(said, said.aws))
    if said.gcp:
        sites.append(gcp.site(said, said.gcp))
    run_workloads(said.workloads, sites)
    for site in sites:
        export(site)


def run_workloads(asked: Workloads, sites: Sequence[Site]) -> None:
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
                image=train.image,
                checkpoint_uri=pulumi.Output.concat(site.lake["checkpoints"].uri, "/jobs/", train.name),
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


def _after(cluster: GpuCluster, proof: FabricProof | None) -> GpuCluster:
    """Nobody trains for days on a fabric that is slow; and the proof must have the nodes first."""
    return replace(cluster, platform=[*cluster.platform, proof]) if proof else cluster


def prove(asked: Proof, sites: Sequence[Site]) -> dict[str, FabricProof]:
    """The proofs of every pool with a fabric, by the pool's name, and of every site's lake."""
    proofs = {}
    for site in sites:
        evidence = pulumi.Output.concat(site.lake["audit"].uri, "/evidence/", site.cluster.name)
        for pool in fabric_pools(site.cluster):
            given = FabricProofArgs(
                cluster=site.cluster,
                pool=pool.name,
                image=asked.image,
                dcgm_image=asked.dcgm_image,
                evidence_uri=evidence,
                nodes=asked.nodes,
                floor_gbs=asked.floor_gbs.get(pool.name),
            )
            proofs[pool.name] = FabricProof(f"nccl-test-{pool.name}", given)
        if (key := site.lake["checkpoints"].key) is not None:
            LakeProof(f"lake-test-{site.cluster.cloud}", _lake_proof(asked, site, key, evidence))
    return proofs


def _lake_proof(
    asked: Proof, site: Site, key: pulumi.Output[str], evidence: pulumi.Output[str]
) -> LakeProofArgs:
    """What the proof's own account may do is below `proof/`; everywhere else in the lake it must be refused."""
    data = {role: bucket for role, bucket in site.lake.buckets.items() if role != "checkpoints"}
    checkpoints = site.lake["checkpoints"].uri
    return LakeProofArgs(
        cluster=site.cluster,
        image=asked.image,
        uri=pulumi.Output.concat(checkpoints, "/proof"),
        key=key,
        refused_uris=[pulumi.Output.concat(checkpoints, "/jobs"), *(bucket.uri for bucket in data.values())],
        evidence_uri=evidence,
    )


def _site_of(pool: str, sites: Sequence[Site]) -> Site:
    """Where a pool is; the settings refuse a workload on a pool that is nowhere."""
    return next(site for site in sites if pool in site.cluster.pools)


def export(site: Site) -> None:
    """The names of a site's cluster and buckets: `cluster` and `buckets` on AWS, `gcpCluster` and `gcpBuckets`."""
    cluster, buckets = ("cluster", "buckets") if site.cluster.cloud == "aws" else ("gcpCluster", "gcpBuckets")
    pulumi.export(cluster, site.cluster.name)
    pulumi.export(buckets, {role: bucket.name for role, bucket in site.lake.buckets.items()})
