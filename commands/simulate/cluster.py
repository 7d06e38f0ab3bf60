"""The scratch cluster of a replay: a real control plane, scheduler and Karpenter, with kwok nodes.

A replay asks for something, lets the cluster settle, and looks. The clock of the replay stands still meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import string
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from commands.simulate.design import Design
from commands.simulate.observed import (
    WORKLOAD,
    Node,
    Pod,
    Seen,
    condition,
    goes,
    leaves,
    node_of,
    pod_of,
    rests,
)
from infra import geography
from infra.aws import karpenter_pools
from infra.catalog.machines import Machine, machines
from infra.catalog.resolved import ResolvedPool
from infra.contracts.labels import (
    CAPACITY_TYPE_LABEL,
    GPU_RESOURCE,
    GPU_TAINT,
    GPU_TOLERATION,
    INSTANCE_TYPE_LABEL,
    POOL_LABEL,
    ZONE_LABEL,
)
from infra.settings.google_pools import GooglePool
from infra.settings.pools import SYSTEM_POOL, GpuPool
from infra.settings.purchase import ON_DEMAND, RESERVED, SPOT
from localcloud.directories import bin_dir, crds_dir, run_dir
from localcloud.kubernetes import clusters, karpenter
from localcloud.kubernetes.api import MERGE, Api, ApiError, Object
from localcloud.kubernetes.compute_classes import HEAVIEST
from localcloud.kubernetes.crds import install
from localcloud.kubernetes.nodes import add_nodes
from localcloud.toolchain.waiting import Report
from workloads.registry import WORKLOADS

NAME = "simulate"
NEVER = {"consolidateAfter": "Never"}  # empty nodes end in the replay's own time
# The PriorityClasses that the platform creates, lowest first: a job of the trace has the lowest, a service the highest.
PRIORITIES = sorted(
    ((each.needs.priority, each.needs.priority_class) for each in WORKLOADS if each.needs.priority),
    key=lambda priority: priority[0].value,
)
SETTLE_SECONDS = 120
LOOK_EVERY = 0.1
NUDGE_EVERY = 3.0  # Karpenter looks again at a pod that it refused only every 10 s


class SimulationError(Exception):
    """The cluster did not come to rest, in its own words, or another simulation runs."""


@dataclass
class ScratchCluster:
    """What a replay drives. Make one with `scratch`."""

    design: Design
    zones: Mapping[str, str]
    api: Api
    _replicas: dict[str, int] = field(default_factory=dict)

    @cached_property
    def _types(self) -> Mapping[str, str]:
        """Machine types of the catalogue by what a node's label says."""
        found = (one for place in self.design.places for one in machines(place.region))
        return {karpenter.name_of(one): one.machine_type for one in found}

    def place(self, wanted: Sequence[Pod]) -> None:
        """Create a job's pods."""
        for pod in wanted:
            self.api.request("POST", "/api/v1/namespaces/default/pods", self._pod(pod))

    def remove(self, names: Sequence[str]) -> None:
        """Delete pods that have done their work."""
        for name in names:
            self._delete(f"/api/v1/namespaces/default/pods/{name}", gracePeriodSeconds="0")

    def scale(self, service: Pod, replicas: int) -> None:
        """Give a service this many replicas of a pod; its Deployment chooses which go."""
        known = service.workload in self._replicas
        self._replicas[service.workload] = replicas
        if known:
            path = f"/apis/apps/v1/namespaces/default/deployments/{service.workload}"
            self.api.request("PATCH", path, {"spec": {"replicas": replicas}}, content=MERGE)
            return
        pod = self._pod(service)
        template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
        selector = {"matchLabels": pod["metadata"]["labels"]}
        spec = {"replicas": replicas, "selector": selector, "template": template}
        metadata = {"name": service.workload, "namespace": "default"}
        self.api.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})

    def end(self, node: Node) -> None:
        """End a node and evict its pods: as Karpenter does at an interruption, or as its group replaces it."""
        pool = self.design.resolved[node.pool]
        if pool.settings.static:
            # The node first: a replica that is made again must not come back to it.
            self._delete(f"/api/v1/nodes/{node.name}")
            self.remove(
                [p["metadata"]["name"] for p in self._pods() if p["spec"].get("nodeName") == node.name]
            )
            self._stand(pool, 1)
            return
        for claim in self.api.list("karpenter.sh/v1", "NodeClaim"):
            if claim.get("status", {}).get("nodeName") == node.name:
                self._delete(f"/apis/karpenter.sh/v1/nodeclaims/{claim['metadata']['name']}")

    def settle(self) -> Seen:
        """Wait until nothing moves and every pod that fits somewhere, or in a node that may come, is placed.

        Raises:
            SimulationError: it took too long.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        nudge_at = 0.0
        moving: Sequence[str] = ()
        while time.monotonic() < deadline:
            seen, moving = self._look()
            if not moving:
                hopeful = [pod for pod in seen.pods.values() if not pod.node and self._may_run(pod, seen)]
                if not hopeful:
                    return seen
                moving = [f"pod {pod.name} waits" for pod in hopeful]
                if time.monotonic() > nudge_at:
                    self._nudge(hopeful)
                    nudge_at = time.monotonic() + NUDGE_EVERY
            time.sleep(LOOK_EVERY)
        raise SimulationError(
            f"not settled in {SETTLE_SECONDS} s: {', '.join(moving)}; Karpenter's log ends:\n{_log_end()}"
        )

    def prepare(self) -> None:
        """Create the pools, the priorities and the static nodes."""
        for priority, name in PRIORITIES:
            preempts = "PreemptLowerPriority" if priority.preempts else "Never"
            kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
            self.api.apply({**kind, "value": priority.value, "preemptionPolicy": preempts})
        for pool in self.design.resolved.values():
            if pool.settings.static:
                self._stand(pool, pool.settings.static_nodes)
            else:
                self._elastic(pool)
        labels = {POOL_LABEL: SYSTEM_POOL}
        for place in self.design.places:
            zone = next(self.zones[zone] for zone in geography.region(place.region).zones)
            where = (place.region, place.system.machine_type, zone, place.system.min_nodes, "on-demand")
            add_nodes(NAME, SYSTEM_POOL, *where, labels)

    def _elastic(self, pool: ResolvedPool[GpuPool]) -> None:
        for name, asked in node_pools(pool, self.zones).items():
            kind = {
                "apiVersion": karpenter_pools.NODE_POOL_API,
                "kind": "NodePool",
                "metadata": {"name": name},
            }
            self.api.apply({**kind, "spec": asked})

    def _stand(self, pool: ResolvedPool[GpuPool], count: int) -> None:
        machine, zone = pool.machine, self.zones[pool.zones[0]]
        labels = {POOL_LABEL: pool.name, INSTANCE_TYPE_LABEL: karpenter.name_of(machine)}
        where = (pool.region, machine.machine_type, zone, count, pool.settings.purchase[0])
        add_nodes(NAME, pool.name, *where, labels, [GPU_TAINT])

    def _node(self, item: Object) -> Node:
        ids = {name: zone for zone, name in self.zones.items()}
        node = node_of(item)
        zone = ids.get(item["metadata"]["labels"].get(ZONE_LABEL, ""), "")
        return replace(node, zone=zone, machine_type=self._types.get(node.machine_type, node.machine_type))

    def _pod(self, pod: Pod) -> Object:
        container = {
            "name": "main",
            "image": "played",
            "resources": {"limits": {GPU_RESOURCE: str(pod.gpus)}},
        }
        serves = pod.workload in self._replicas
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": pod.name, "labels": {WORKLOAD: pod.workload}},
            "spec": {
                "nodeSelector": {POOL_LABEL: pod.pool},
                "tolerations": [GPU_TOLERATION],
                "containers": [container],
                "priorityClassName": PRIORITIES[-1 if serves else 0][1],
                "terminationGracePeriodSeconds": 0,
            },
        }

    def _pods(self) -> list[Object]:
        return self.api.list("v1", "Pod", "default")

    def _look(self) -> tuple[Seen, list[str]]:
        """The cluster as it is, and what in it has yet to come to rest."""
        # Claims before nodes before pods: what has come since is seen as moving the next time.
        claims = self.api.list("karpenter.sh/v1", "NodeClaim")
        found = self.api.list("v1", "Node")
        pods = {pod["metadata"]["name"]: pod for pod in self._pods()}
        # Karpenter keeps a drained node for 5 s more. Nothing can come to it then: for the replay it has gone.
        leaving = {node["metadata"]["name"] for node in found if leaves(node)}
        staying = [node for node in found if node["metadata"]["name"] not in leaving]
        moving = [f"node {c['metadata']['name']} comes or goes" for c in claims if not rests(c, leaving)]
        moving += [f"node {n['metadata']['name']} comes" for n in staying if not self._whole(n)]
        moving += [f"pod {name} goes" for name, pod in pods.items() if goes(pod, leaving)]
        seen = Seen(
            nodes={node.name: node for node in map(self._node, staying)},
            pods={name: pod_of(pod) for name, pod in pods.items()},
        )
        for service, wanted in self._replicas.items():
            here = sum(pod.workload == service for pod in seen.pods.values())
            moving += [f"{service} has {here} of {wanted} replicas"] * (here != wanted)
        return seen, moving

    def _whole(self, node: Object) -> bool:
        """Whether a node is ready and counts in full.

        Karpenter's kwok provider gives a node the capacity that its first pods ask for, and Karpenter would count that
        against the pool's limit: it is made what the machine has.
        """
        status = node["status"]
        gpus = status.get("allocatable", {}).get(GPU_RESOURCE)
        if status.get("capacity", {}).get(GPU_RESOURCE) != gpus:
            path = f"/api/v1/nodes/{node['metadata']['name']}/status"
            self._unless_gone("PATCH", path, {"status": {"capacity": {GPU_RESOURCE: gpus}}})
            return False
        return "deletionTimestamp" not in node["metadata"] and condition(node, "Ready")

    def _may_run(self, pod: Pod, seen: Seen) -> bool:
        """Whether the scheduler or Karpenter should find it a place; otherwise it waits for others to end."""
        pool = self.design.pools[pod.pool]
        here = [node for node in seen.nodes.values() if node.pool == pod.pool]
        if not pool.static and len(here) < pool.most_nodes:
            return True
        used = dict.fromkeys((node.name for node in here), 0)
        serves = pod.workload in self._replicas
        for other in seen.pods.values():
            gives_way = serves and other.workload not in self._replicas
            if other.node in used and not gives_way:
                used[other.node] += other.gpus
        return any(node.gpus - used[node.name] >= pod.gpus for node in here)

    def _nudge(self, waiting: Sequence[Pod]) -> None:
        """Have Karpenter look at them now."""
        for pod in waiting:
            path = f"/api/v1/namespaces/default/pods/{pod.name}"
            body = {"metadata": {"annotations": {"india-ai-infra/nudged": str(time.monotonic())}}}
            self._unless_gone("PATCH", path, body)

    def _delete(self, path: str, **query: str) -> None:
        self._unless_gone("DELETE", path, None, **query)

    def _unless_gone(self, method: str, path: str, body: Object | None, **query: str) -> None:
        try:
            self.api.request(
                method, path, body, content=MERGE if body else "application/json", query=query or None
            )
        except ApiError as error:
            if error.status != 404:
                raise


@contextmanager
def scratch(design: Design, report: Report) -> Iterator[ScratchCluster]:
    """A cluster of a replay's own with the design's pools; its processes and data go at the end, whatever happens."""
    with _own_run_dir(run_dir()):
        clusters.stop(NAME)  # what a killed replay left
        try:
            report(0, 0, "control plane")
            regions = [place.region for place in design.places]
            access = clusters.start(NAME, regions[0])
            api = access.api()
            zones = {zone: name for region in regions for zone, name in zone_names(region).items()}
            install(api, "karpenter")
            report(0, 0, "Karpenter")
            karpenter.start(NAME, zones, regions)
            cluster = ScratchCluster(design, zones, api)
            cluster.prepare()
            yield cluster
        finally:
            clusters.stop(NAME)


def node_pools(pool: ResolvedPool[GpuPool], zones: Mapping[str, str]) -> Mapping[str, Object]:
    """The NodePools that play an elastic pool, by name: on AWS its own; on Google one for each way of buying, of one
    machine type, in the order in which its ComputeClass tries them. `zones` are their names by id."""
    asked = pool.settings
    names = [zones[zone] for zone in pool.zones]
    if isinstance(asked, GooglePool):
        return _of_google(asked, pool.machine, names)
    spec = karpenter.simulated(karpenter_pools.node_pool(asked, pool.machine_types, names))
    return {pool.name: {**spec, "disruption": {**spec["disruption"], **NEVER}}}


def _of_google(pool: GooglePool, machine: Machine, zone_names: Sequence[str]) -> dict[str, Object]:
    # Nothing is reserved here: a chain goes on to its next way, as on AWS.
    purchases = [purchase for purchase in pool.purchase if purchase != RESERVED] or [ON_DEMAND]
    made = {}
    for rank, purchase in enumerate(purchases):
        asked = {
            INSTANCE_TYPE_LABEL: [karpenter.name_of(machine)],
            ZONE_LABEL: list(zone_names),
            CAPACITY_TYPE_LABEL: [SPOT if purchase == SPOT else ON_DEMAND],
        }
        needs = [{"key": key, "operator": "In", "values": values} for key, values in asked.items()]
        inside = {
            "nodeClassRef": karpenter.NODE_CLASS,
            "requirements": needs,
            "taints": [GPU_TAINT],
            "expireAfter": "Never",
        }
        made[pool.node_pool(purchase)] = {
            "template": {"metadata": {"labels": {POOL_LABEL: pool.name}}, "spec": inside},
            "limits": karpenter.limits(machine, pool.most_nodes),
            "weight": HEAVIEST - rank,
            "disruption": {"consolidationPolicy": "WhenEmpty", **NEVER},
        }
    return made


def zone_names(region: str) -> dict[str, str]:
    """Zone ids to names: on AWS in order of the letters, for which letter is which place differs between accounts."""
    zones = geography.region(region).zones
    if geography.region(region).cloud == "gcp":
        return {zone: zone for zone in zones}
    return {zone: region + letter for zone, letter in zip(zones, string.ascii_lowercase, strict=False)}


@contextmanager
def _own_run_dir(base: Path) -> Iterator[None]:
    """A run directory beside the platform's, so that neither takes the other's cluster for its own, dead or alive."""
    tools, crds, own = bin_dir().resolve(), crds_dir().resolve(), base.resolve() / NAME
    own.mkdir(parents=True, exist_ok=True)
    before = {key: os.environ.get(key) for key in ("INDIA_AI_INFRA_RUN", "INDIA_AI_INFRA_BIN")}
    with (own / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SimulationError("another simulation runs in this clone: wait for its end") from None
        os.environ |= {"INDIA_AI_INFRA_RUN": str(own), "INDIA_AI_INFRA_BIN": str(tools)}
        try:
            (own / "crds").unlink(missing_ok=True)
            (own / "crds").symlink_to(crds)
            yield
        finally:
            for key, value in before.items():
                os.environ.pop(key, None)
                if value is not None:
                    os.environ[key] = value
            shutil.rmtree(own, ignore_errors=True)


def _log_end() -> str:
    log = clusters.folder(NAME) / "logs" / "karpenter.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:]) if log.exists() else "no log"
