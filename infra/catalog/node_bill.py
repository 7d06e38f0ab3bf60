"""Nodes in the bill: how many a node group or a NodePool has at least, as expected and at most, and what each costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from infra.catalog import services
from infra.catalog.bill import Line, Registered, Span, Stack
from infra.catalog.machines import MONTH_HOURS, Machine, machines
from infra.geography import REGIONS
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
POOL_LABEL, GPU = "india-ai-infra/pool", "nvidia.com/gpu"
# On a NodePool: how many nodes its people count on, where the stack's own pods don't tell.
EXPECTED_NODES = "india-ai-infra/expected-nodes"
EXPECTED_LABEL = "expected-nodes"  # the same on a GKE node pool, among its resource labels, with 0.5 as 0-5


@dataclass(frozen=True)
class Nodes:
    """Nodes of one pool. `machine` is None where the catalogue has none of the types in that region, `count` where it
    can't be
    known before it is made."""

    types: tuple[str, ...]
    machine: Machine | None
    purchase: str
    count: Span | None
    disk_gib: float

    @property
    def vcpus(self) -> int:
        return self.machine.vcpus if self.machine else 0


def nodes_of(stack: Stack) -> list[Nodes]:
    """Every pool of the stack that has, or can grow, nodes."""
    groups = [_of_group(group, stack) for group in stack.of(NODE_GROUP)]
    return [
        *groups,
        *(_of_pool(pool, stack) for pool in stack.of(NODE_POOL)),
    ]  # GuardDuty does not see Google's


def node_group(resource: Registered, stack: Stack) -> Iterator[Line]:
    """A managed node group: what stands is what is expected."""
    return _lines(_of_group(resource, stack), stack.region(resource))


def node_pool(resource: Registered, stack: Stack) -> Iterator[Line]:
    """A Karpenter NodePool: nothing at least, its limit at most; expected is what the stack's own pods ask for."""
    return _lines(_of_pool(resource, stack), stack.region(resource))


def gke_pool(resource: Registered, stack: Stack) -> Iterator[Line]:
    """A GKE node pool: fixed, or between its limits; expected is then what the stack's own pods ask for."""
    return _lines(_of_gke_pool(resource, stack), stack.region(resource), disk="gcp-disk")


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


def _of_group(group: Registered, stack: Stack) -> Nodes:
    template = stack.behind(group, "launchTemplate", TEMPLATE)
    types = _words(group.inputs.get("instanceTypes"))
    if not types and template:
        types = _words([template.inputs.get("instanceType")])
    purchase = {"SPOT": "spot"}.get(str(group.inputs.get("capacityType")), "on-demand")
    scaling = group.inputs.get("scalingConfig") or {}
    count = _span(*(scaling.get(size) for size in ("minSize", "desiredSize", "maxSize")))
    mappings = template.inputs.get("blockDeviceMappings") if template else None
    disk = sum(_gib((disk.get("ebs") or {}).get("volumeSize")) for disk in mappings or ())
    return Nodes(types, _cheapest(types, stack.region(group), purchase), purchase, count, disk)


def _of_pool(pool: Registered, stack: Stack) -> Nodes:
    spec = pool.inputs.get("spec") or {}
    template = (spec.get("template") or {}).get("spec") or {}
    asked = {need.get("key"): _words(need.get("values")) for need in template.get("requirements") or ()}
    types = asked.get("node.kubernetes.io/instance-type", ())
    ways = [way for way in KARPENTER_ORDER if way in asked.get("karpenter.sh/capacity-type", ())]
    zones = asked.get("topology.kubernetes.io/zone", ())
    of_zone = re.sub(r"[a-z]$", "", zones[0]) if zones else ""
    region = of_zone if of_zone in REGIONS else stack.region(pool)
    machine, purchase = _first_offered(types, region, ways or [ON_DEMAND])
    per_node = machine.gpu_count if machine and machine.gpu_count else 1
    most = _most(spec.get("limits") or {}, per_node, machine)
    expected = _expected(pool, stack, per_node)
    count = None
    if most is not None and expected is not None:
        count = Span(0, min(expected, most), most)
    of_class = (template.get("nodeClassRef") or {}).get("name")
    return Nodes(types, machine, purchase, count, _class_disk(stack, of_class))


def _most(limits: Mapping[str, Any], per_node: int, machine: Machine | None) -> float | None:
    """Nodes that a NodePool's limits let it have: so many GPUs, or so many vCPUs."""
    if GPU not in limits and machine:
        vcpus = _number(limits.get("cpu"))
        return None if vcpus is None else vcpus // machine.vcpus
    gpus = _number(limits.get(GPU))
    return None if gpus is None else gpus // per_node


