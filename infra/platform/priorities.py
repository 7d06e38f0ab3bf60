"""Who gives way when GPUs run short: a PriorityClass for each workload that states one."""

from collections.abc import Iterable

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.scheduling.v1 import PriorityClass

from infra.contracts.needs import WorkloadNeeds


def create_priorities(needs: Iterable[WorkloadNeeds], opts: pulumi.ResourceOptions) -> list[PriorityClass]:
    """The PriorityClasses: pods of one that preempts evict those of a lower value; never the reverse."""
    return [
        PriorityClass(
            f"{each.name}-priority",
            metadata=ObjectMetaArgs(name=each.priority_class),
            value=each.priority.value,
            preemption_policy="PreemptLowerPriority" if each.priority.preempts else "Never",
            description=each.priority.description,
            opts=opts,
        )
        for each in needs
        if each.priority
    ]
