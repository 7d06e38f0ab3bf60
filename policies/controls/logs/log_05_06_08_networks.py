"""Visibility: LOG-05 who talked to whom, LOG-06 what the control plane of a cluster did, LOG-08 clocks that agree."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, holds
from policies.framework.resources import Resource, Settings, Stack
from policies.framework.unknowns import Unknown, dig, each
from policies.law import CLOCKS, TRAFFIC_LOGS, VISIBILITY
from policies.readers.data_stores import AWS_STORES, GCP_SQL, GCP_STORES, personal_stores
from policies.readers.network_logs import FLOW_LOG, unlogged_subnets, unlogged_vpcs

ALL_TRAFFIC = Expectation(
    "trafficType", lambda value: value == "ALL", "the flow log leaves traffic out", "ALL"
)
_TRANSIT = (
    "transitGatewayId",
    "transitGatewayAttachmentId",
    "regionalNatGatewayId",
)  # their flow logs take no trafficType

EKS, GKE = "aws:eks/cluster:Cluster", "gcp:container/cluster:Cluster"
EKS_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
GKE_LOGS = ("SYSTEM_COMPONENTS", "APISERVER", "CONTROLLER_MANAGER", "SCHEDULER")

DHCP = "aws:ec2/vpcDhcpOptions:VpcDhcpOptions"
# AWS's own time source, as addresses and as the public pool; NIC's and NPL's names. NIC's addresses go into `servers`.
TIME_SOURCES = (
    "169.254.169.123",
    "fd00:ec2::123",
    "time.aws.com",
    "samay1.nic.in",
    "samay2.nic.in",
    "time.nplindia.org",
)


def traffic_type(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """LOG-05: a flow log takes refused traffic in as well."""
    if not any(resource.props.get(name) for name in _TRANSIT):
        yield from check_expectations(resource.props, (ALL_TRAFFIC,))


def traffic_logs(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """LOG-05 over the stack: the networks beside personal data have flow logs, and logs of DNS queries if asked for."""
    dns = settings.get("dnsQueries") is True
    if any(personal_stores(stack, *AWS_STORES)):
        yield from unlogged_vpcs(stack, dns)
    if any(personal_stores(stack, *GCP_STORES, GCP_SQL)):
        yield from unlogged_subnets(stack, dns)


def control_plane(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """LOG-06: a cluster's control plane writes down what it did, and who asked for it."""
    missing = "the control plane does not write down all that it does"
    if resource.type == EKS:
        value = resource.props.get("enabledClusterLogTypes")
        yield from holds("enabledClusterLogTypes", value, EKS_LOGS, missing)
    elif resource.type == GKE:
        value = dig(resource.props, "loggingConfig", "enableComponents")
        yield from holds("loggingConfig.enableComponents", value, GKE_LOGS, missing)


def clocks(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """LOG-08: where a network names time servers, they are the cloud's own, NIC's or NPL's."""
    allowed = (*TIME_SOURCES, *settings.get("servers", ()))
    for index, server in enumerate(each(resource.props.get("ntpServers"))):
        if isinstance(server, Unknown):
            yield server
        elif server not in allowed:
            yield Finding("the time comes from elsewhere", f"ntpServers[{index}]", server, ", ".join(allowed))


LOG_05 = Control(
    id="DPDP-LOG-05",
    title="Network traffic logged",
    law=TRAFFIC_LOGS,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.MANDATORY,
    types=(FLOW_LOG,),
    remedy="a flow log of all traffic on each VPC; logConfig on each subnetwork",
    remedies={"aws:": "a flow log of all traffic on the VPC", "gcp:": "logConfig on the subnetwork"},
    check=traffic_type,
    stack_check=traffic_logs,
    settings={
        "dnsQueries": {
            "type": "boolean",
            "default": False,
            "description": "also ask for logs of DNS queries, which the law does not name",
        }
    },
)
LOG_06 = Control(
    id="DPDP-LOG-06",
    title="Cluster control plane logs on",
    law=VISIBILITY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(EKS, GKE),
    remedy=f"enabledClusterLogTypes with {', '.join(EKS_LOGS)}; on Google, loggingConfig with {', '.join(GKE_LOGS)}",
    remedies={
        "aws:": f"enabledClusterLogTypes with {', '.join(EKS_LOGS)}",
        "gcp:": f"loggingConfig.enableComponents with {', '.join(GKE_LOGS)}",
    },
    check=control_plane,
)
LOG_08 = Control(
    id="DPDP-LOG-08",
    title="Clocks agree with NIC or NPL",
    law=CLOCKS,
    severity=Severity.LOW,
    level=EnforcementLevel.ADVISORY,
    types=(DHCP,),
    remedy="leave ntpServers out, so that the cloud's own time source applies, or name NIC's or NPL's servers",
    check=clocks,
    settings={
        "servers": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "further servers that follow NIC's or NPL's time",
        }
    },
)
CONTROLS: tuple[Control, ...] = (LOG_05, LOG_06, LOG_08)
