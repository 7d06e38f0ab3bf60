"""Nodes in the bill: how many a node group or a NodePool has at least, as expected and at most, and what each costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from infra.catalog.machines import MONTH_HOURS, Machine, machines
from infra.contracts import labels
from infra.geography import REGIONS
from infra.pricing import services
from infra.pricing.lines import CostRange, Line
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.purchase import FLEX_START, KARPENTER_ORDER, ON_DEMAND, RESERVED, SPOT

NODE_GROUP, NODE_POOL = "aws:eks/nodeGroup:NodeGroup", "kubernetes:karpenter.sh/v1:NodePool"
GKE_POOL = "gcp:container/nodePool:NodePool"
NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
# Pods by what makes them: where their number stands.
PODS = {
    "kubernetes:apps/v1:Deployment": "replicas",
    "kubernetes:apps/v1:StatefulSet": "replicas",
    "kubernetes:batch/v1:Job": "parallelism",
}


@dataclass(frozen=True)
class Nodes:
    """Nodes of one pool. `machine` is None where the catalogue has none of the types in that region, `count` where it
    can't be
    known before it is made."""

    types: tuple[str, ...]
    machine: Machine | None
    purchase: str
    count: CostRange | None
    disk_gib: float

    @property
    def vcpus(self) -> int:
        return self.machine.vcpus if self.machine else 0


def nodes_of(graph: ResourceGraph) -> list[Nodes]:
    """Every pool of the stack that has, or can grow, nodes."""
    groups = [_of_group(group, graph) for group in graph.of(NODE_GROUP)]
    return [
        *groups,
        *(_of_pool(pool, graph) for pool in graph.of(NODE_POOL)),
    ]  # GuardDuty does not see Google's


def node_group(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """A managed node group: what stands is what is expected."""
    return _lines(_of_group(resource, graph), graph.region(resource))


def node_pool(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """A Karpenter NodePool: nothing at least, its limit at most; expected is what the stack's own pods ask for."""
    return _lines(_of_pool(resource, graph), graph.region(resource))


