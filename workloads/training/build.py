"""The training job that the settings ask for."""

from dataclasses import replace
from pathlib import Path

import pulumi

from infra.contracts.burst import Burst
from infra.contracts.cluster import GpuCluster, Pool
from infra.contracts.site import Sites
from infra.settings.workloads.training import LAKE_BUCKETS, Training
from workloads.tracking.needs import NAME as TRACKING
from workloads.training.needs import NEEDS
from workloads.training.operators import needs_for
from workloads.training.recipe import check_recipe, recipe
from workloads.workload import Program, Workload


def build(settings: Training, sites: Sites) -> None:
    """The job, where its pool is."""
    # The SDK of Kubernetes, which only who builds waits for.
    from workloads.training.component import TrainingJob
    from workloads.training.pod import TrainingJobArgs

    site = sites.with_pool(settings.pool)
    pool = site.cluster.pools[settings.pool]
    tracking = None if settings.tracking.mlflow_uri else site.services.get(TRACKING)
    args = TrainingJobArgs(
        cluster=_after(site.cluster, sites.proofs.get(settings.pool)),
        pool=settings.pool,
        nodes=settings.nodes,
        gpus_per_node=settings.gpus_per_node,
        image=site.image(settings.image),
        recipe=recipe(settings, pool, sites.usd_inr, tracking.url if tracking else None),
        words={f"{{{role}}}": site.lake[role].uri for role in LAKE_BUCKETS},
        checkpoint_uri=pulumi.Output.concat(site.lake["checkpoints"].uri, "/jobs/", settings.name),
        endpoint=site.lake.endpoint,
        runner=settings.runner,
        recovery=settings.recovery,
        tracking=tracking,
        code_commit=settings.code_commit,
    )
    TrainingJob(settings.name, args)
    if again := settings.retraining:
        from workloads.training.retraining import RetrainingTemplate, rupees

        inr = rupees(pool, settings.nodes, again.hours, sites.usd_inr)
        RetrainingTemplate(f"{settings.name}-retrain", args, again.data, again.hours, inr)


def _burst(settings: Training, pool: Pool, usd_inr: float) -> Burst:
    from workloads.training.burst import burst

    return burst(settings, pool, usd_inr)


def _after(cluster: GpuCluster, proof: pulumi.Resource | None) -> GpuCluster:
    """Nobody trains for days on a fabric that is slow; and the proof must have the nodes first."""
    return replace(cluster, platform=[*cluster.platform, proof]) if proof else cluster


PROGRAM = Program(Path(__file__).with_name("requirements.txt"), "trainer.reproduce")
WORKLOAD = Workload(NEEDS, build, needs_for, (check_recipe,), _burst, PROGRAM)
