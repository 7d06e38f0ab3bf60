"""Namespaces with Pod Security, and for those of workloads: quota, default requests and service account."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pulumi
from pulumi_kubernetes.core.v1 import (
    LimitRange,
    LimitRangeItemArgs,
    LimitRangeSpecArgs,
    Namespace,
    ResourceQuota,
    ResourceQuotaSpecArgs,
    ServiceAccount,
)
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.cluster import Pool
from infra.contracts.labels import GPU_RESOURCE
from infra.contracts.needs import PodSecurity, WorkloadNeeds
from infra.contracts.platform_profile import PlatformProfile

# Kueue looks after Jobs in the namespaces that carry this label.
QUEUED = {"india-ai-infra/queued": "true"}
# As on the cloud's stores; a label's name has no colon.
DATA_CLASS = "dpdp-data-class"


@dataclass(frozen=True)
class NamespaceSpec:
    """A namespace and the Pod Security Standard enforced in it; `workload` ones hold teams' pods."""

    name: str
    pod_security: PodSecurity
    workload: bool = False


# The platform's own on every cloud.
NAMESPACES = (
    NamespaceSpec("monitoring", "privileged"),  # the node exporter reads the host
    NamespaceSpec("keda", "restricted"),
    NamespaceSpec("kueue-system", "restricted"),
    NamespaceSpec("opencost", "restricted"),
)


def of_workloads(needs: Iterable[WorkloadNeeds]) -> list[NamespaceSpec]:
    """The namespaces that workloads need.

    Theirs are `restricted` even with EFA: what EFA must lock in memory is granted by the node (RLIMIT_MEMLOCK of its
    containers, which the pool's NodeConfig raises), for CAP_IPC_LOCK is neither allowed below `privileged` nor of any
    effect in a process that isn't root.
    """
    return [
        NamespaceSpec(each.namespace.name, each.namespace.pod_security, workload=True)
        for each in needs
        if each.namespace
    ]


def of_operators(needs: Iterable[WorkloadNeeds]) -> list[NamespaceSpec]:
    """The namespaces of the charts that workloads need, where neither the platform nor a workload has them already."""
    needs = list(needs)
    there = {spec.name for spec in (*NAMESPACES, *of_workloads(needs))}
    named = dict.fromkeys(chart.namespace for each in needs for chart in each.charts)
    return [NamespaceSpec(name, "restricted") for name in named if name not in there]


def create_namespaces(
    profile: PlatformProfile,
    workloads: Sequence[NamespaceSpec],
    data_class: str,
    opts: pulumi.ResourceOptions,
    guarded: bool = False,
    operators: Sequence[NamespaceSpec] = (),
) -> dict[str, Namespace]:
    """Every namespace on that cloud by name, the platform's own and the workloads'; `kube-system` is the cluster's.

    Workloads handle data of `data_class`; the platform's own pods see none, and say so.

    `guarded` workloads are under an admission policy instead of Pod Security, which then lets everything in.
    """
    if guarded:
        workloads = [replace(spec, pod_security="privileged") for spec in workloads]
    own = [NamespaceSpec(name, "privileged") for name in profile.privileged_namespaces]
    return {
        spec.name: _namespace(spec, data_class, opts) for spec in (*NAMESPACES, *own, *operators, *workloads)
    }


def create_limits(
    workloads: Sequence[NamespaceSpec],
    namespaces: Mapping[str, Namespace],
    pools: Mapping[str, Pool],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """For each workload namespace a ResourceQuota, a LimitRange, and the service account its pods run as."""
    gpus = sum(pool.max_nodes * pool.gpus_per_node for pool in pools.values())
    created: list[pulumi.Resource] = []
    for spec in workloads:
        within = pulumi.ResourceOptions.merge(
            opts, pulumi.ResourceOptions(depends_on=[namespaces[spec.name]])
        )
        created += [
            _quota(spec.name, gpus, within),
            _limit_range(spec.name, within),
            _account(spec.name, within),
        ]
    return created


def _namespace(spec: NamespaceSpec, data_class: str, opts: pulumi.ResourceOptions) -> Namespace:
    labels = {
        "pod-security.kubernetes.io/enforce": spec.pod_security,
        "pod-security.kubernetes.io/warn": spec.pod_security,
        "pod-security.kubernetes.io/audit": "restricted",
        DATA_CLASS: data_class if spec.workload else "internal",
    }
    if spec.workload:
        labels |= QUEUED
    return Namespace(
        f"{spec.name}-namespace", metadata=ObjectMetaArgs(name=spec.name, labels=labels), opts=opts
    )


def _quota(namespace: str, gpus: int, opts: pulumi.ResourceOptions) -> ResourceQuota:
    # Nothing in a workload namespace may open a way in from outside: no load balancers, no node ports.
    hard = {
        f"requests.{GPU_RESOURCE}": str(gpus),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
        "count/jobs.batch": "200",
        "pods": "1000",
    }
    return ResourceQuota(
        f"{namespace}-quota",
        metadata=ObjectMetaArgs(name="quota", namespace=namespace),
        spec=ResourceQuotaSpecArgs(hard=hard),
        opts=opts,
    )


def _limit_range(namespace: str, opts: pulumi.ResourceOptions) -> LimitRange:
    # Requests only. A default memory limit would kill a job's pods, and a `max` would become everybody's default.
    requests = LimitRangeItemArgs(type="Container", default_request={"cpu": "500m", "memory": "1Gi"})
    return LimitRange(
        f"{namespace}-limits",
        metadata=ObjectMetaArgs(name="default-requests", namespace=namespace),
        spec=LimitRangeSpecArgs(limits=[requests]),
        opts=opts,
    )


def _account(namespace: str, opts: pulumi.ResourceOptions) -> ServiceAccount:
    # Named as its namespace: the Pod Identity association of the cloud speaks of the same two names.
    return ServiceAccount(
        f"{namespace}-service-account",
        metadata=ObjectMetaArgs(name=namespace, namespace=namespace),
        automount_service_account_token=False,
        opts=opts,
    )
