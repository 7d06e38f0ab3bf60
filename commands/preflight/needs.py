"""What a stack needs of an account, counted from the resources that the program registers, with its pools grown to
their maximum."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field

from infra import geography
from infra.catalog.machines import machines
from infra.catalog.resolved import ResolvedPool
from infra.catalog.tables import DATA, Basis, Row, Words, read
from infra.pricing.nodes import NODE_GROUP, Nodes, nodes_of
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.aws import Aws
from infra.settings.aws_pools import AwsPool
from infra.settings.pools import SYSTEM_POOL

HERE = Path(__file__).parent
SUBNET, NAT, ENDPOINT = (
    "aws:ec2/subnet:Subnet",
    "aws:ec2/natGateway:NatGateway",
    "aws:ec2/vpcEndpoint:VpcEndpoint",
)
GIB_IN_TIB = 1024
# EC2 counts vCPUs by the letters that a machine type begins with; these share one quota.
STANDARD = frozenset({"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"})
G = frozenset({"g", "gr", "vt"})


class QuotaRow(Row):
    """A Service Quotas quota. `codes` are tried in turn until the account knows one; `counts` says what `counted`
    counts; `per` is where it holds; `default` is what a new account has, where that is published."""

    service: str
    codes: Words
    name: str
    counts: str
    per: Literal["region", "zone", "vpc", "cluster", "group", "account"]
    default: float | Literal[""]
    basis: Basis


class ServiceRoleRow(Row):
    """A service-linked role; `when` is what needs it (spot, or a resource type), `made` how it comes to be."""

    service: str
    role: str
    when: str
    made: str = Field(min_length=1)


@dataclass(frozen=True)
class Need:
    """So much of a quota, in one region: with each pool's cheapest machine, and `at_most` with its largest."""

    quota: QuotaRow
    region: str
    amount: float
    at_most: float


@dataclass(frozen=True)
class Placed:
    """Machine types that a pool is made of, and the zone IDs that it may be in. `exact` where it must be in all."""

    pool: str
    region: str
    types: tuple[str, ...]
    zones: tuple[str, ...]
    exact: bool


def quotas() -> list[QuotaRow]:
    """The quotas of AWS that a stack may need, with the values of a new account."""
    return read(DATA / "aws_quotas.csv", QuotaRow)


def service_roles(stack: ResourceGraph) -> list[ServiceRoleRow]:
    """The service-linked roles that the stack's resources need."""
    spot = any(purchase == "spot" for _, purchase, _ in _pools(stack))
    return [
        role
        for role in read(HERE / "service_roles.csv", ServiceRoleRow)
        if (spot if role.when == "spot" else stack.of(role.when))
    ]


def needs(stack: ResourceGraph) -> list[Need]:
    """Every quota that the stack takes something of, in the order of the table."""
    found = []
    for region in regions(stack):
        have, most = counted(stack, region), counted(stack, region, largest=True)
        found += [
            Need(quota, region, have[quota.counts], most[quota.counts])
            for quota in quotas()
            if have[quota.counts]
        ]
    return found


def regions(stack: ResourceGraph) -> list[str]:
    """AWS regions that the stack's resources are in."""
    aws = (one for one in stack.by_urn.values() if one.type.startswith("aws:"))
    return sorted({region for one in aws if (region := stack.region(one))})


