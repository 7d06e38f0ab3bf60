"""The training job as a suspended CronJob, of which a Job is made when it is to run again on newer data."""

from __future__ import annotations

from dataclasses import replace

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.cluster import Pool
from infra.contracts.labels import QUEUE_LABEL
from infra.contracts.resource_options import after
from workloads.kubernetes import rendezvous
from workloads.kubernetes.placement import pool_for
from workloads.kubernetes.program_files import filled
from workloads.training.job import CONTAINER, job_spec
from workloads.training.pod import TrainingJobArgs, TrainingPod, labels

# What a run may cost, in rupees: whoever makes the Job reads it first (workloads/drift/programs/flight.py).
ESTIMATE = "india-ai-infra/estimate-inr"
# A CronJob must have a time; suspended, it never comes.
NEVER = "0 0 1 1 *"


class RetrainingTemplate(pulumi.ComponentResource):
    """The CronJob `name`; a Job of it has to have its name, by which its ranks find each other and only one can be.

    `data` names `$(DATA_COMMIT)`: that and `$(RETRAINING)`, the folder of its checkpoints, are variables that who makes
    the Job puts before the container's own. A run is ended after `hours`, so that it costs no more than `inr`.
    """

    template: k8s.batch.v1.CronJob

    def __init__(
        self,
        name: str,
        args: TrainingJobArgs,
        data: str,
        hours: float,
        inr: float,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        pool = pool_for(args.cluster, args.pool, gpus=args.gpus_per_node, pods=args.nodes)
        super().__init__("india-ai-infra:workloads:RetrainingTemplate", name, None, opts)
        child = pulumi.ResourceOptions(
            parent=self,
            provider=args.cluster.provider,
            depends_on=[*args.cluster.platform],
            deleted_with=args.cluster.resource,
        )
        again = replace(
            args,
            data_uri=filled(data, args.words),
            checkpoint_uri=pulumi.Output.concat(args.checkpoint_uri, "-retrain/$(RETRAINING)"),
        )
        pod = TrainingPod(name, again, pool, child)
        meeting = rendezvous.rendezvous_service(name, args.namespace, labels(name), child)
        spec = job_spec(
            args.nodes, CONTAINER, pod.template(pod.torchrun(CONTAINER, f"{name}-0"), subdomain=name)
        )
        spec.active_deadline_seconds = int(hours * 3600)
        queue = {QUEUE_LABEL: args.queue} if args.queue else {}
        self.template = k8s.batch.v1.CronJob(
            name,
            metadata=ObjectMetaArgs(
                name=name,
                namespace=args.namespace,
                labels=labels(name),
                annotations={ESTIMATE: f"{inr:.0f}"},
            ),
            spec=k8s.batch.v1.CronJobSpecArgs(
                schedule=NEVER,
                suspend=True,
                concurrency_policy="Forbid",
                job_template=k8s.batch.v1.JobTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels=labels(name) | queue), spec=spec
                ),
            ),
            opts=after(child, meeting),
        )
        self.register_outputs({"template": self.template.id})


def rupees(pool: Pool, nodes: int, hours: float, usd_inr: float) -> float:
    """What so many nodes of the pool cost in that time; ValueError where no price is known."""
    if not pool.usd_per_hour:
        raise ValueError(f"pool {pool.name!r} has no price, by which a retraining could be held to a budget")
    return pool.usd_per_hour * nodes * hours * usd_inr
