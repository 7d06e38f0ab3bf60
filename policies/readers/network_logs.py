"""Which networks of a stack nothing writes down: VPCs without flow logs, subnetworks without a logConfig."""

from __future__ import annotations

from collections.abc import Iterator

from policies.framework.control import Finding
from policies.framework.expectations import at_least
from policies.framework.resources import Stack, StackResource
from policies.framework.unknowns import Unknown, dig, leaves

VPC, FLOW_LOG = "aws:ec2/vpc:Vpc", "aws:ec2/flowLog:FlowLog"
QUERY_LOG = "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"
NETWORK, SUBNETWORK = "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"
DNS_POLICY = "gcp:dns/policy:Policy"
# Subnets of these purposes belong to load balancers and services of Google, and take no flow logs.
_NO_NODES = (
    "GLOBAL_MANAGED_PROXY",
    "INTERNAL_HTTPS_LOAD_BALANCER",
    "PRIVATE_NAT",
    "PRIVATE_SERVICE_CONNECT",
    "REGIONAL_MANAGED_PROXY",
)


def unlogged_vpcs(stack: Stack, dns: bool) -> Iterator[tuple[str, Finding]]:
    """(URN, finding) for each VPC without a flow log, and with `dns` for each without a log of DNS queries."""
    for vpc in stack.of(VPC):
        if not _made_for(stack, vpc, FLOW_LOG, "vpcId"):
            yield vpc.urn, _unlogged("traffic", "a FlowLog with trafficType ALL")
        if dns and not _made_for(stack, vpc, QUERY_LOG, "resourceId"):
            yield vpc.urn, _unlogged("DNS queries", "a ResolverQueryLogConfigAssociation")


def unlogged_subnets(stack: Stack, dns: bool) -> Iterator[tuple[str, Finding]]:
    """(URN, finding) for each subnetwork without flow logs, and with `dns` for each network without DNS logs.

    Networks without a way out, such as those between GPUs, are left out: nothing can leave them.
    """
    for network in stack.of(NETWORK):
        if network.props.get("deleteDefaultRoutesOnCreate") is True or network.props.get("networkProfile"):
            continue
        for subnet in _made_for(stack, network, SUBNETWORK, "network"):
            if subnet.props.get("purpose") not in _NO_NODES and not _samples(subnet):
                yield subnet.urn, _unlogged("traffic", "a logConfig")
        policies = _made_for(stack, network, DNS_POLICY, "networks")
        if dns and not any(policy.props.get("enableLogging") is True for policy in policies):
            yield network.urn, _unlogged("DNS queries", "a DNS policy with enableLogging")


def _made_for(stack: Stack, network: StackResource, type_: str, prop: str) -> list[StackResource]:
    known = [network.props.get(name) for name in ("id", "selfLink", "name")]
    return [
        one
        for one in stack.of(type_)
        if network.urn in {source.urn for source in one.sources(prop)}
        or any(
            isinstance(leaf.value, str) and leaf.value in known
            for leaf in leaves({prop: one.props.get(prop)})
        )
    ]


def _samples(subnet: StackResource) -> bool:
    config = subnet.props.get("logConfig")
    if config is None or isinstance(config, Unknown):
        return False
    sampling = dig(config, "flowSampling")
    return sampling is None or at_least(0.000_001)(sampling)


def _unlogged(what: str, expected: str) -> Finding:
    return Finding(f"nothing writes down the network's {what}", "the stack", None, expected)
