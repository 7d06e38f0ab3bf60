"""Network: RES-16 no path to regions abroad."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings, document
from policies.framework.unknowns import Unknown, dig, dotted, each
from policies.law import RESIDENCY_GUARD
from policies.readers import locations

# Regions that a connection leads to, by type; absent is the connection's own region.
REGIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": (("peerRegion",),),
    "aws:ec2transitgateway/peeringAttachment:PeeringAttachment": (("peerRegion",),),
    "aws:ec2/vpcEndpoint:VpcEndpoint": (("serviceRegion",),),
    "aws:ec2/vpcEndpointService:VpcEndpointService": (("supportedRegions",),),
    "aws:networkmanager/coreNetwork:CoreNetwork": (("basePolicyRegions",), ("basePolicyRegion",)),
    "aws:globalaccelerator/endpointGroup:EndpointGroup": (("endpointGroupRegion",),),
    "aws:globalaccelerator/customRoutingEndpointGroup:CustomRoutingEndpointGroup": (
        ("endpointGroupRegion",),
    ),
    "aws:route53/zoneAssociation:ZoneAssociation": (("vpcRegion",),),
}
CORE_POLICIES = {
    "aws:networkmanager/coreNetwork:CoreNetwork": "basePolicyDocument",
    "aws:networkmanager/coreNetworkPolicyAttachment:CoreNetworkPolicyAttachment": "policyDocument",
}
# Services of VPC endpoints name their region: com.amazonaws.ap-south-1.s3, com.amazonaws.vpce.us-east-1.vpce-svc-1.
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
PEERING = "gcp:compute/networkPeering:NetworkPeering"


def paths(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-16: peerings, endpoints, core networks and accelerators lead to Indian regions, and to declared projects."""
    for path in REGIONS.get(resource.type, ()):
        yield from _regions(dotted(path), dig(resource.props, *path))
    if resource.type in CORE_POLICIES:
        yield from _core(CORE_POLICIES[resource.type], resource.props.get(CORE_POLICIES[resource.type]))
    if resource.type == ENDPOINT:
        yield from _service(resource.props.get("serviceName"))
    if resource.type == PEERING:
        yield from _peer(resource.props, settings)


def _regions(where: str, value: Any) -> Iterator[Finding | Unknown]:
    if isinstance(value, Unknown):
        yield value
        return
    many = isinstance(value, list)
    for index, region in enumerate(each(value)):
        if isinstance(region, Unknown):
            yield region
        elif region is not None and (not isinstance(region, str) or region not in locations.AWS_REGIONS):
            at = f"{where}[{index}]" if many else where
            yield Finding("the connection leads abroad", at, region, locations.EXPECTED_AWS)


def _core(where: str, policy: Any) -> Iterator[Finding | Unknown]:
    if isinstance(policy, Unknown):
        yield policy
        return
    edges = dig(document(policy), "core-network-configuration", "edge-locations")
    for index, edge in enumerate(each(edges)):
        at = f"{where}.core-network-configuration.edge-locations[{index}].location"
        yield from _regions(at, dig(edge, "location") or "")


def _service(name: Any) -> Iterator[Finding | Unknown]:
    if isinstance(name, Unknown):
        yield name
        return
    for part in str(name).split("."):
        if locations.looks_like_a_place(part) and part not in locations.AWS_REGIONS:
            yield Finding("the endpoint is of a service abroad", "serviceName", name, locations.EXPECTED_AWS)


def _peer(props: dict[str, Any], settings: Settings) -> Iterator[Finding | Unknown]:
    """A Google network has no region, so that the peer's owner must be known: this project, or a declared one."""
    peer, own = props.get("peerNetwork"), props.get("network")
    for value in (peer, own):
        if isinstance(value, Unknown):
            yield value
            return
    project = _project(peer)
    if project is None or (project != _project(own) and project not in each(settings.get("indianProjects"))):
        yield Finding(
            "the peer's project is not declared as kept in India",
            "peerNetwork",
            peer,
            "a network of this project, or of one in the setting indianProjects",
        )


def _project(network: Any) -> str | None:
    parts = str(network).split("/")
    return parts[parts.index("projects") + 1] if "projects" in parts[:-1] else None


RES_16 = Control(
    id="DPDP-RES-16",
    title="No network path abroad",
    law=RESIDENCY_GUARD,
    severity=Severity.HIGH,
    level=EnforcementLevel.ADVISORY,
    types=(*dict.fromkeys((*REGIONS, *CORE_POLICIES, PEERING)),),
    remedy="connect to networks and services of Indian regions only",
    check=paths,
    resolves=resolved_by_own_parts,
    settings={
        "indianProjects": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Google projects whose networks are used in India only",
        }
    },
)
CONTROLS = (RES_16,)