def _of_gke_pool(pool: Registered, stack: Stack) -> Nodes:
    config = pool.inputs.get("nodeConfig") or {}
    type_, gpus = str(config.get("machineType")), config.get("guestAccelerators") or ()
    if type_.startswith("n1-") and gpus:
        # The one family whose GPUs are chosen apart: the catalogue's name has both.
        type_ = f"{type_}+{gpus[0].get('count')}x{str(gpus[0].get('type')).rpartition('-')[2].upper()}"
    purchase = _gke_purchase(config)
    machine = _cheapest((type_,), stack.region(pool), purchase)
    zones = len(_words(pool.inputs.get("nodeLocations"))) or 1
    scaling = pool.inputs.get("autoscaling")
    if not scaling:
        fixed = _number(pool.inputs.get("nodeCount"))
        count = None if fixed is None else Span.always(fixed * zones)
    else:
        count = _elastic(pool, stack, machine, scaling, zones)
    return Nodes((type_,), machine, purchase, count, _gib(config.get("diskSizeGb")))


def _gke_purchase(config: Mapping[str, Any]) -> str:
    if config.get("spot") is True:
        return SPOT
    if config.get("flexStart") is True:
        return FLEX_START
    kind = (config.get("reservationAffinity") or {}).get("consumeReservationType")
    return RESERVED if kind == "SPECIFIC_RESERVATION" else ON_DEMAND


def _elastic(
    pool: Registered, stack: Stack, machine: Machine | None, scaling: dict[str, Any], zones: int
) -> Span | None:
    """GKE's limits are for each zone, or `total…` for all."""
    if "totalMaxNodeCount" in scaling:
        least, most = _number(scaling.get("totalMinNodeCount", 0)), _number(scaling["totalMaxNodeCount"])
    else:
        each = _number(scaling.get("minNodeCount", 0)), _number(scaling.get("maxNodeCount"))
        least, most = (None if nodes is None else nodes * zones for nodes in each)
    config = pool.inputs.get("nodeConfig") or {}
    said = (config.get("resourceLabels") or {}).get(EXPECTED_LABEL)
    expected = _number(str(said).replace("-", "."))
    if expected is None:
        per_node = machine.gpu_count if machine and machine.gpu_count else 1
        expected = _asked(stack, (config.get("labels") or {}).get(POOL_LABEL), per_node)
    if least is None or most is None or expected is None:
        return None
    return Span(least, min(max(least, expected), most), most)


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


def _expected(pool: Registered, stack: Stack, per_node: int) -> float | None:
    metadata = pool.inputs.get("metadata") or {}
    said = (metadata.get("annotations") or {}).get(EXPECTED_NODES)
    if said is not None:
        return _number(said)
    return _asked(stack, metadata.get("name"), per_node)


def _asked(stack: Stack, pool: object, per_node: int) -> float | None:
    """Nodes that the stack's own pods need of a pool, whole ones."""
    gpus = 0.0
    for made in (found for type_ in PODS for found in stack.of(type_)):
        asked = _gpus(made, pool)
        if asked is None:
            return None
        gpus += asked
    return ceil(gpus / per_node)


def _gpus(made: Registered, pool: object) -> float | None:
    """GPUs that the pods of a Deployment, StatefulSet or Job ask of one pool.

    A Job with a deadline, such as a proof, is over within hours: a month doesn't see it.
    """
    spec = made.inputs.get("spec") or {}
    if spec.get("activeDeadlineSeconds") is not None:
        return 0
    pod = (spec.get("template") or {}).get("spec") or {}
    if (pod.get("nodeSelector") or {}).get(POOL_LABEL) != pool:
        return 0
    limits = [(one.get("resources") or {}).get("limits") or {} for one in pod.get("containers") or ()]
    figures = [_number(spec.get(PODS[made.type], 1)), *(_number(limit.get(GPU, 0)) for limit in limits)]
    known = [figure for figure in figures if figure is not None]
    return known[0] * sum(known[1:]) if len(known) == len(figures) else None


def _class_disk(stack: Stack, name: object) -> float:
    """GiB of the disks that Karpenter gives a node of the class with this name."""
    for found in stack.of(NODE_CLASS):
        if (found.inputs.get("metadata") or {}).get("name") != name:
            continue
        disks = (found.inputs.get("spec") or {}).get("blockDeviceMappings") or ()
        return sum(_gib((disk.get("ebs") or {}).get("volumeSize")) for disk in disks)
    return 0


def _words(given: Any) -> tuple[str, ...]:
    return tuple(word for word in given if isinstance(word, str)) if isinstance(given, list | tuple) else ()


def _gib(size: Any) -> float:
    return _number(str(size).removesuffix("Gi")) or 0


def _span(*figures: Any) -> Span | None:
    known = [number for number in map(_number, figures) if number is not None]
    return Span(*known) if len(known) == len(figures) else None


def _number(given: Any) -> float | None:
    """A number, also as text, as Kubernetes has its quantities; None for what is not there or can't be known."""
    try:
        return float(given)
    except (TypeError, ValueError):
        return None
