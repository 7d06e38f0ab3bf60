"""TrainingJob: the trainer over the nodes of a GPU pool, run by a Job, a TrainJob or a RayJob."""

from __future__ import annotations

import pulumi

from infra.contracts.resource_options import after
from workloads.kubernetes import rendezvous
from workloads.kubernetes.placement import may_be_absent, pool_for, tell_waits
from workloads.tracking.network import open_way
from workloads.training.job import job
from workloads.training.lighthouse import lighthouse
from workloads.training.needs import APP
from workloads.training.pod import TrainingJobArgs, TrainingPod, labels
from workloads.training.ray_job import ENTRY, ray_job
from workloads.training.train_job import train_job


class TrainingJob(pulumi.ComponentResource):
    """What runs the pods, and their program. Ready when all ranks have met; the training then goes on by itself. On a
    pool that may have no node for days it is ready when it is made, and no update waits for it; nor does one for the
    ranks of a TrainJob or a RayJob.

    job: the object that runs the pods. Raises ValueError, before anything is registered, if the pool can't hold it.
    """

    job: pulumi.CustomResource

    def __init__(self, name: str, args: TrainingJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        pool = pool_for(args.cluster, args.pool, gpus=args.gpus_per_node, pods=args.nodes)
        super().__init__("india-ai-infra:workloads:TrainingJob", name, None, opts)
        child = pulumi.ResourceOptions(
            parent=self, provider=args.cluster.provider, depends_on=args.cluster.needed_on(args.pool)
        )
        in_cluster = pulumi.ResourceOptions(deleted_with=args.cluster.resource)
        goes_with_it = pulumi.ResourceOptions.merge(child, in_cluster)
        if args.tracking:
            open_way(args.namespace, {"app.kubernetes.io/name": APP}, args.tracking, goes_with_it)
        entry = {ENTRY.name: ENTRY.read_text()} if args.runner == "rayjob" else {}
        pod = TrainingPod(name, args, pool, goes_with_it, entry)
        # Not `deleted_with` the cluster: its pods forbid Karpenter to drain their nodes, and so must go first.
        if args.runner == "trainjob":
            self.job = train_job(name, args, pod, child)
        elif args.runner == "rayjob":
            self.job = ray_job(name, args, pod, child)
        else:
            service = rendezvous.rendezvous_service(name, args.namespace, labels(name), goes_with_it)
            first = [service]
            if args.recovery == "replicas":
                first += lighthouse(name, args, pod, goes_with_it)
            self.job = job(name, args, pool, pod, after(child, *first))
        if may_be_absent(pool):
            tell_waits(args.runner, name, args.namespace, pool, self)
        self.register_outputs({"job": self.job.id})
