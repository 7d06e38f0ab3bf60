"""Nodes in the estimate: how many a pool has at least, as expected and at most, and what each costs.

The estimate sees what the engine holds and nothing else: a state file, or the stack of another commit, brings neither
settings nor a ResolvedPool. So what a pool may buy is read here from the resources that make it, and only here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from infra.catalog.machines import MONTH_HOURS, Machine, machines
from infra.catalog.resolved import Link, cheapest
from infra.contracts import labels
from infra.contracts.labels import CAPACITY_TYPE_LABEL, INSTANCE_TYPE_LABEL, ZONE_LABEL
from infra.geography import REGIONS, region_of_zone
from infra.pricing import node_counts
from infra.pricing.lines import CostRange, Fact, Line, Metered, metered_line
from infra.pricing.node_counts import number
from infra.pricing.resources import Resource, ResourceGraph, plain
from infra.settings.purchase import (
    CAPACITY_BLOCK,
    FLEX_START,
    KARPENTER_ORDER,
    ON_DEMAND,
    RESERVED,
    SPOT,
)

NODE_GROUP, NODE_POOL = "aws:eks/nodeGroup:NodeGroup", "kubernetes:karpenter.sh/v1:NodePool"
GKE_POOL, COMPUTE_CLASS = "gcp:container/nodePool:NodePool", "kubernetes:cloud.google.com/v1:ComputeClass"
NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
# Meters by the disk types of Google's nodes; GKE gives a balanced one where none is said.
DISKS = {None: "gcp-disk", "pd-balanced": "gcp-disk", "hyperdisk-balanced": "gcp-hyperdisk"}
TEMPLATE, SUBNET = "aws:ec2/launchTemplate:LaunchTemplate", "aws:ec2/subnet:Subnet"


@dataclass(frozen=True)
class Nodes:
    """Nodes of one pool in a region.

    `purchases` are the ways of buying them in order of preference, `links` the same with the cheapest machine of the
    pool's types; there are none where the catalogue has none of the types in that region. `on_demand` is what would be
    bought if all were bought on demand. `count` is None where it can't be known before it is made."""

    types: tuple[str, ...]
    region: str
    purchases: tuple[str, ...]
    links: tuple[Link, ...]
    on_demand: Link | None
    count: CostRange | None
    disk_gib: float

    @cached_property
    def first(self) -> Link | None:
        """What is bought while the first way that has a price has machines."""
        return next((link for link in self.links if link.quote), self.links[0] if self.links else None)

    @property
    def machine(self) -> Machine | None:
        """The machine type of the first way of buying that has a price; None where none has."""
        return self.first.machine if self.first else None

    @property
    def purchase(self) -> str:
        """The way of buying that is counted on."""
        return self.first.purchase if self.first else self.purchases[0]

    @property
    def vcpus(self) -> int:
        """The vCPUs of one node; 0 where its machine type is not known."""
        return self.machine.vcpus if self.machine else 0

    @property
    def usd(self) -> CostRange | None:
        """An hour of a node: in the cheapest zone, as expected, and bought the dearest way in the dearest zone."""
        quote = self.first.quote if self.first else None
        if quote is None:
            return None
        return CostRange(quote.low, quote.usd, max(link.quote.high for link in self.links if link.quote))


def nodes_of(graph: ResourceGraph) -> list[Nodes]:
    """Every pool on AWS that has, or can grow, nodes."""
    return [graph.once(_pools)[made.urn] for made in (*graph.of(NODE_GROUP), *graph.of(NODE_POOL))]


def all_pools(graph: ResourceGraph) -> Iterator[tuple[Resource, Nodes]]:
    """Every pool of both clouds, with the resource that makes it."""
    return ((graph.by_urn[urn], nodes) for urn, nodes in graph.once(_pools).items())


def google_nodes(graph: ResourceGraph) -> list[CostRange | None]:
    """How many nodes each pool on Google has."""
    return [graph.once(_pools)[pool.urn].count for pool in graph.of(GKE_POOL)]


