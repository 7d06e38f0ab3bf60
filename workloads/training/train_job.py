"""The same pods by a TrainJob of Kubeflow Trainer v2.3, with a TrainingRuntime of its own.

The operator makes a JobSet of both, with a headless Service. Read: kubeflow/trainer at v2.3.0, pkg/constants (names),
pkg/runtime/framework/plugins/jobset (endpoints, containers), pkg/webhooks.
"""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.labels import QUEUE_LABEL
from infra.contracts.resource_options import after
from workloads.training.job import job_spec
from workloads.training.pod import TrainingJobArgs, TrainingPod, labels

API_VERSION = "trainer.kubeflow.org/v1alpha1"
# Names that the operator looks for: of the replicated job and its container, and of the label by which it takes them.
NODE = "node"
STEP = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}


def train_job(
    name: str, args: TrainingJobArgs, pod: TrainingPod, opts: pulumi.ResourceOptions
) -> CustomResource:
    """The TrainJob, and the runtime that says what its pods are. No update waits for its ranks."""
    template = pod.template(pod.torchrun(NODE, f"{name}-{NODE}-0-0"))
    node = {
        "name": NODE,
        "replicas": 1,
        "template": {"metadata": {"labels": STEP}, "spec": job_spec(args.nodes, NODE, template)},
    }
    metadata = ObjectMetaArgs(name=name, namespace=args.namespace, labels=labels(name))
    jobs = {
        "replicatedJobs": [node],
        "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
        "failurePolicy": {
            "maxRestarts": 0
        },  # the Job replaces its own pods; one that failed is not started again
    }
    # The operator takes no change of either while pods run: another runtime is another TrainJob.
    again = pulumi.ResourceOptions.merge(
        opts, pulumi.ResourceOptions(delete_before_replace=True, replace_on_changes=["spec"])
    )
    runtime = CustomResource(
        f"{name}-runtime",
        api_version=API_VERSION,
        kind="TrainingRuntime",
        metadata=metadata,
        spec={"mlPolicy": {"numNodes": args.nodes}, "template": {"spec": jobs}},
        opts=again,
    )
    queue = {QUEUE_LABEL: args.queue} if args.queue else {}
    return CustomResource(
        f"{name}-trainjob",
        api_version=API_VERSION,
        kind="TrainJob",
        metadata=ObjectMetaArgs(name=name, namespace=args.namespace, labels=labels(name) | queue),
        spec={
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "TrainingRuntime", "name": name},
            "trainer": {"numNodes": args.nodes, "numProcPerNode": args.gpus_per_node},
        },
        opts=pulumi.ResourceOptions.merge(
            after(again, runtime), pulumi.ResourceOptions(replace_with=[runtime])
        ),
    )
