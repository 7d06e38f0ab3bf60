"""What a pod must say to stand on a node of a GPU pool, and the refusal when no node of the pool could hold it."""

import difflib
from collections.abc import Mapping
from fractions import Fraction

import pulumi
import pulumi_kubernetes as k8s

from infra.contracts.cluster import FabricPod, GpuCluster, Pool
from infra.contracts.labels import GPU_RESOURCE
from infra.settings.purchase import FLEX_START, SPOT

# What a pod asks of CPU and memory for each GPU. A floor, not a limit: small enough for the leanest GPU machine in
# India (g4dn.xlarge: 4 vCPUs and 16 GiB for one T4) with the node's own daemons beside it.
CPU_PER_GPU = 2
MEMORY_GIB_PER_GPU = 8

# What a cloud may have none of for days. What is on demand or reserved is expected to come while an update waits.
MAY_BE_ABSENT = frozenset({SPOT, FLEX_START})
# The update is done with an object when the API server has it. `pulumi.com/skipAwait` would do too, but of Jobs and
# Deployments it also skips the wait for their end, and so a Job that is replaced would meet its predecessor
# (pulumi/pulumi-kubernetes#1232, #3154; provider/pkg/metadata/overrides.go, allowsSkipAwaitWithDelete).
WHEN_MADE = {"pulumi.com/waitFor": "jsonpath={.metadata.uid}"}


def may_be_absent(pool: Pool) -> bool:
    """Whether nobody knows when the pool has nodes: they come when pods ask, and are bought in no way that is sure."""
    return pool.static_nodes is None and MAY_BE_ABSENT.issuperset(pool.purchase)


def tell_waits(kind: str, name: str, namespace: str, pool: Pool, resource: pulumi.Resource) -> None:
    """Say that an update is done before a workload on such a pool runs, and where its owner sees it."""
    pulumi.log.info(
        f"{kind} {name} may wait for nodes: pool {pool.name} is bought as {', '.join(pool.purchase)} alone. "
        f"The update does not wait; see `kubectl -n {namespace} get {kind} {name}`",
        resource,
    )


def pool_for(cluster: GpuCluster, pool: str, *, gpus: int, pods: int) -> Pool:
    """The pool called `pool`, able to hold `pods` pods of `gpus` GPUs each at once.

    Raises ValueError, which names the pool, what was asked and what there is.
    """
    if pool not in cluster.pools:
        nearest = difflib.get_close_matches(pool, cluster.pools, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"cluster {cluster.name!r} has no pool {pool!r}, only {sorted(cluster.pools)}{hint}")
    found = cluster.pools[pool]
    if gpus < 1 or pods < 1:
        raise ValueError(f"pool {pool!r}: asked for {pods} pods of {gpus} GPUs; both must be at least 1")
    if gpus > found.gpus_per_node:
        raise ValueError(
            f"pool {pool!r}: {gpus} GPUs asked for one pod, but a node ({', '.join(found.machine_types)}) has "
            f"{found.gpus_per_node} x {found.gpu}; ask for {found.gpus_per_node} or fewer, or use another pool"
        )
    if found.gpu_parts > 1 and gpus > 1:
        raise ValueError(
            f"pool {pool!r}: {gpus} GPUs asked for one pod, but each of its GPUs is shared by {found.gpu_parts} pods, "
            "which get one part; ask for 1, or use a pool without sharing"
        )
    if pods > capacity(found, gpus):
        raise ValueError(
            f"pool {pool!r}: {pods} pods of {gpus} GPUs asked, but it grows to {found.max_nodes} nodes of "
            f"{found.gpus_per_node} x {found.gpu}, which hold {capacity(found, gpus)}; "
            "raise the pool's maxNodes or maxGpus"
        )
    return found


def capacity(pool: Pool, gpus: int) -> int:
    """How many pods of `gpus` GPUs the pool holds when fully grown."""
    return pool.max_nodes * (pool.gpus_per_node // gpus)


def resources(pool: Pool, gpus: int, *, memory_gib: int = 0) -> k8s.core.v1.ResourceRequirementsArgs:
    """Requests and limits of a pod with `gpus` GPUs, or parts of one: it gets the same share of the node's other
    devices, and asks for `memory_gib` besides the memory that goes with its GPUs."""
    share = Fraction(gpus, pool.gpus_per_node)
    limits = {GPU_RESOURCE: str(gpus)} | {
        name: _part(amount, share) for name, amount in pool.limits.items() if name != GPU_RESOURCE
    }
    requests = {"cpu": str(CPU_PER_GPU * gpus), "memory": f"{MEMORY_GIB_PER_GPU * gpus + memory_gib}Gi"}
    if pool.gpu_parts > 1:
        requests = {
            "cpu": f"{1000 * CPU_PER_GPU * gpus // pool.gpu_parts}m",
            "memory": f"{1024 * MEMORY_GIB_PER_GPU * gpus // pool.gpu_parts + 1024 * memory_gib}Mi",
        }
    return k8s.core.v1.ResourceRequirementsArgs(requests=requests, limits=limits)


def tolerations(pool: Pool) -> list[k8s.core.v1.TolerationArgs]:
    """The pool's tolerations as Pulumi's arguments."""
    return [
        k8s.core.v1.TolerationArgs(
            key=toleration.get("key"),
            operator=toleration.get("operator"),
            value=toleration.get("value"),
            effect=toleration.get("effect"),
            toleration_seconds=toleration.get("tolerationSeconds"),
        )
        for toleration in pool.tolerations
    ]


def fabric_pod(pool: Pool, gpus: int) -> FabricPod:
    """What a pod with `gpus` GPUs carries for the pool's fabric: the cards go to a pod that has the whole node."""
    return pool.fabric_pod if gpus == pool.gpus_per_node else FabricPod()


def nccl_environment(pool: Pool, gpus: int, *, pods: int = 1) -> Mapping[str, str]:
    """NCCL's settings for the pool's fabric and GPU, in each of `pods` pods with `gpus` GPUs that work together."""
    environment = {"NCCL_SOCKET_IFNAME": "^docker,lo,veth"}
    if pool.gpu in {"A10G", "L4"}:
        # They have no peer-to-peer: twice as fast through memory.
        environment["NCCL_SHM_USE_CUDA_MEMCPY"] = "1"
    if pods > 1:
        environment |= pool.peer_environment
    return environment | dict(pool.environment) | dict(fabric_pod(pool, gpus).environment)


def _part(quantity: str, share: Fraction) -> str:
    """`share` of a Kubernetes quantity, rounded down to a whole number of its unit: half of 5120Mi is 2560Mi."""
    digits = quantity.rstrip("KMGTPEi")
    return f"{int(int(digits) * share)}{quantity[len(digits) :]}"
