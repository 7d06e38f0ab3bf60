"""The pods of a training job by a Job of Kubernetes, and what a Job does when one of them ends."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.cluster import Pool
from infra.contracts.labels import QUEUE_LABEL
from workloads.kubernetes import rendezvous
from workloads.kubernetes.placement import WHEN_MADE, may_be_absent
from workloads.training.pod import TrainingJobArgs, TrainingPod, labels

CONTAINER = "trainer"
# `pulumi up` waits this long for all ranks, a little more than they wait for each other.
HEALTHY_SECONDS = rendezvous.SECONDS + 600

STOPPED_EXIT_CODE = 75  # trainer/launch.py: asked to stop, progress saved
REFUSED_EXIT_CODE = 64  # the same: the recipe or the data is wrong, and would be wrong again


def job(
    name: str, args: TrainingJobArgs, pool: Pool, pod: TrainingPod, opts: pulumi.ResourceOptions
) -> k8s.batch.v1.Job:
    """The Job; ready when all ranks have met, and at once on a pool that may have no node for days."""
    queue = {QUEUE_LABEL: args.queue} if args.queue else {}
    # Training takes days; `pulumi up` is done when every rank runs.
    # A job that has ended has `succeeded` in its status, and no pod that is ready: the first that is there counts.
    ranks = {"pulumi.com/waitFor": f"jsonpath={{.status['succeeded','ready']}}={args.nodes}"}
    timeouts = pulumi.CustomTimeouts(create=f"{HEALTHY_SECONDS}s", update=f"{HEALTHY_SECONDS}s")
    return k8s.batch.v1.Job(
        name,
        metadata=ObjectMetaArgs(
            name=name,
            namespace=args.namespace,
            labels=labels(name) | queue,
            annotations=WHEN_MADE if may_be_absent(pool) else ranks,
        ),
        spec=job_spec(
            args.nodes, CONTAINER, pod.template(pod.torchrun(CONTAINER, f"{name}-0"), subdomain=name)
        ),
        opts=pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(custom_timeouts=timeouts, delete_before_replace=True)
        ),
    )


def job_spec(
    nodes: int, container: str, template: k8s.core.v1.PodTemplateSpecArgs
) -> k8s.batch.v1.JobSpecArgs:
    """A pod for each node, and what ends the job: a crash too many, or a recipe that is refused."""
    return k8s.batch.v1.JobSpecArgs(
        completion_mode="Indexed",
        completions=nodes,
        parallelism=nodes,
        # One crash fails every pod of the job, so this allows three. Interruptions are not counted.
        backoff_limit=3 * nodes,
        pod_failure_policy=_failures(container),
        template=template,
    )


def _failures(container: str) -> k8s.batch.v1.PodFailurePolicyArgs:
    """The first rule that fits counts: a refused recipe ends the job, and a pod that was evicted, or one that saved and
    left because another was, is replaced at no charge."""
    evicted = k8s.batch.v1.PodFailurePolicyOnPodConditionsPatternArgs(type="DisruptionTarget", status="True")
    return k8s.batch.v1.PodFailurePolicyArgs(
        rules=[
            k8s.batch.v1.PodFailurePolicyRuleArgs(
                action="FailJob", on_exit_codes=_exit_code(container, REFUSED_EXIT_CODE)
            ),
            k8s.batch.v1.PodFailurePolicyRuleArgs(action="Ignore", on_pod_conditions=[evicted]),
            k8s.batch.v1.PodFailurePolicyRuleArgs(
                action="Ignore", on_exit_codes=_exit_code(container, STOPPED_EXIT_CODE)
            ),
        ]
    )


def _exit_code(container: str, code: int) -> k8s.batch.v1.PodFailurePolicyOnExitCodesRequirementArgs:
    return k8s.batch.v1.PodFailurePolicyOnExitCodesRequirementArgs(
        container_name=container, operator="In", values=[code]
    )
