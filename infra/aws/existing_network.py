"""A VPC that exists already, instead of one made here: read and judged before anything is made in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws.iam import Account
from infra.aws.network import Network
from infra.contracts.labels import DISCOVERY_TAG
from infra.settings.aws import ExistingNetwork as Asked
from infra.settings.errors import Problem, SettingsError
from infra.spelling import nearest

SETTING = "aws.network.existing"
ANYWHERE = "0.0.0.0/0"
LEAST_ZONES = 2  # "Amazon EKS networking requirements for VPC and subnets", EKS User Guide
# A node's own address and two prefixes of 16 for pods, as the catalogue counts them; the control plane's interfaces.
NODE_ADDRESSES, CONTROL_PLANE_ADDRESSES = 33, 6


@dataclass(frozen=True)
class Vpc:
    """A VPC as AWS knows it. `dns` says whether it has DNS support and DNS hostnames, which private DNS needs."""

    id: str
    cidrs: tuple[str, ...]
    dns: bool


@dataclass(frozen=True)
class Subnet:
    """A subnet as AWS knows it. `leads_out` says whether its default route goes somewhere but to an internet gateway:
    NAT, a transit gateway, an appliance."""

    id: str
    vpc_id: str
    zone: str
    zone_name: str
    free_addresses: int
    route_table: str
    leads_out: bool
    tags: Mapping[str, str]
    cidr: str


@dataclass(frozen=True)
class Needs:
    """What the stack asks of the network: zone IDs by the pool that stands in them or may buy there, nodes at most, and
    the cluster's name, which Karpenter finds subnets by."""

    pools: Mapping[str, frozenset[str]]
    nodes: int
    cluster_name: str


def faults(asked: Asked, vpc: Vpc, subnets: Sequence[Subnet], needs: Needs) -> list[Problem]:
    """Everything that is wrong with the VPC and the subnets, each with the ids that would work.

    `subnets` are all of the VPC.
    """
    problems = []
    if not vpc.dns:
        allowed = (
            "a VPC with enableDnsSupport and enableDnsHostnames: the private endpoint is found by its name"
        )
        problems.append(Problem(f"{SETTING}.vpcId", vpc.id, allowed))
    return [*problems, *_faults_of_subnets(asked, subnets, needs)]


def _faults_of_subnets(asked: Asked, subnets: Sequence[Subnet], needs: Needs) -> list[Problem]:
    by_id = {subnet.id: subnet for subnet in subnets}
    working = [subnet.id for subnet in subnets if subnet.leads_out]
    problems = []
    for setting, ids in (
        ("privateSubnetIds", asked.private_subnet_ids),
        ("controlPlaneSubnetIds", asked.control_plane_subnet_ids),
    ):
        for index, subnet_id in enumerate(ids):
            if subnet_id not in by_id:
                allowed = f"a subnet of {asked.vpc_id}: {', '.join(by_id) or 'it has none'}"
                near = nearest(subnet_id, by_id)
                problems.append(Problem(f"{SETTING}.{setting}[{index}]", subnet_id, allowed, near))
    private = [by_id[subnet_id] for subnet_id in asked.private_subnet_ids if subnet_id in by_id]
    path = f"{SETTING}.privateSubnetIds"
    for subnet in private:
        at = f"{path}[{asked.private_subnet_ids.index(subnet.id)}]"
        problems += _faults_of_nodes_subnet(at, subnet, working, needs)
    control = asked.control_plane_subnet_ids or asked.private_subnet_ids
    zones = {by_id[subnet_id].zone for subnet_id in control if subnet_id in by_id}
    if not problems and len(zones) < LEAST_ZONES:
        others = [subnet.id for subnet in subnets if subnet.zone not in zones]
        allowed = f"subnets in {LEAST_ZONES} zones or more, as EKS asks; in another zone: {_listed(others)}"
        setting = "controlPlaneSubnetIds" if asked.control_plane_subnet_ids else "privateSubnetIds"
        problems.append(Problem(f"{SETTING}.{setting}", ", ".join(control), allowed))
    for zone in {subnet.zone for subnet in private}:
        alike = [subnet.id for subnet in private if subnet.zone == zone]
        if len(alike) > 1:
            problems.append(
                Problem(path, ", ".join(alike), f"one subnet a zone: all are in {zone}", alike[0])
            )
    return problems or _faults_of_room(path, private, subnets, needs)


def _faults_of_nodes_subnet(path: str, subnet: Subnet, working: Sequence[str], needs: Needs) -> list[Problem]:
    problems = []
    if not subnet.leads_out:
        allowed = f"a subnet whose default route leads to NAT or a transit gateway: {_listed(working)}"
        problems.append(Problem(path, subnet.id, allowed))
    if subnet.tags.get(DISCOVERY_TAG) != needs.cluster_name:
        allowed = f"a subnet with the tag {DISCOVERY_TAG}={needs.cluster_name}, by which Karpenter finds it"
        problems.append(Problem(path, subnet.id, allowed, f"tag {subnet.id} so"))
    return problems


