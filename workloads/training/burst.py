"""The training job on rented machines: the same program and recipe, without a cluster."""

from __future__ import annotations

import shlex

from infra.contracts.burst import FIRST_NODE, Burst
from infra.contracts.cluster import Pool
from infra.settings.workloads.training import Training
from workloads.kubernetes import rendezvous
from workloads.training.job import STOPPED_EXIT_CODE
from workloads.training.pod import DIRECTORY, RECIPE, files, save_seconds
from workloads.training.recipe import recipe


def burst(settings: Training, pool: Pool, usd_inr: float) -> Burst:
    """The trainer on each node. Its checkpoints are in a folder of their own: two jobs may not write to one."""
    flags = rendezvous.flags(settings.name, nodes=settings.nodes, gpus_per_node=settings.gpus_per_node)
    saves = f"--shutdown-timeout={save_seconds(pool.grace_seconds)}"
    trainer = ["--recipe", RECIPE, "--checkpoint-uri", f"{{checkpoints}}/jobs/{settings.name}-burst"]
    words = shlex.join(["python", "-m", "trainer.launch", *flags, saves])
    meet = f'--rdzv-endpoint="${FIRST_NODE}:{rendezvous.PORT}"'
    return Burst(
        name=settings.name,
        image=settings.image,
        command=f"{words} {meet} -- {shlex.join(trainer)}",
        gpus=settings.gpus_per_node,
        nodes=settings.nodes,
        environment={"PYTHONPATH": DIRECTORY, "PYTHONUNBUFFERED": "1"},
        files={**files(), RECIPE: recipe(settings, pool, usd_inr)},
        directory=DIRECTORY,
        writes="checkpoints",
        resumes=(STOPPED_EXIT_CODE,),
    )
