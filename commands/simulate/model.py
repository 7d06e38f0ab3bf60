"""A model of the scratch cluster in memory, for the luck of other seeds: seconds instead of minutes.

Pods go to the first node with room, a node comes while a pool may grow, and serving evicts training where it has to. A
pool's machine is the one that Karpenter chose for it in the replay on the real cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from commands.simulate.account import History
from commands.simulate.cluster import Node, Pod, Seen
from commands.simulate.design import Design
from infra.catalog.resolved import ResolvedPool
from infra.settings.pools import SYSTEM_POOL, GpuPool
from infra.settings.purchase import RESERVED, SPOT


def kinds(design: Design, history: History) -> dict[str, Node]:
    """What a node of each pool is: as in a history, or for a pool that had none as the catalogue chooses."""
    found = {name: _chosen(pool) for name, pool in design.resolved.items()}
    for life in history.nodes:
        found[life.pool] = Node("", life.pool, life.machine_type, life.spot, life.gpus, life.zone)
    return found


def _chosen(pool: ResolvedPool[GpuPool]) -> Node:
    machine = pool.machine
    purchases = [purchase for purchase in pool.settings.purchase if purchase != RESERVED]
    return Node("", pool.name, machine.machine_type, purchases[:1] == [SPOT], machine.gpu_count)


@dataclass
class ModelCluster:
    """A `replay.Cluster` without a cluster."""

    pools: Mapping[str, GpuPool]
    kinds: Mapping[str, Node]
    _nodes: dict[str, Node] = field(default_factory=dict)
    _pods: dict[str, Pod] = field(default_factory=dict)
    _services: dict[str, tuple[Pod, int]] = field(default_factory=dict)
    _made: int = 0

    @classmethod
    def of(cls, design: Design, history: History) -> ModelCluster:
        """The model of a design's cluster at the start, with its static nodes."""
        cluster = cls(design.pools, kinds(design, history))
        for pool in design.pools.values():
            for _ in range(pool.static_nodes):
                cluster._node(pool.name)
        if SYSTEM_POOL in cluster.kinds:
            for life in history.nodes:
                if life.pool == SYSTEM_POOL:
                    cluster._node(
                        SYSTEM_POOL, Node("", SYSTEM_POOL, life.machine_type, life.spot, 0, life.zone)
                    )
        return cluster

    def place(self, wanted: Sequence[Pod]) -> None:
        """Create pods."""
        self._pods |= {pod.name: pod for pod in wanted}

    def remove(self, names: Sequence[str]) -> None:
        """Delete pods by name."""
        for name in names:
            self._pods.pop(name, None)

    def scale(self, service: Pod, replicas: int) -> None:
        """Set the number of replicas of a service."""
        self._services[service.workload] = (service, replicas)

    def end(self, node: Node) -> None:
        """Take a node away with its pods; a static pool gets a new one."""
        del self._nodes[node.name]
        self._pods = {name: pod for name, pod in self._pods.items() if pod.node != node.name}
        if self.pools[node.pool].static:
            self._node(node.pool)

    def settle(self) -> Seen:
        """Place each pod that waits on a node with room, a new one, or one cleared of jobs; return the nodes and pods
        then."""
        self._replicate()
        # Serving first: it has the higher priority.
        waiting = [pod for pod in self._pods.values() if pod.node is None]
        for pod in sorted(waiting, key=lambda pod: pod.workload not in self._services):
            node = self._room(pod) or self._grown(pod) or self._cleared(pod)
            if node and pod.name in self._pods:
                self._pods[pod.name] = replace(pod, node=node)
        return Seen(dict(self._nodes), dict(self._pods))

    def _replicate(self) -> None:
        for service, wanted in self._services.values():
            here = [name for name, pod in self._pods.items() if pod.workload == service.workload]
            self.remove(here[wanted:])
            for _ in range(wanted - len(here)):
                self._made += 1
                name = f"{service.workload}-{self._made:06}"
                self._pods[name] = replace(service, name=name)

    def _free(self, pool: str) -> dict[str, int]:
        free = {node.name: node.gpus for node in self._nodes.values() if node.pool == pool}
        for pod in self._pods.values():
            if pod.node in free:
                free[pod.node] -= pod.gpus
        return free

    def _room(self, pod: Pod) -> str | None:
        return next((name for name, gpus in self._free(pod.pool).items() if gpus >= pod.gpus), None)

    def _grown(self, pod: Pod) -> str | None:
        pool = self.pools[pod.pool]
        here = sum(node.pool == pod.pool for node in self._nodes.values())
        return self._node(pod.pool) if not pool.static and here < pool.most_nodes else None

    def _cleared(self, pod: Pod) -> str | None:
        """A node from which serving evicts training, the least of it; None for pods that evict nobody."""
        if pod.workload not in self._services:
            return None
        victims: dict[str, list[Pod]] = {name: [] for name in self._free(pod.pool)}
        for other in self._pods.values():
            if other.node in victims and other.workload not in self._services:
                victims[other.node].append(other)
        free = self._free(pod.pool)
        enough = {
            name: some
            for name, some in victims.items()
            if free[name] + sum(other.gpus for other in some) >= pod.gpus
        }
        if not enough:
            return None
        node = min(enough, key=lambda name: sum(other.gpus for other in enough[name]))
        for other in enough[node]:
            if self._free(pod.pool)[node] >= pod.gpus:
                break
            del self._pods[other.name]
        return node

    def _node(self, pool: str, kind: Node | None = None) -> str:
        self._made += 1
        name = f"node-{self._made:06}"
        self._nodes[name] = replace(kind or self.kinds[pool], name=name)
        return name
