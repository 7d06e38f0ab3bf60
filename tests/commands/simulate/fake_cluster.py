"""A cluster in memory for replays: pods go to the first node with room, and nodes come while a pool may grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from commands.simulate.cluster import Node, Pod, Seen
from infra.settings.pools import GpuPool


@dataclass
class FakeCluster:
    pools: Mapping[str, GpuPool]
    nodes: dict[str, Node] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    services: dict[str, tuple[Pod, int]] = field(default_factory=dict)
    made: int = 0

    def __post_init__(self) -> None:
        for pool in self.pools.values():
            for _ in range(pool.static_nodes):
                self._node(pool)

    def place(self, wanted: Sequence[Pod]) -> None:
        assert not {pod.name for pod in wanted} & self.pods.keys(), "a pod's name was used twice"
        self.pods |= {pod.name: pod for pod in wanted}

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            del self.pods[name]

    def scale(self, service: Pod, replicas: int) -> None:
        self.services[service.workload] = (service, replicas)

    def end(self, node: Node) -> None:
        del self.nodes[node.name]
        self.pods = {name: pod for name, pod in self.pods.items() if pod.node != node.name}
        if self.pools[node.pool].static:
            self._node(self.pools[node.pool])

    def settle(self) -> Seen:
        for service, wanted in self.services.values():
            here = [name for name, pod in self.pods.items() if pod.workload == service.workload]
            self.remove(here[wanted:])
            for _ in range(wanted - len(here)):
                self.made += 1
                name = f"{service.workload}-{self.made:05}"
                self.pods[name] = replace(service, name=name)
        for pod in list(self.pods.values()):
            if pod.node is None:
                self.pods[pod.name] = replace(pod, node=self._room(pod))
        return Seen(dict(self.nodes), dict(self.pods))

    def _room(self, pod: Pod) -> str | None:
        used = dict.fromkeys(self.nodes, 0)
        for other in self.pods.values():
            if other.node:
                used[other.node] += other.gpus
        here = [node for node in self.nodes.values() if node.pool == pod.pool]
        for node in here:
            if node.gpus - used[node.name] >= pod.gpus:
                return node.name
        pool = self.pools[pod.pool]
        return self._node(pool) if not pool.static and len(here) < pool.most_nodes else None

    def _node(self, pool: GpuPool) -> str:
        self.made += 1
        name = f"node-{self.made:05}"
        spot = pool.purchase[0] == "spot"
        self.nodes[name] = Node(name, pool.name, f"{pool.gpu}x{pool.gpus_per_node}", spot, pool.gpus_per_node)
        return name