def _faults_of_room(
    path: str, private: Sequence[Subnet], subnets: Sequence[Subnet], needs: Needs
) -> list[Problem]:
    problems = []
    zones = {subnet.zone for subnet in private}
    given = ", ".join(subnet.id for subnet in private)
    for pool, offered in needs.pools.items():
        if zones & offered:
            continue
        there = [subnet.id for subnet in subnets if subnet.zone in offered and subnet.leads_out]
        allowed = (
            f"a subnet where the machines of pool {pool} are ({', '.join(sorted(offered))}): {_listed(there)}"
        )
        problems.append(Problem(path, given, allowed))
    free = sum(subnet.free_addresses for subnet in private)
    wanted = needs.nodes * NODE_ADDRESSES + CONTROL_PLANE_ADDRESSES
    if free < wanted:
        allowed = f"{wanted} free addresses for the {needs.nodes} nodes of all pools: these have {free}"
        problems.append(Problem(path, given, allowed))
    return problems


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids) or "there is none"


@dataclass(frozen=True)
class NetworkFacts:
    """A VPC that will do: the subnets of the nodes and of the control plane."""

    vpc: Vpc
    private: Sequence[Subnet]
    control_plane: Sequence[Subnet]


def look(asked: Asked, needs: Needs, provider: pulumi.ProviderResource | None) -> NetworkFacts:
    """Read the VPC and its subnets, and wait for AWS' answers: whether anything is made depends on them.

    Raises:
        SettingsError: it is not there, or won't do; see `faults`.
    """
    reader = _Reader(pulumi.InvokeOptions(provider=provider))
    known = reader.vpcs()
    if asked.vpc_id not in known:
        allowed = f"a VPC of this account and region: {_listed(known)}"
        raise SettingsError(
            [Problem(f"{SETTING}.vpcId", asked.vpc_id, allowed, nearest(asked.vpc_id, known))]
        )
    vpc, subnets = reader.vpc(asked.vpc_id), reader.subnets(asked.vpc_id)
    if problems := faults(asked, vpc, subnets, needs):
        raise SettingsError(problems)
    by_id = {subnet.id: subnet for subnet in subnets}
    private = [by_id[subnet_id] for subnet_id in asked.private_subnet_ids]
    control = [by_id[subnet_id] for subnet_id in asked.control_plane_subnet_ids]
    return NetworkFacts(vpc, private, control or private)


class ExistingNetwork(pulumi.ComponentResource):
    """What `Network` offers, of a VPC that somebody else keeps.

    Nothing is made in it: endpoints, flow logs and ways out are its keeper's, and what has no endpoint there is reached
    through its NAT.
    """

    def __init__(
        self, name: str, account: Account, found: NetworkFacts, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("india-ai-infra:aws:ExistingNetwork", name, None, opts)
        of = pulumi.Output.from_input
        self.vpc_id = of(found.vpc.id)
        self.private_subnets = {subnet.zone: of(subnet.id) for subnet in found.private}
        self.zone_names = {subnet.zone: of(subnet.zone_name) for subnet in found.private}
        self.private_subnet_ids = list(self.private_subnets.values())
        self.intra_subnet_ids = [of(subnet.id) for subnet in found.control_plane]
        self.intra_cidrs = [subnet.cidr for subnet in found.control_plane]
        tables = dict.fromkeys(subnet.route_table for subnet in (*found.private, *found.control_plane))
        self.route_tables = {table: of(table) for table in tables}
        s3 = aws.ec2.get_prefix_list_output(
            name=f"com.amazonaws.{account.region}.s3", opts=pulumi.InvokeOutputOptions(parent=self)
        )
        self.https_cidrs = s3.cidr_blocks.apply(lambda blocks: [*found.vpc.cidrs, *map(str, blocks or ())])
        self.register_outputs({"vpcId": self.vpc_id, "privateSubnetIds": self.private_subnet_ids})


@dataclass(frozen=True)
class _Reader:
    """What AWS says of the region's VPCs."""

    opts: pulumi.InvokeOptions

    def vpcs(self) -> list[str]:
        return list(aws.ec2.get_vpcs(opts=self.opts).ids)

    def vpc(self, vpc_id: str) -> Vpc:
        found = aws.ec2.get_vpc(id=vpc_id, opts=self.opts)
        cidrs = tuple(block.cidr_block for block in found.cidr_block_associations)
        dns = found.enable_dns_support and found.enable_dns_hostnames
        return Vpc(vpc_id, cidrs or (found.cidr_block,), dns)

    def subnets(self, vpc_id: str) -> list[Subnet]:
        ids = aws.ec2.get_subnets(filters=[{"name": "vpc-id", "values": [vpc_id]}], opts=self.opts).ids
        main, *_ = self._tables(vpc_id, "association.main", "true")
        return [self._subnet(subnet_id, vpc_id, main) for subnet_id in ids]

    def _subnet(self, subnet_id: str, vpc_id: str, main: str) -> Subnet:
        found = aws.ec2.get_subnet(id=subnet_id, opts=self.opts)
        table, *_ = [*self._tables(vpc_id, "association.subnet-id", subnet_id), main]
        routes = aws.ec2.get_route_table(route_table_id=table, opts=self.opts).routes
        return Subnet(
            id=subnet_id,
            vpc_id=found.vpc_id,
            zone=found.availability_zone_id,
            zone_name=found.availability_zone,
            free_addresses=found.available_ip_address_count,
            route_table=table,
            leads_out=any(
                route.cidr_block == ANYWHERE and not route.gateway_id.startswith("igw-") for route in routes
            ),
            tags=found.tags,
            cidr=found.cidr_block,
        )

    def _tables(self, vpc_id: str, name: str, value: str) -> Sequence[str]:
        filters: list[aws.ec2.GetRouteTablesFilterArgsDict] = [{"name": name, "values": [value]}]
        return aws.ec2.get_route_tables(vpc_id=vpc_id, filters=filters, opts=self.opts).ids


AnyNetwork = Network | ExistingNetwork