def counted(stack: ResourceGraph, region: str, *, largest: bool = False) -> dict[str, float]:
    """Amounts of one region by what the quotas count; pools of their cheapest machine, or of their largest."""
    here = [
        one for one in stack.by_urn.values() if one.type.startswith("aws:") and stack.region(one) == region
    ]
    have: dict[str, float] = defaultdict(float)
    for one in here:
        have[f"type {one.type}"] += 1
        if one.type == ENDPOINT:
            have[f"endpoints {one.inputs.get('vpcEndpointType') or 'Gateway'}"] += 1
    have["nat"] = max(_by_zone(stack, (one for one in here if one.type == NAT)).values(), default=0)
    gib = 0.0
    for nodes, purchase, most in _pools(stack):
        if nodes.region != region:
            continue
        have[f"vcpus {family(nodes.types, purchase)} {purchase}"] += most * _vcpus(nodes, region, largest)
        if purchase == _quota(nodes.purchase):  # a pool that may also buy on demand has its disks once
            gib += most * nodes.disk_gib
    groups = (
        one.inputs.get("scalingConfig") or {} for one in stack.of(NODE_GROUP) if stack.region(one) == region
    )
    have["nodes of a group"] = max((int(group.get("maxSize") or 0) for group in groups), default=0)
    have["gp3 TiB"] = ceil(gib / GIB_IN_TIB)
    return have


def family(types: Sequence[str], purchase: str) -> str:
    """What EC2 counts machine types under: standard, g, p, p5 (on spot), inf, trn and others."""
    letters = re.match(r"[a-z]+", types[0]) if types else None
    name = letters[0] if letters else ""
    if name in STANDARD:
        return "standard"
    if name in G:
        return "g"
    if name == "p" and purchase == "spot" and types[0].startswith("p5"):
        return "p5"
    return {"u": "high-memory"}.get(name, name)


def tags(stack: ResourceGraph) -> dict[str, str]:
    """The tags by which the stack's own resources are known, should it be up already."""
    head, project = next(iter(stack.by_urn)).split("::")[:2]
    return {"project": project, "stack": head.rpartition(":")[2]}


def placed(cloud: Aws, pools: Sequence[ResolvedPool[AwsPool]]) -> list[Placed]:
    """Where the machines of each pool, and of the system nodes, must be offered."""
    found = [_placed(pool, own_network=cloud.network.existing is None) for pool in pools]
    zones = geography.region(cloud.region).zones
    return [Placed(SYSTEM_POOL, cloud.region, (cloud.cluster.system.machine_type,), zones, False), *found]


def _placed(pool: ResolvedPool[AwsPool], *, own_network: bool) -> Placed:
    # A network that exists already may lack the cheapest zone: any that the machine is in would then do.
    known = own_network or pool.settings.zone is not None
    zones = pool.zones if known else pool.allowed_zones
    return Placed(
        pool.name, pool.region, pool.machine_types, tuple(sorted(zones)), known and pool.zone is not None
    )


def actions(types: Iterable[str]) -> tuple[list[str], list[str]]:
    """IAM actions that making these resource types takes, and the AWS types that the table lacks."""
    table: Mapping[str, list[str]] = yaml.safe_load((HERE / "actions.yaml").read_text())
    aws = sorted({type_ for type_ in types if type_.startswith("aws:")})
    wanted = {action for type_ in aws for action in table.get(type_, ())}
    return sorted(wanted), [type_ for type_ in aws if type_ not in table]


def _pools(stack: ResourceGraph) -> Iterator[tuple[Nodes, str, float]]:
    """Each pool with a way that it may buy, and the most nodes it grows to."""
    for nodes in nodes_of(stack):
        most = nodes.count.high if nodes.count else 0
        for purchase in dict.fromkeys(map(_quota, nodes.purchases)):
            yield nodes, purchase, most


def _quota(purchase: str) -> str:
    """Whose quota a way of buying takes: EC2 counts what is reserved as on-demand."""
    return "spot" if purchase == "spot" else "on-demand"


def _vcpus(nodes: Nodes, region: str, largest: bool) -> int:
    """Of the machine that is bought first, or of the one that is left when all others are out."""
    if not largest:
        return nodes.vcpus
    return max((one.vcpus for one in machines(region) if one.machine_type in nodes.types), default=0)


def _by_zone(stack: ResourceGraph, gateways: Iterable[Resource]) -> Counter[str]:
    subnets = (stack.behind(one, "subnetId", SUBNET) for one in gateways)
    return Counter(str(subnet.inputs.get("availabilityZoneId")) for subnet in subnets if subnet)
