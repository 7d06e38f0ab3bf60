"""Kueue: a flavour for each GPU pool, one queue of GPUs over them, and a way into it from each workload namespace.

Kueue v0.19.2 stores kueue.x-k8s.io/v1beta2 (its CRDs at that tag).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from infra.contracts.cluster import Pool
from infra.contracts.labels import GPU_RESOURCE
from infra.platform.namespaces import QUEUED

API_VERSION = "kueue.x-k8s.io/v1beta2"
QUEUE = "gpus"


def create_queues(
    pools: Mapping[str, Pool], namespaces: Sequence[str], opts: pulumi.ResourceOptions
) -> list[CustomResource]:
    """The ClusterQueue `gpus` with the GPUs that each pool can have as its quota, and a LocalQueue `gpus` in each
    namespace.

    A cluster without GPU pools gets no queue. `opts` must depend on Kueue's release: its webhook checks these.
    """
    if not pools:
        return []
    flavors = [_resource("ResourceFlavor", pool.name, _flavor(pool), opts) for pool in pools.values()]
    after_flavors = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=flavors))
    cluster_queue = _resource("ClusterQueue", QUEUE, _cluster_queue(pools), after_flavors)
    after_queue = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[cluster_queue]))
    local_queues = [
        _resource("LocalQueue", QUEUE, {"clusterQueue": QUEUE}, after_queue, namespace)
        for namespace in namespaces
    ]
    return [*flavors, cluster_queue, *local_queues]


def _flavor(pool: Pool) -> dict[str, Any]:
    return {"nodeLabels": dict(pool.node_selector), "tolerations": list(pool.tolerations)}


def _cluster_queue(pools: Mapping[str, Pool]) -> dict[str, Any]:
    flavors = [
        {
            "name": pool.name,
            "resources": [{"name": GPU_RESOURCE, "nominalQuota": _gpus(pool)}],
        }
        for pool in pools.values()
    ]
    return {
        "namespaceSelector": {"matchLabels": QUEUED},
        "queueingStrategy": "BestEffortFIFO",
        "preemption": {"withinClusterQueue": "LowerPriority"},
        "resourceGroups": [{"coveredResources": [GPU_RESOURCE], "flavors": flavors}],
    }


def _gpus(pool: Pool) -> int:
    """GPUs that pods of the pool can get: nobody adds a node to a pool that stands, whatever its limit is.

    Kueue would admit a Job for more, wait for its pods in vain, evict it and begin again.
    """
    nodes = pool.max_nodes if pool.static_nodes is None else pool.static_nodes
    return nodes * pool.gpus_per_node


def _resource(
    kind: str, name: str, spec: dict[str, Any], opts: pulumi.ResourceOptions, namespace: str | None = None
) -> CustomResource:
    logical_name = "-".join(part for part in (namespace, kind.lower(), name) if part)
    return CustomResource(
        logical_name,
        api_version=API_VERSION,
        kind=kind,
        metadata=ObjectMetaArgs(name=name, namespace=namespace),
        spec=spec,
        opts=opts,
    )
