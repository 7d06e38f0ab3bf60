"""The training job that the settings ask for."""

from dataclasses import replace

import pulumi

from infra.contracts.cluster import GpuCluster
from infra.contracts.site import Sites
from infra.settings.workloads import Training
from workloads.training.component import TrainingJob, TrainingJobArgs
from workloads.training.needs import NEEDS
from workloads.workload import Workload


def build(settings: Training, sites: Sites) -> None:
    """The job, where its pool is."""
    site = sites.with_pool(settings.pool)
    TrainingJob(
        settings.name,
        TrainingJobArgs(
            cluster=_after(site.cluster, sites.proofs.get(settings.pool)),
            pool=settings.pool,
            nodes=settings.nodes,
            gpus_per_node=settings.gpus_per_node,
            image=site.image(settings.image),
            checkpoint_uri=pulumi.Output.concat(site.lake["checkpoints"].uri, "/jobs/", settings.name),
            endpoint=site.lake.endpoint,
        ),
    )


def _after(cluster: GpuCluster, proof: pulumi.Resource | None) -> GpuCluster:
    """Nobody trains for days on a fabric that is slow; and the proof must have the nodes first."""
    return replace(cluster, platform=[*cluster.platform, proof]) if proof else cluster


WORKLOAD = Workload(NEEDS, build)