def gke_pool(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """A GKE node pool: fixed, or between its limits; expected is then what the stack's own pods ask for."""
    return _lines(_of_gke_pool(resource, graph), graph.region(resource), disk="gcp-disk")


def _lines(nodes: Nodes, region: str, disk: str = "gp3") -> Iterator[Line]:
    machine, on_demand = nodes.machine, nodes.machine.on_demand_usd if nodes.machine else None
    name = (
        machine.machine_type
        if machine
        else " or ".join(nodes.types) or "nodes of a machine that is not known"
    )
    usd = machine.price(nodes.purchase) if machine else None
    yield Line(f"{name} {nodes.purchase}", nodes.count, _month(usd), _month(on_demand))
    found = services.meter(disk, region)
    if nodes.disk_gib and found:
        count = nodes.count.times(nodes.disk_gib) if nodes.count else None
        yield Line(found.what, count, found.usd, found.usd)


def _month(usd_hour: float | None) -> float | None:
    return None if usd_hour is None else usd_hour * MONTH_HOURS


def _of_group(group: Resource, graph: ResourceGraph) -> Nodes:
    template = graph.behind(group, "launchTemplate", TEMPLATE)
    types = _words(group.inputs.get("instanceTypes"))
    if not types and template:
        types = _words([template.inputs.get("instanceType")])
    purchase = {"SPOT": "spot"}.get(str(group.inputs.get("capacityType")), "on-demand")
    scaling = group.inputs.get("scalingConfig") or {}
    count = _span(*(scaling.get(size) for size in ("minSize", "desiredSize", "maxSize")))
    mappings = template.inputs.get("blockDeviceMappings") if template else None
    disk = sum(_gib((disk.get("ebs") or {}).get("volumeSize")) for disk in mappings or ())
    return Nodes(types, _cheapest(types, graph.region(group), purchase), purchase, count, disk)


def _of_pool(pool: Resource, graph: ResourceGraph) -> Nodes:
    spec = pool.inputs.get("spec") or {}
    template = (spec.get("template") or {}).get("spec") or {}
    asked = {need.get("key"): _words(need.get("values")) for need in template.get("requirements") or ()}
    types = asked.get("node.kubernetes.io/instance-type", ())
    ways = [way for way in KARPENTER_ORDER if way in asked.get("karpenter.sh/capacity-type", ())]
    zones = asked.get("topology.kubernetes.io/zone", ())
    of_zone = re.sub(r"[a-z]$", "", zones[0]) if zones else ""
    region = of_zone if of_zone in REGIONS else graph.region(pool)
    machine, purchase = _first_offered(types, region, ways or [ON_DEMAND])
    per_node = machine.gpu_count if machine and machine.gpu_count else 1
    limit = _number((spec.get("limits") or {}).get(labels.GPU))
    expected = _expected(pool, graph, per_node)
    count = None
    if limit is not None and expected is not None:
        count = CostRange(0, min(expected, limit // per_node), limit // per_node)
    return Nodes(types, machine, purchase, count, _class_disk(graph))


def _of_gke_pool(pool: Resource, graph: ResourceGraph) -> Nodes:
    config = pool.inputs.get("nodeConfig") or {}
    type_, gpus = str(config.get("machineType")), config.get("guestAccelerators") or ()
    if type_.startswith("n1-") and gpus:
        # The one family whose GPUs are chosen apart: the catalogue's name has both.
        type_ = f"{type_}+{gpus[0].get('count')}x{str(gpus[0].get('type')).rpartition('-')[2].upper()}"
    purchase = _gke_purchase(config)
    machine = _cheapest((type_,), graph.region(pool), purchase)
    zones = len(_words(pool.inputs.get("nodeLocations"))) or 1
    scaling = pool.inputs.get("autoscaling")
    if not scaling:
        fixed = _number(pool.inputs.get("nodeCount"))
        count = None if fixed is None else CostRange.always(fixed * zones)
    else:
        count = _elastic(pool, graph, machine, scaling, zones)
    return Nodes((type_,), machine, purchase, count, _gib(config.get("diskSizeGb")))


def _gke_purchase(config: Mapping[str, Any]) -> str:
    if config.get("spot") is True:
        return SPOT
    if config.get("flexStart") is True:
        return FLEX_START
    kind = (config.get("reservationAffinity") or {}).get("consumeReservationType")
    return RESERVED if kind == "SPECIFIC_RESERVATION" else ON_DEMAND


def _elastic(
    pool: Resource, graph: ResourceGraph, machine: Machine | None, scaling: dict[str, Any], zones: int
) -> CostRange | None:
    """GKE's limits are for each zone, or `total…` for all."""
    if "totalMaxNodeCount" in scaling:
        least, most = _number(scaling.get("totalMinNodeCount", 0)), _number(scaling["totalMaxNodeCount"])
    else:
        each = _number(scaling.get("minNodeCount", 0)), _number(scaling.get("maxNodeCount"))
        least, most = (None if nodes is None else nodes * zones for nodes in each)
    config = pool.inputs.get("nodeConfig") or {}
    said = (config.get("resourceLabels") or {}).get(labels.EXPECTED_NODES_GKE)
    expected = _number(str(said).replace("-", "."))
    if expected is None:
        per_node = machine.gpu_count if machine and machine.gpu_count else 1
        expected = _asked(graph, (config.get("labels") or {}).get(labels.POOL), per_node)
    if least is None or most is None or expected is None:
        return None
    return CostRange(least, min(max(least, expected), most), most)


def _first_offered(types: Sequence[str], region: str, ways: Sequence[str]) -> tuple[Machine | None, str]:
    """What a chain buys while its first way has machines: the first way with a price, and what is cheapest then."""
    found = [(_cheapest(types, region, way), way) for way in ways]
    return next(((one, way) for one, way in found if one and one.price(way) is not None), found[0])


def _cheapest(types: Sequence[str], region: str, purchase: str) -> Machine | None:
    """What is bought of a list of types, as Karpenter and EKS would: the cheapest with a price. None abroad."""
    if region not in REGIONS:
        return None
    found = [machine for machine in machines(region) if machine.machine_type in types]
    return min(found, key=lambda machine: machine.price(purchase) or float("inf"), default=None)


def _expected(pool: Resource, graph: ResourceGraph, per_node: int) -> float | None:
    metadata = pool.inputs.get("metadata") or {}
    said = (metadata.get("annotations") or {}).get(labels.EXPECTED_NODES)
    if said is not None:
        return _number(said)
    return _asked(graph, metadata.get("name"), per_node)


def _asked(graph: ResourceGraph, pool: object, per_node: int) -> float | None:
    """Nodes that the stack's own pods need of a pool, whole ones."""
    gpus = 0.0
    for made in (found for type_ in PODS for found in graph.of(type_)):
        asked = _gpus(made, pool)
        if asked is None:
            return None
        gpus += asked
    return ceil(gpus / per_node)


def _gpus(made: Resource, pool: object) -> float | None:
    """GPUs that the pods of a Deployment, StatefulSet or Job ask of one pool.

    A Job with a deadline, such as a proof, is over within hours: a month doesn't see it.
    """
    spec = made.inputs.get("spec") or {}
    if spec.get("activeDeadlineSeconds") is not None:
        return 0
    pod = (spec.get("template") or {}).get("spec") or {}
    if (pod.get("nodeSelector") or {}).get(labels.POOL) != pool:
        return 0
    limits = [(one.get("resources") or {}).get("limits") or {} for one in pod.get("containers") or ()]
    figures = [
        _number(spec.get(PODS[made.type], 1)),
        *(_number(limit.get(labels.GPU, 0)) for limit in limits),
    ]
    known = [figure for figure in figures if figure is not None]
    return known[0] * sum(known[1:]) if len(known) == len(figures) else None


def _class_disk(graph: ResourceGraph) -> float:
    """GiB of the disks that Karpenter gives a node: of the first node class, which all pools of ours share."""
    for found in graph.of(NODE_CLASS):
        disks = (found.inputs.get("spec") or {}).get("blockDeviceMappings") or ()
        return sum(_gib((disk.get("ebs") or {}).get("volumeSize")) for disk in disks)
    return 0


def _words(given: Any) -> tuple[str, ...]:
    return tuple(word for word in given if isinstance(word, str)) if isinstance(given, list | tuple) else ()


def _gib(size: Any) -> float:
    return _number(str(size).removesuffix("Gi")) or 0


def _span(*figures: Any) -> CostRange | None:
    known = [number for number in map(_number, figures) if number is not None]
    return CostRange(*known) if len(known) == len(figures) else None


def _number(given: Any) -> float | None:
    """A number, also as text, as Kubernetes has its quantities; None for what is not there or can't be known."""
    try:
        return float(given)
    except (TypeError, ValueError):
        return None
