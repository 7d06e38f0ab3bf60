"""The address plan of a VPC: which part of its range each subnet gets."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from infra.settings.networks import LARGEST_PREFIX, SMALLEST_PREFIX

MAX_ZONES = 3


class CidrError(ValueError):
    """A VPC range that can't be divided into the subnets of the platform."""


@dataclass(frozen=True)
class ZonePlan:
    """One zone's subnets, as CIDR blocks."""

    private: str
    public: str
    intra: str


def plan(cidr: str, zones: int) -> tuple[ZonePlan, ...]:
    """Subnets for 1 to 3 zones. A zone's blocks depend on its position alone, so adding one moves no other.

    Each zone's private subnet gets a quarter of the range: pods and network cards take one address each, and a p5 node
    with 32 plain EFA cards takes 32. The last quarter holds the public subnets (a sixteenth each: NAT, load balancers)
    and the intra subnets (a sixty-fourth each: endpoints and the control plane's interfaces). A /16 gives /18, /20
    and /22; a /20, the smallest, gives /22, /24 and /26.

    Raises:
        CidrError: `cidr` is no private IPv4 network between /16 and /20, or there are too many zones.
    """
    network = _network(cidr)
    if not 1 <= zones <= MAX_ZONES:
        raise CidrError(f"a VPC is planned for 1 to {MAX_ZONES} zones, not {zones}")
    *private, rest = network.subnets(prefixlen_diff=2)
    *public, last = rest.subnets(prefixlen_diff=2)
    intra = list(last.subnets(prefixlen_diff=2))
    return tuple(ZonePlan(str(private[i]), str(public[i]), str(intra[i])) for i in range(zones))


def _network(cidr: str) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise CidrError(f"network.cidr: {cidr} is not an IPv4 network: {error}") from error
    if not network.is_private:
        raise CidrError(f"network.cidr: {cidr} is not a private range; use one within 10.0.0.0/8")
    if not LARGEST_PREFIX <= network.prefixlen <= SMALLEST_PREFIX:
        problem = "too small" if network.prefixlen > SMALLEST_PREFIX else "larger than AWS allows"
        raise CidrError(f"network.cidr: {cidr} is {problem}; use /{LARGEST_PREFIX} to /{SMALLEST_PREFIX}")
    return network