def node_group(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """A managed node group: its desired size is what is counted on."""
    return _lines(graph.once(_pools)[resource.urn], resource, graph, "gp3")


def node_pool(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """A Karpenter NodePool: nothing at least, its limit at most; expected is what the stack's own pods ask for."""
    return _lines(graph.once(_pools)[resource.urn], resource, graph, "gp3")


def gke_pool(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """A GKE node pool: fixed, or between its limits; expected is then what the stack's own pods ask for. Of a chain the
    dearest node pool alone counts at its maximum: together they have the nodes of one pool."""
    nodes = graph.once(_pools)[resource.urn]
    kind = plain(resource.inputs, "nodeConfig", "diskType")
    return _lines(nodes, resource, graph, DISKS.get(kind, f"GiB of {kind}"))


def _pools(graph: ResourceGraph) -> Mapping[str, Nodes]:
    """The nodes of every pool of both clouds, by the URN of the resource that makes it."""
    groups = {group.urn: _of_group(group, graph) for group in graph.of(NODE_GROUP)}
    pools = {pool.urn: _of_pool(pool, graph) for pool in graph.of(NODE_POOL)}
    google = {pool.urn: _of_gke_pool(pool, graph) for pool in graph.of(GKE_POOL)}
    return {**groups, **pools, **google, **_cheaper_in_chains(graph, google)}


def _lines(nodes: Nodes, resource: Resource, graph: ResourceGraph, disk: str) -> Iterator[Line | Metered]:
    usd, on_demand = nodes.usd, nodes.on_demand.quote if nodes.on_demand else None
    yield Line(
        _name(nodes),
        nodes.count,
        usd.times(MONTH_HOURS) if usd else None,
        on_demand.usd * MONTH_HOURS if on_demand else None,
        tuple(Fact.of(price) for link in nodes.links if link.quote for price in link.quote.prices),
        _hour_of(nodes.first),
    )
    if nodes.disk_gib:
        count = nodes.count.times(nodes.disk_gib) if nodes.count else None
        yield from metered_line(graph, resource, disk, count)


def _hour_of(link: Link | None) -> CostRange | None:
    quote = link.quote if link else None
    return CostRange(quote.low, quote.usd, quote.high) if quote else None


def _name(nodes: Nodes) -> str:
    types = " or ".join(nodes.types) or "nodes of a machine that is not known"
    return f"{nodes.machine.machine_type if nodes.machine else types} {' or '.join(nodes.purchases)}"


def _of_group(group: Resource, graph: ResourceGraph) -> Nodes:
    template = graph.behind(group, "launchTemplate", TEMPLATE)
    types = _words(group.inputs.get("instanceTypes"))
    if not types and template:
        types = _words([template.inputs.get("instanceType")])
    scaling = group.inputs.get("scalingConfig") or {}
    count = _range(*(scaling.get(size) for size in ("minSize", "desiredSize", "maxSize")))
    mappings = template.inputs.get("blockDeviceMappings") if template else None
    disk = sum(_gib((disk.get("ebs") or {}).get("volumeSize")) for disk in mappings or ())
    zones = [
        subnet.inputs.get("availabilityZoneId") for subnet in graph.all_behind(group, "subnetIds", SUBNET)
    ]
    kind = str(group.inputs.get("capacityType"))
    purchase = {"SPOT": SPOT, "CAPACITY_BLOCK": CAPACITY_BLOCK}.get(kind, ON_DEMAND)
    return _nodes(types, graph.region(group), [purchase], _words(zones), count, disk)


def _of_pool(pool: Resource, graph: ResourceGraph) -> Nodes:
    spec = pool.inputs.get("spec") or {}
    template = (spec.get("template") or {}).get("spec") or {}
    asked = {need.get("key"): _words(need.get("values")) for need in template.get("requirements") or ()}
    types = asked.get(INSTANCE_TYPE_LABEL, ())
    purchases = [each for each in KARPENTER_ORDER if each in asked.get(CAPACITY_TYPE_LABEL, ())]
    annotations = (pool.inputs.get("metadata") or {}).get("annotations") or {}
    zones = tuple(str(annotations.get(labels.ZONE_IDS) or "").split())
    region = _region_of(zones, asked.get(ZONE_LABEL, ())) or graph.region(pool)
    of_class = (template.get("nodeClassRef") or {}).get("name")
    nodes = _nodes(types, region, purchases or [ON_DEMAND], zones, None, _class_disk(graph, of_class))
    per_node = _gpus_of_node(nodes, ((spec.get("template") or {}).get("metadata") or {}).get("labels"))
    most = _most(spec.get("limits") or {}, per_node, nodes.machine)
    expected = node_counts.of_node_pool(pool, graph, per_node)
    if most is None or expected is None:
        return nodes
    # A reservation is paid whether it is used or not; it is taken as large as the pool may grow.
    held = most if nodes.purchase == RESERVED else 0
    return replace(nodes, count=CostRange(held, max(held, min(expected, most)), most))


def _gpus_of_node(nodes: Nodes, of_nodes: Mapping[str, Any] | None) -> int:
    """How many GPUs a node is to pods: more than the machine has where they are shared."""
    shares = number((of_nodes or {}).get(labels.GPU_SHARES))
    return int(shares or (nodes.machine.gpu_count if nodes.machine else 0) or 1)


def _region_of(zone_ids: Sequence[str], zone_names: Sequence[str]) -> str:
    """Of a NodePool, which has no region of its own; empty where its zones are unknown or abroad.

    The GPU pools of this platform say the IDs of their zones; that of system nodes, and others' pools, the names alone,
    a region's name and a letter.
    """
    if zone_ids and (place := region_of_zone(zone_ids[0])):
        return place.name
    return next((region for region in REGIONS if zone_names and zone_names[0][:-1] == region), "")


def _most(limits: Mapping[str, Any], per_node: int, machine: Machine | None) -> float | None:
    """Nodes that a NodePool's limits let it have: so many GPUs, or so many vCPUs."""
    if labels.GPU_RESOURCE not in limits and machine:
        vcpus = number(limits.get("cpu"))
        return None if vcpus is None else vcpus // machine.vcpus
    gpus = number(limits.get(labels.GPU_RESOURCE))
    return None if gpus is None else gpus // per_node


def _of_gke_pool(pool: Resource, graph: ResourceGraph) -> Nodes:
    config = pool.inputs.get("nodeConfig") or {}
    type_, gpus = str(config.get("machineType")), config.get("guestAccelerators") or ()
    if type_.startswith("n1-") and gpus:
        # The one family whose GPUs are chosen apart: the catalogue's name has both.
        type_ = f"{type_}+{gpus[0].get('count')}x{str(gpus[0].get('type')).rpartition('-')[2].upper()}"
    purchase, zones = _gke_purchase(config), _words(pool.inputs.get("nodeLocations"))
    nodes = _nodes((type_,), graph.region(pool), [purchase], zones, None, _gib(config.get("diskSizeGb")))
    scaling = pool.inputs.get("autoscaling")
    if scaling:
        return replace(nodes, count=_elastic(pool, graph, nodes, scaling, len(zones) or 1))
    fixed = number(pool.inputs.get("nodeCount"))
    return nodes if fixed is None else replace(nodes, count=CostRange.always(fixed * (len(zones) or 1)))


def _gke_purchase(config: Mapping[str, Any]) -> str:
    if config.get("spot") is True:
        return SPOT
    if config.get("flexStart") is True:
        return FLEX_START
    kind = (config.get("reservationAffinity") or {}).get("consumeReservationType")
    return RESERVED if kind == "SPECIFIC_RESERVATION" else ON_DEMAND


def _elastic(
    pool: Resource, graph: ResourceGraph, nodes: Nodes, scaling: dict[str, Any], zones: int
) -> CostRange | None:
    """GKE's limits are for each zone, or `total…` for all."""
    if "totalMaxNodeCount" in scaling:
        least, most = number(scaling.get("totalMinNodeCount", 0)), number(scaling["totalMaxNodeCount"])
    else:
        each = (number(scaling.get("minNodeCount", 0)), number(scaling.get("maxNodeCount")))
        least, most = (None if count is None else count * zones for count in each)
    config = pool.inputs.get("nodeConfig") or {}
    stated = (config.get("resourceLabels") or {}).get(labels.EXPECTED_NODES_GKE)
    expected = number(str(stated).replace("-", "."))
    if expected is None:
        of_nodes = config.get("labels") or {}
        per_node = _gpus_of_node(nodes, of_nodes)
        expected = node_counts.asked(graph, of_nodes.get(labels.POOL_LABEL), per_node)
    if least is None or most is None or expected is None:
        return None
    held = most if nodes.purchase == RESERVED else least
    return CostRange(held, min(max(held, expected), most), most)


def _cheaper_in_chains(graph: ResourceGraph, nodes: Mapping[str, Nodes]) -> Mapping[str, Nodes]:
    """The node pools of each ComputeClass but its dearest (of two alike: the one that it tries later), with no more
    nodes at their maximum than expected: together they have the nodes of one pool."""
    cheaper: dict[str, Nodes] = {}
    seen: set[str] = set()
    for chain in graph.of(COMPUTE_CLASS):
        priorities = (chain.inputs.get("spec") or {}).get("priorities") or ()
        tried = [called for step in priorities for called in step.get("nodepools") or ()]
        order = {name: at for at, name in reversed(list(enumerate(tried)))}
        pools = [pool.urn for pool in graph.of(GKE_POOL) if pool.inputs.get("name") in order]
        dearest = max(
            pools, key=lambda urn: (_hour(nodes[urn]), order[graph.by_urn[urn].inputs["name"]]), default=""
        )
        for urn in pools:
            count = nodes[urn].count
            if urn not in seen and urn != dearest and count:
                cheaper[urn] = replace(nodes[urn], count=replace(count, high=count.expected))
        seen.update(pools)
    return cheaper


def _hour(nodes: Nodes) -> float:
    return nodes.usd.high if nodes.usd else 0


def _nodes(
    types: tuple[str, ...],
    region: str,
    purchases: Sequence[str],
    zones: tuple[str, ...],
    count: CostRange | None,
    disk_gib: float,
) -> Nodes:
    bought = tuple(found for each in purchases if (found := _cheapest(types, region, each, zones)))
    on_demand = _cheapest(types, region, ON_DEMAND, zones)
    return Nodes(types, region, tuple(purchases), bought, on_demand, count, disk_gib)


@lru_cache(maxsize=1000)
def _cheapest(types: tuple[str, ...], region: str, purchase: str, zones: tuple[str, ...]) -> Link | None:
    """What is bought of a list of types. None abroad, and where the catalogue has none of them."""
    here = machines(region) if region in REGIONS else ()
    known = [machine for machine in here if machine.machine_type in types]
    return cheapest(known, purchase, zones) if known else None


def _class_disk(graph: ResourceGraph, name: object) -> float:
    """GiB of the disks that Karpenter gives a node of the class with this name."""
    for found in graph.of(NODE_CLASS):
        if (found.inputs.get("metadata") or {}).get("name") != name:
            continue
        disks = (found.inputs.get("spec") or {}).get("blockDeviceMappings") or ()
        return sum(_gib((disk.get("ebs") or {}).get("volumeSize")) for disk in disks)
    return 0


def _words(given: Any) -> tuple[str, ...]:
    return tuple(word for word in given if isinstance(word, str)) if isinstance(given, list | tuple) else ()


def _gib(size: Any) -> float:
    return number(str(size).removesuffix("Gi")) or 0


def _range(*figures: Any) -> CostRange | None:
    known = [known for known in map(number, figures) if known is not None]
    return CostRange(*known) if len(known) == len(figures) else None
