"""Who gives way when GPUs run short: training to serving."""

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.scheduling.v1 import PriorityClass

SERVING = "india-ai-infra-serving"
TRAINING = "india-ai-infra-training"


def create_priorities(opts: pulumi.ResourceOptions) -> list[PriorityClass]:
    """Two PriorityClasses: a server evicts a training job, which resumes from its checkpoint; never the reverse."""
    return [
        PriorityClass(
            "serving-priority",
            metadata=ObjectMetaArgs(name=SERVING),
            value=10_000,
            preemption_policy="PreemptLowerPriority",
            description="Model servers: people wait for their answers.",
            opts=opts,
        ),
        PriorityClass(
            "training-priority",
            metadata=ObjectMetaArgs(name=TRAINING),
            value=1_000,
            preemption_policy="Never",
            description="Training jobs: they resume from a checkpoint.",
            opts=opts,
        ),
    ]
