"""A VPC that exists already, instead of one made here: read and judged before anything is made in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_gcp as gcp

from infra.gcp.network import PRIVATE_APIS, RESTRICTED_APIS, Network
from infra.settings.errors import Problem, SettingsError
from infra.settings.gcp import ExistingGoogleNetwork as Asked
from infra.spelling import nearest

SETTING = "gcp.network.existing"
# Google keeps four addresses of a subnet ("Subnets", VPC documentation); the control plane's endpoint and the jump host
# take one each.
TAKEN_ADDRESSES = 6
# GKE gives each node a /24 for its pods: 110 at most ("Configure maximum Pods per node").
PODS_OF_A_NODE = 24
# Each Service of the cluster has an address; the platform's own are some dozens.
SERVICES_PREFIX = 24


@dataclass(frozen=True)
class Subnet:
    """A subnet as Google knows it. `secondary` are its ranges by name; `private_apis` tells whether machines without an
    address on the internet reach Google's APIs."""

    id: str
    network: str
    region: str
    cidr: str
    secondary: Mapping[str, str]
    private_apis: bool


@dataclass(frozen=True)
class Needs:
    """What the stack asks of the network: its region, nodes at most, and the stack's other networks by their name,
    which no range may overlap."""

    region: str
    nodes: int
    others: Mapping[str, str]


def faults(asked: Asked, network: str, subnet: Subnet, needs: Needs) -> list[Problem]:
    """Everything that is wrong with the subnet, each with what would work. `network` is the VPC's id."""
    path = f"{SETTING}.subnetwork"
    if subnet.network != network:
        return [Problem(path, subnet.id, f"a subnet of {network}: this one is of {subnet.network}")]
    if subnet.region != needs.region:
        return [Problem(path, subnet.id, f"a subnet in {needs.region}, the stack's region")]
    problems = []
    if not subnet.private_apis:
        allowed = "a subnet with Private Google Access: without it private nodes reach no API of Google's"
        command = f"gcloud compute networks subnets update {_name(subnet.id)} --region {subnet.region}"
        way = f"{command} --enable-private-ip-google-access"
        problems.append(Problem(path, subnet.id, allowed, way))
    return [*problems, *_faults_of_room(path, subnet, needs), *_faults_of_ranges(asked, subnet, needs)]


def _faults_of_room(path: str, subnet: Subnet, needs: Needs) -> list[Problem]:
    wanted = needs.nodes + TAKEN_ADDRESSES
    if (size := IPv4Network(subnet.cidr).num_addresses) >= wanted:
        return _apart(path, subnet.cidr, needs)
    allowed = f"{wanted} addresses for the {needs.nodes} nodes of all pools: {subnet.cidr} has {size}"
    near = f"a /{32 - (wanted - 1).bit_length()}"
    return [Problem(path, subnet.id, allowed, near)]


def _faults_of_ranges(asked: Asked, subnet: Subnet, needs: Needs) -> list[Problem]:
    pods = PODS_OF_A_NODE - (max(needs.nodes, 1) - 1).bit_length()
    problems = []
    for setting, name, prefix, reason in (
        ("podsRange", asked.pods_range, pods, f"a /{PODS_OF_A_NODE} for each of {needs.nodes} nodes"),
        ("servicesRange", asked.services_range, SERVICES_PREFIX, "an address for each Service"),
    ):
        path = f"{SETTING}.{setting}"
        if name not in subnet.secondary:
            allowed = (
                f"a secondary range of {_name(subnet.id)}: {', '.join(subnet.secondary) or 'it has none'}"
            )
            problems.append(Problem(path, name, allowed, nearest(name, subnet.secondary)))
        elif IPv4Network(cidr := subnet.secondary[name]).prefixlen > prefix:
            allowed = f"a range of a /{prefix} or more, {reason}: {name} is {cidr}"
            problems.append(Problem(path, name, allowed, f"a /{prefix}"))
        else:
            problems += _apart(path, cidr, needs)
    return problems


def _apart(path: str, cidr: str, needs: Needs) -> list[Problem]:
    """Overlapping networks could never be joined, and a machine with two of them sends to the wrong one."""
    return [
        Problem(path, cidr, f"a network apart from {other} ({taken})")
        for other, taken in needs.others.items()
        if IPv4Network(taken).overlaps(IPv4Network(cidr))
    ]


@dataclass(frozen=True)
class NetworkFacts:
    """A VPC, by its id, and a subnet that will do."""

    network: str
    subnet: Subnet
    asked: Asked


def look(asked: Asked, project: str, needs: Needs, provider: pulumi.ProviderResource | None) -> NetworkFacts:
    """Read the VPC and its subnet, and wait for Google's answers: whether anything is made depends on them.

    Raises:
        SettingsError: it is not there, or won't do; see `faults`.
    """
    opts = pulumi.InvokeOptions(provider=provider)
    names = gcp.compute.get_networks(project=project, opts=opts).networks
    if (name := _name(asked.network)) not in names:
        raise _not_there("network", asked.network, f"a VPC network of project {project}", names)
    network = gcp.compute.get_network(name=name, project=project, opts=opts)
    region = asked.subnetwork.split("/")[3] if "/" in asked.subnetwork else needs.region
    listed = gcp.compute.get_subnetworks(project=project, region=region, opts=opts).subnetworks
    if (name := _name(asked.subnetwork)) not in [each.name for each in listed]:
        of_it = [each.name for each in listed if _path(each.network) == network.id]
        allowed = f"a subnet of {network.name} in {region}"
        raise _not_there("subnetwork", asked.subnetwork, allowed, of_it)
    found = gcp.compute.get_subnetwork(name=name, project=project, region=region, opts=opts)
    subnet = Subnet(
        id=found.id,
        network=_path(found.network),
        region=found.region,
        cidr=found.ip_cidr_range,
        secondary={each.range_name: each.ip_cidr_range for each in found.secondary_ip_ranges},
        private_apis=found.private_ip_google_access,
    )
    if problems := faults(asked, network.id, subnet, needs):
        raise SettingsError(problems)
    return NetworkFacts(network.id, subnet, asked)


def _not_there(setting: str, given: str, allowed: str, names: Sequence[str]) -> SettingsError:
    listed = ", ".join(names) or "there is none"
    return SettingsError(
        [Problem(f"{SETTING}.{setting}", given, f"{allowed}: {listed}", nearest(_name(given), names))]
    )


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _path(link: str) -> str:
    """`projects/…` of a self link, as the ids of resources are."""
    return link[link.index("projects/") :] if "projects/" in link else link


class ExistingNetwork(pulumi.ComponentResource):
    """What `Network` offers, of a VPC that somebody else keeps.

    Nothing is made in it: firewall, DNS for Google's APIs, flow logs and ways out are its keeper's. `https_cidrs` has
    both of the private addresses that Google's APIs may be reached by, as the keeper's DNS decides which.
    """

    def __init__(self, name: str, found: NetworkFacts, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:ExistingNetwork", name, None, opts)
        of = pulumi.Output.from_input
        self.network, self.subnetwork = of(found.network), of(found.subnet.id)
        self.cidr = found.subnet.cidr
        self.pods_range, self.services_range = found.asked.pods_range, found.asked.services_range
        self.pods_cidr = found.subnet.secondary[self.pods_range]
        self.https_cidrs = [self.cidr, PRIVATE_APIS, RESTRICTED_APIS]
        self.register_outputs({"network": self.network, "subnetwork": self.subnetwork})


AnyNetwork = Network | ExistingNetwork
