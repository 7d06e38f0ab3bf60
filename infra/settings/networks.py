"""Settings that are IPv4 networks and addresses: which are private, and how large each may be."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Annotated

from infra.settings.errors import refuse
from infra.settings.fields import Rule

PRIVATE_NETWORKS = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
# AWS allows no larger VPC.
LARGEST_PREFIX = 16
# In a smaller network, three zones have no room for pods.
SMALLEST_PREFIX = 20
# EKS takes both for a site ("Prepare networking for hybrid nodes", EKS User Guide, read 2026-11), from /8 to /32.
CARRIER_NETWORK = ipaddress.IPv4Network("100.64.0.0/10")
ON_PREMISES_NETWORKS = (*PRIVATE_NETWORKS, CARRIER_NETWORK)
# Each node's share of a site's pod networks, so that none may be smaller.
ON_PREMISES_NODE_MASK = 25
# GKE gives each node a /24 of its own, so pods take far more addresses than nodes.
LARGEST_PODS_PREFIX = 12


def _private_cidr(
    largest: int,
    smallest: int,
    fallback: str,
    within: Sequence[ipaddress.IPv4Network] = PRIVATE_NETWORKS,
) -> Rule:
    """A rule for private IPv4 networks with a prefix from `largest` to `smallest`; `fallback` is one of them."""
    allowed = f"a private IPv4 network from /{largest} to /{smallest}"

    def check(text: str) -> str:
        try:
            network = ipaddress.IPv4Network(text, strict=False)
        except ValueError:
            raise refuse(allowed, near=fallback) from None
        if not any(network.subnet_of(private) for private in within):
            raise refuse(allowed, near=f"10.0.0.0/{min(max(network.prefixlen, largest), smallest)}")
        if network.prefixlen > smallest:
            raise refuse(allowed, near=str(network.supernet(new_prefix=smallest)))
        if network.prefixlen < largest:
            raise refuse(allowed, near=f"{network.network_address}/{largest}")
        return _without_host_bits(text, network)

    return Rule(check, allowed)


def _without_host_bits(text: str, network: ipaddress.IPv4Network) -> str:
    if str(network) != text:
        raise refuse("a network whose host bits are zero", near=str(network))
    return text


_REACHING_CIDR = "an IPv4 network of yours, from /8 to /32"


def _reaching_cidr(text: str) -> str:
    """A network that people or runners come from. The whole internet does not reach a private endpoint."""
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        raise refuse(_REACHING_CIDR, near="10.1.0.0/16") from None
    if network.prefixlen < 8:
        raise refuse(f"{_REACHING_CIDR}: this is no network of yours", near=f"{network.network_address}/8")
    return _without_host_bits(text, network)


_PEER_ADDRESS = "the public IPv4 address of the site's VPN device"


def _peer_address(text: str) -> str:
    """Not `is_global`: a file that is filled in later may hold an address reserved for documentation."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise refuse(_PEER_ADDRESS) from None
    inside = any(address in network for network in ON_PREMISES_NETWORKS)
    unknown = not (address.is_global or address.is_private)
    if inside or unknown or address.is_loopback or address.is_link_local:
        raise refuse(f"{_PEER_ADDRESS}: AWS can't reach this one")
    return text


PrivateCidr = Annotated[str, _private_cidr(LARGEST_PREFIX, SMALLEST_PREFIX, "10.0.0.0/16")]
PodsCidr = Annotated[str, _private_cidr(LARGEST_PODS_PREFIX, SMALLEST_PREFIX, "10.68.0.0/14")]
OnPremisesCidr = Annotated[str, _private_cidr(8, 32, "192.168.0.0/24", ON_PREMISES_NETWORKS)]
OnPremisesPodsCidr = Annotated[
    str, _private_cidr(8, ON_PREMISES_NODE_MASK, "172.24.0.0/16", ON_PREMISES_NETWORKS)
]
PeerAddress = Annotated[str, Rule(_peer_address, _PEER_ADDRESS)]
ReachingCidr = Annotated[str, Rule(_reaching_cidr, _REACHING_CIDR)]
