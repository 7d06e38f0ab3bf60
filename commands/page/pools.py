"""GPUs and queues: what each pool may have and how it is bought, and what Kueue lets whom take of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from commands.page.document import Cell, Section, Table, columns, listed, row
from commands.page.state import Places, State, place
from infra.contracts.labels import GPU_SHARES, POOL_LABEL
from infra.pricing import nodes
from infra.pricing.lines import CostRange
from infra.pricing.nodes import Nodes, all_pools
from infra.pricing.resources import Resource, ResourceGraph, plain
from infra.pricing.rupees import format_price
from infra.settings.stack import Settings

KUEUE = "kubernetes:kueue.x-k8s.io/v1beta2:"
# Where the resource of a pool has its nodes' labels.
NODE_LABELS = {
    nodes.NODE_GROUP: ("labels",),
    nodes.NODE_POOL: ("spec", "template", "metadata", "labels"),
    nodes.GKE_POOL: ("nodeConfig", "labels"),
}


@dataclass(frozen=True)
class PoolLine:
    """A pool of nodes: its name, region, and what the estimate counts on. `shares` is how many pods have a GPU
    together."""

    name: str
    region: str
    nodes: Nodes
    shares: int

    @property
    def gpus_per_node(self) -> int:
        """GPUs of one node's machine; 0 of a CPU machine, or of one that the catalogue has not."""
        return self.nodes.machine.gpu_count if self.nodes.machine else 0

    @property
    def gpus(self) -> CostRange | None:
        """GPUs at the pool's minimum, as expected and at its maximum."""
        return self.nodes.count.times(self.gpus_per_node) if self.nodes.count else None


def pool_lines(graph: ResourceGraph) -> list[PoolLine]:
    """The pools of the stack on both clouds, those with GPUs first."""
    places = Places(graph)
    lines = [_line(resource, found, places) for resource, found in all_pools(graph)]
    return sorted(lines, key=lambda line: (line.gpus_per_node == 0, line.region, line.name))


def _line(resource: Resource, found: Nodes, places: Places) -> PoolLine:
    labels = plain(resource.inputs, *NODE_LABELS[resource.type]) or {}
    shares = int(labels.get(GPU_SHARES) or 0)
    per_node = found.machine.gpu_count if found.machine else 0
    region = found.region or places.of(resource)
    return PoolLine(
        str(labels.get(POOL_LABEL) or resource.name), region, found, shares // per_node if per_node else 0
    )


def section(state: State, graph: ResourceGraph, settings: Settings) -> Section:
    """Pools with their machines, and the quotas over them."""
    lines = pool_lines(graph)
    words = [
        Cell("Nodes are counted as the estimate counts them; how many stand now, `kubectl get nodes` says.")
    ]
    queues = _queues(state)
    if not queues.rows:
        words.append(Cell("No queue: the stack has no pool with GPUs, or no Kueue."))
    return Section(
        "gpus", "GPUs and queues", words, [_pools(lines, settings), *([queues] if queues.rows else [])]
    )


def _pools(lines: list[PoolLine], settings: Settings) -> Table:
    rate = settings.currency.usd_inr
    names = columns(
        "pool", "region", "machine", "GPUs of a node", "bought", "#nodes", "#GPUs", "#₹ an hour of a node"
    )
    rows = [
        row(
            line.name,
            place(line.region),
            line.nodes.machine.machine_type if line.nodes.machine else listed(line.nodes.types, "not known"),
            _gpus_of_node(line),
            ", else ".join(line.nodes.purchases),
            _range(line.nodes.count),
            _range(line.gpus) if line.gpus_per_node else "–",
            _hour(line.nodes, rate),
        )
        for line in lines
    ]
    return Table("Pools: nodes and GPUs at minimum, as expected and at maximum", names, rows)


def _gpus_of_node(line: PoolLine) -> str:
    machine = line.nodes.machine
    if not machine or not machine.gpu:
        return "none"
    shared = f", each shared by {line.shares} pods" if line.shares > 1 else ""
    return f"{machine.gpu_count or f'{machine.gpu_fraction:g} of one'} × {machine.gpu}{shared}"


def _range(count: CostRange | None) -> str:
    """`2`, or `0 … 2 … 8` where it may change."""
    if count is None:
        return "not known"
    figures = dict.fromkeys(f"{figure:,.0f}" for figure in (count.low, count.expected, count.high))
    return " … ".join(figures)


def _hour(found: Nodes, rate: float) -> Cell:
    usd = found.usd
    if usd is None:
        return Cell("not known", "warn")
    low, high = format_price(usd.low * rate), format_price(usd.high * rate)
    return Cell(low if low == high else f"{low} to {high}")


def _queues(state: State) -> Table:
    users: dict[tuple[str, str], list[str]] = {}
    for queue in state.of(f"{KUEUE}LocalQueue"):
        key = (queue["provider"], str(plain(queue["inputs"], "spec", "clusterQueue")))
        users.setdefault(key, []).append(str(plain(queue["inputs"], "metadata", "namespace")))
    rows = [
        row(name, flavor, resource, str(quota), listed(sorted(users.get((provider, name), ())), "nobody"))
        for provider, name, flavor, resource, quota in _quotas(state)
    ]
    names = columns("queue", "pool", "of", "#quota", "namespaces that may ask")
    return Table("Queues: what Kueue admits to each pool at a time", names, rows)


def _quotas(state: State) -> Iterator[tuple[str, str, str, str, Any]]:
    for queue in state.of(f"{KUEUE}ClusterQueue"):
        name, groups = _name(queue), plain(queue["inputs"], "spec", "resourceGroups") or ()
        for flavor in (flavor for group in groups for flavor in group["flavors"]):
            for each in flavor["resources"]:
                yield queue["provider"], name, flavor["name"], each["name"], each["nominalQuota"]


def _name(resource: Mapping[str, Any]) -> str:
    return str(plain(resource["inputs"], "metadata", "name"))
