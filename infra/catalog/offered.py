"""Whether what a stack asks for exists in its region: a check for `reading.load`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from ipaddress import IPv4Network

from pydantic.alias_generators import to_camel

from infra.catalog.choose import NoMachineError
from infra.catalog.gpus import gpus
from infra.catalog.kubernetes_versions import kubernetes_versions
from infra.catalog.machines import machines
from infra.catalog.mig import check_sharing
from infra.catalog.resolved import Resolve, ResolvedPool, resolve
from infra.geography import Cloud, regions_of
from infra.settings.errors import NOTHING, Problem
from infra.settings.networks import LARGEST_PODS_PREFIX, LARGEST_PREFIX
from infra.settings.pools import GpuPool
from infra.settings.purchase import FLEX_START, in_words
from infra.settings.valid_parts import CloudParts, Parts
from infra.spelling import nearest

# What an EKS node takes of its subnet: an address of its own, and two prefixes of 16 for pods, one of them kept warm
# (VPC CNI with prefix delegation, as infra/aws/addons.py sets it up). Interfaces that are EFA alone take none.
NODE_ADDRESSES = 1 + 2 * 16


def _eks_nodes(prefix: int) -> int:
    """In a zone's private subnet, a quarter of the network, of which AWS keeps five: pools may all be in one zone."""
    return (2 ** (32 - prefix - 2) - 5) // NODE_ADDRESSES


# How many nodes a network of some prefix has room for, and the largest prefix that the cloud takes, by setting. GKE
# gives a node a /24 for pods (110 at most), and keeps four addresses of a subnet.
ROOM: Mapping[str, tuple[Callable[[int], int], int]] = {
    "aws.network.cidr": (_eks_nodes, LARGEST_PREFIX),
    "gcp.network.cidr": (lambda prefix: 2 ** (32 - prefix) - 4, LARGEST_PREFIX),
    "gcp.network.podsCidr": (lambda prefix: 2 ** (24 - prefix), LARGEST_PODS_PREFIX),
}


def check_offered(parts: Parts, resolve: Resolve = resolve) -> list[Problem]:
    """Problems with the Kubernetes version, the system machines, and pools that no machine of the region serves."""
    problems = [problem for cloud in parts.clouds for problem in _offered(cloud, resolve)]
    return problems + [
        Problem(f"{path}.gpu", pool.gpu, ", ".join(gpus()), nearest(pool.gpu, gpus()))
        for path, pool in parts.site.pools.items()
        if pool.gpu not in gpus()
    ]


def _offered(parts: CloudParts, resolve: Resolve) -> list[Problem]:
    problems = _version(parts, date.today()) + _addresses(parts)
    if parts.region not in regions_of(parts.cloud):
        return problems  # the settings say so; which machines there are can't be known
    if parts.system:
        problems += _system_machine(parts.cloud, parts.region, parts.system.machine_type)
    for path, pool in parts.pools.items():
        problems += _pool(parts.region, path, pool, resolve)
    return problems


def _version(parts: CloudParts, today: date) -> list[Problem]:
    supported = {
        version: f"{version} (to {known.standard_support_until})" if known.standard_support_until else version
        for version, known in kubernetes_versions(parts.cloud).items()
        if known.standard_support_until is None or today <= known.standard_support_until
    }
    if not supported:
        return []  # the table is older than the versions: it can't say what is in support
    if parts.version is None or parts.version in supported:
        return []
    allowed = ", ".join(supported.values())
    return [Problem(f"{parts.cloud}.cluster.version", parts.version, allowed, list(supported)[-1])]


def _addresses(parts: CloudParts) -> list[Problem]:
    """The networks must have room for every node that there may be."""
    nodes = sum(pool.most_nodes for pool in parts.pools.values())
    nodes += parts.system.max_nodes if parts.system else 0
    return [
        problem
        for path, cidr in parts.ranges.items()
        if path in ROOM
        for problem in _room(path, IPv4Network(cidr), nodes)
    ]


def _room(path: str, network: IPv4Network, nodes: int) -> list[Problem]:
    holds, largest = ROOM[path]
    if holds(network.prefixlen) >= nodes:
        return []
    fitting = next(
        (prefix for prefix in range(network.prefixlen, largest - 1, -1) if holds(prefix) >= nodes), None
    )
    allowed = (
        f"room for the {nodes} nodes of all pools: /{network.prefixlen} has it for {holds(network.prefixlen)}"
    )
    if fitting is None:
        allowed += f", and /{largest}, the largest, for {holds(largest)}"
    return [
        Problem(path, str(network), allowed, str(network.supernet(new_prefix=fitting)) if fitting else None)
    ]


def _system_machine(cloud: Cloud, region: str, machine_type: str) -> list[Problem]:
    cpu_machines = [machine.machine_type for machine in machines(region) if not machine.gpu]
    if machine_type in cpu_machines:
        return []
    near = nearest(machine_type, cpu_machines)
    return [Problem(f"{cloud}.cluster.system.machineType", machine_type, ", ".join(cpu_machines), near)]


def _pool(region: str, path: str, pool: GpuPool, resolve: Resolve) -> list[Problem]:
    try:
        resolved = resolve(region, pool)
    except NoMachineError as error:
        setting = to_camel("purchase" if error.asked == "zones" else error.asked)
        given = in_words(pool.purchase) if setting == "purchase" else error.given
        return [Problem(f"{path}.{setting}", given, error.allowed, error.near)]
    shared = check_sharing(path, resolved.machine.gpu, pool.sharing)
    return _sold_ways(path, resolved) or _zone(path, resolved) or shared


def _sold_ways(path: str, resolved: ResolvedPool[GpuPool]) -> list[Problem]:
    """Each way of a chain must be one in which its machine is sold: a node pool of another would never have a node."""
    pool, machine = resolved.settings, resolved.machine
    sold = [purchase for purchase in pool.purchase if machine.sold_as(purchase)]
    if len(sold) == len(pool.purchase):
        return []
    more = [
        purchase
        for purchase in machine.purchases
        if purchase == FLEX_START and purchase not in sold and not pool.static
    ]
    allowed = f"of {', '.join(machine.purchases)}: {machine.machine_type} is sold in no other way"
    return [Problem(f"{path}.purchase", in_words(pool.purchase), allowed, in_words([*sold, *more]))]


def _zone(path: str, resolved: ResolvedPool[GpuPool]) -> list[Problem]:
    pool = resolved.settings
    if pool.zone is None and pool.static and pool.capacity_reservation:
        needed = "the zone of the capacity block or reservation"
        return [Problem(f"{path}.zone", NOTHING, needed, resolved.zones[0])]
    if pool.zone and not pool.static:
        return [
            Problem(f"{path}.zone", pool.zone, "only with a fabric, a placementGroup or a capacity block")
        ]
    return []
