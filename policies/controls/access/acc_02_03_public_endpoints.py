"""Exposure: ACC-02 no database, endpoint or notebook is open to the world; ACC-03 no cluster's API is."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, is_off, is_on, one_of, values_at
from policies.framework.resources import Resource, Settings, Stack, StackResource, document
from policies.framework.unknowns import Leaf, Unknown, dig, dotted, each, leaves
from policies.law import ACCESS

_PUBLIC = "it can be reached from the internet"
_LARGEST_PRIVATE = {4: 8, 6: 7}  # 10.0.0.0/8 and fc00::/7: what is wider reaches the world


def _closed(path: str, *, absent: bool = True) -> Expectation:
    return Expectation(path, is_off, _PUBLIC, "false", absent)


def _words(path: str, *words: str, absent: bool = False) -> Expectation:
    return Expectation(path, one_of(*words), _PUBLIC, " or ".join(words), absent)


_IN_A_VPC = (Expectation("vpcOptions.subnetIds", lambda value: bool(value), _PUBLIC, "subnets of a VPC"),)
OPENINGS: dict[str, tuple[Expectation, ...]] = {
    "aws:rds/instance:Instance": (_closed("publiclyAccessible"),),
    "aws:rds/cluster:Cluster": (_closed("publiclyAccessible"),),
    "aws:rds/clusterInstance:ClusterInstance": (_closed("publiclyAccessible"),),
    "aws:neptune/clusterInstance:ClusterInstance": (_closed("publiclyAccessible"),),
    "aws:redshift/cluster:Cluster": (_closed("publiclyAccessible"),),
    "aws:redshiftserverless/workgroup:Workgroup": (_closed("publiclyAccessible"),),
    "aws:lightsail/database:Database": (_closed("publiclyAccessible"),),
    "aws:timestreaminfluxdb/dbInstance:DbInstance": (_closed("publiclyAccessible"),),
    "aws:mq/broker:Broker": (_closed("publiclyAccessible"),),
    "aws:dms/replicationInstance:ReplicationInstance": (_closed("publiclyAccessible", absent=False),),
    "aws:opensearch/domain:Domain": _IN_A_VPC,
    "aws:elasticsearch/domain:Domain": _IN_A_VPC,
    "aws:msk/cluster:Cluster": (
        _words("brokerNodeGroupInfo.connectivityInfo?.publicAccess?.type", "DISABLED", absent=True),
    ),
    "aws:lambda/functionUrl:FunctionUrl": (_words("authorizationType", "AWS_IAM"),),
    "aws:sagemaker/notebookInstance:NotebookInstance": (_words("directInternetAccess", "Disabled"),),
    "aws:sagemaker/domain:Domain": (_words("appNetworkAccessType", "VpcOnly"),),
    "gcp:sql/databaseInstance:DatabaseInstance": (
        _closed("settings.ipConfiguration.ipv4Enabled", absent=False),
    ),
    "gcp:alloydb/instance:Instance": (_closed("networkConfig?.enablePublicIp"),),
    "gcp:workbench/instance:Instance": (Expectation("gceSetup.disablePublicIp", is_on, _PUBLIC, "true"),),
    "gcp:colab/runtimeTemplate:RuntimeTemplate": (_closed("networkSpec.enableInternetAccess", absent=False),),
    "gcp:vertex/aiIndexEndpoint:AiIndexEndpoint": (_closed("publicEndpointEnabled"),),
}
# What data is asked for on: databases, caches, search, queues, shared files, notebooks and Ray.
DATA_PORTS = (
    111, 988, 1433, 1521, 2049, 2379, 3306, 5432, 5433, 5439, 5601, 5671, 5672, 5984, 6333, 6334, 6379, 6380,
    7000, 7687, 8123, 8182, 8265, 8888, 9000, 9042, 9092, 9094, 9096, 9098, 9142, 9200, 9300, 10001, 11211,
    19530, 27017,
)  # fmt: skip
_ANY = ("-1", "all")
_WITH_PORTS = ("tcp", "udp", "6", "17", *_ANY)

RULES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # Where a type keeps its rules ("" if it is one), the protocol's name, and its sources.
    "aws:ec2/securityGroup:SecurityGroup": ("ingress", "protocol", ("cidrBlocks", "ipv6CidrBlocks")),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": (
        "ingress",
        "protocol",
        ("cidrBlocks", "ipv6CidrBlocks"),
    ),
    "aws:ec2/securityGroupRule:SecurityGroupRule": ("", "protocol", ("cidrBlocks", "ipv6CidrBlocks")),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "",
        "ipProtocol",
        ("cidrIpv4", "cidrIpv6"),
    ),
}
FIREWALL = "gcp:compute/firewall:Firewall"
SQL = "gcp:sql/databaseInstance:DatabaseInstance"
SEARCH_ACCESS = "aws:opensearch/serverlessSecurityPolicy:ServerlessSecurityPolicy"
SERVICE = "kubernetes:core/v1:Service"
INVOKERS = ("gcp:cloudrun/", "gcp:cloudrunv2/", "gcp:cloudfunctions/", "gcp:cloudfunctionsv2/")
EKS = "aws:eks/cluster:Cluster"
GKE = "gcp:container/cluster:Cluster"
_EVERYBODY = ("allUsers", "allAuthenticatedUsers")
_NETWORKS = {
    "aws:ec2/eip:Eip",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/subnet:Subnet",
    "aws:ec2/vpc:Vpc",
    "gcp:compute/address:Address",
    "gcp:compute/network:Network",
    "gcp:compute/subnetwork:Subnetwork",
}
_MEMBERS = {"gcp:serviceaccount/account:Account", "gcp:projects/serviceIdentity:ServiceIdentity"}
_INTERNAL = {
    "service.beta.kubernetes.io/aws-load-balancer-scheme": ("internal",),
    "service.beta.kubernetes.io/aws-load-balancer-internal": ("true", "0.0.0.0/0"),
    "networking.gke.io/load-balancer-type": ("Internal", "internal"),
    "cloud.google.com/load-balancer-type": ("Internal", "internal"),
}


def open_to_the_world(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ACC-02: no public switch is on, and no firewall lets the world in where data is served."""
    yield from check_expectations(resource.props, OPENINGS.get(resource.type, ()))
    if resource.type in RULES:
        yield from _security_group(resource)
    if resource.type == FIREWALL:
        yield from _firewall(resource.props)
    if resource.type == SQL:
        yield from _networks(resource.props, "settings.ipConfiguration?.authorizedNetworks?.value")
    if resource.type == SEARCH_ACCESS:
        yield from _search_access(resource.props)
    if resource.type == SERVICE:
        yield from _service(resource.props)
    if resource.type.startswith(INVOKERS):
        yield from _invokers(resource.props)


def cluster_api(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ACC-03: a cluster's API is private, or open to named networks only."""
    if resource.type == EKS:
        yield from _eks(resource.props)
    if resource.type == GKE:
        yield from _gke(resource.props)


def resolved(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """Networks, subnets and members of this stack are no more than they are: a VPC's range is never the world."""
    names = [part for part in unknown.path if isinstance(part, str)]
    types = {source.resource_type for source in resource.sources(names[0])} if names else set()
    return bool(types) and types <= _NETWORKS | (_MEMBERS if names[0] in ("member", "members") else set())


def is_the_world(cidr: Any) -> bool:
    """Whether a range of addresses is wider than any private one; what can't be read counts as that."""
    try:
        network = ipaddress.ip_network(cidr, strict=False) if isinstance(cidr, str) else None
    except ValueError:
        network = None
    return network is None or network.prefixlen < _LARGEST_PRIVATE[network.version]


def _ranges(where: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each range of a list, or the one; nothing where there is none."""
    if isinstance(value, list):
        yield from ((f"{where}[{index}]", item) for index, item in enumerate(value))
    elif value is not None:
        yield where, value


def _networks(props: Any, path: str) -> Iterator[Finding | Unknown]:
    for where, value in values_at(props, path):
        if isinstance(value, Unknown):
            yield value
        elif is_the_world(value):
            yield Finding(_PUBLIC, where, value, "networks of your own")


def _security_group(resource: Resource) -> Iterator[Finding | Unknown]:
    block, protocol, sources = RULES[resource.type]
    if not block and resource.type.startswith("aws:ec2/") and resource.props.get("type") == "egress":
        return
    rules = _ranges(block, resource.props.get(block)) if block else [("", resource.props)]
    for at, rule in rules:
        if isinstance(rule, Unknown):
            yield rule
            continue
        prefix = f"{at}." if at else ""
        for name in sources:
            for where, cidr in _ranges(f"{prefix}{name}", dig(rule, name)):
                yield from _let_in(rule, protocol, where, cidr)


def _let_in(rule: Any, protocol: str, where: str, cidr: Any) -> Iterator[Finding | Unknown]:
    if isinstance(cidr, Unknown):
        yield cidr
        return
    if not is_the_world(cidr):
        return
    wanted = [dig(rule, name) for name in (protocol, "fromPort", "toPort")]
    if unknown := [value for value in wanted if isinstance(value, Unknown)]:
        yield from unknown
        return
    kind, low, high = wanted
    if kind is not None and str(kind).lower() not in _WITH_PORTS:
        return  # ICMP and the like carry no data of yours
    port = None if str(kind).lower() in _ANY else _first_data_port(low, high)
    if port != 0:
        yield Finding(
            "the world may reach ports on which data is served",
            where,
            cidr,
            f"networks of your own for port {port}" if port else "networks of your own",
        )


def _first_data_port(low: Any, high: Any) -> int | None:
    """The first data port in a range, 0 when there is none; None when the range can't be read, or is every port."""
    numbers = [
        value for value in (low, high) if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) < 2 or (low in (-1, 0) and high in (-1, 0)):
        return None
    return next((port for port in DATA_PORTS if low <= port <= high), 0)


def _firewall(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    direction, allows, sources = (props.get(name) for name in ("direction", "allows", "sourceRanges"))
    if isinstance(direction, Unknown):
        yield direction
        return
    if direction == "EGRESS" or not (isinstance(allows, Unknown) or each(allows)):
        return
    narrowed = any(each(props.get(name)) for name in ("sourceTags", "sourceServiceAccounts"))
    if sources is None and not narrowed:
        sources = ["0.0.0.0/0"]  # Google's default
    for where, cidr in _ranges("sourceRanges", sources):
        if isinstance(cidr, Unknown):
            yield cidr
        elif is_the_world(cidr):
            yield from _allowed(allows, where, cidr)


def _allowed(allows: Any, where: str, cidr: Any) -> Iterator[Finding | Unknown]:
    if isinstance(allows, Unknown):
        yield allows
        return
    for rule in each(allows):
        protocol, ports = dig(rule, "protocol"), dig(rule, "ports")
        for value in (rule, protocol, ports, *each(ports)):
            if isinstance(value, Unknown):
                yield value
                return
        if protocol is not None and str(protocol).lower() not in _WITH_PORTS:
            continue
        spans = [_span(port) for port in each(ports)] or [(None, None)]
        if any(_first_data_port(low, high) != 0 for low, high in spans):
            yield Finding(
                "the world may reach ports on which data is served", where, cidr, "networks of your own"
            )
            return


def _span(ports: Any) -> tuple[int | None, int | None]:
    low, _, high = str(ports).partition("-")
    if not (low.isascii() and low.isdigit() and len(low) <= 5):
        return None, None
    return int(low), int(high) if high.isascii() and high.isdigit() and len(high) <= 5 else int(low)


def _search_access(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    kind, policy = props.get("type"), props.get("policy")
    if isinstance(kind, Unknown):
        yield kind
        return
    if kind == "encryption":
        return
    tree = document(policy)
    for leaf in leaves(tree):
        if isinstance(leaf.value, Unknown):
            yield leaf.value
    if not isinstance(tree, Unknown | list | dict):
        yield Finding("the policy can't be read", "policy", policy, "a network policy in JSON")
    elif any(leaf.name == "AllowFromPublic" and not is_off(leaf.value) for leaf in leaves(tree)):
        yield Finding(_PUBLIC, "policy", policy, "AllowFromPublic false, and VPC endpoints")


def _service(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    kind = dig(props, "spec", "type")
    if isinstance(kind, Unknown):
        yield kind
        return
    if kind != "LoadBalancer":
        return
    annotations = dig(props, "metadata", "annotations")
    said = {name: dig(annotations, name) for name in _INTERNAL}
    if any(said[name] in words for name, words in _INTERNAL.items()):
        return
    yield from dict.fromkeys(value for value in said.values() if isinstance(value, Unknown))
    ranges = list(_ranges("spec.loadBalancerSourceRanges", dig(props, "spec", "loadBalancerSourceRanges")))
    for where, cidr in ranges or [("spec.type", kind)]:
        if isinstance(cidr, Unknown):
            yield cidr
        elif is_the_world(cidr):
            expected = (
                "ClusterIP, an annotation that makes it internal, or loadBalancerSourceRanges of your own"
            )
            yield Finding("the load balancer faces the internet", where, cidr, expected)


def _invokers(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    for leaf in leaves({name: props.get(name) for name in ("member", "members")}):
        if isinstance(leaf.value, Unknown):
            yield leaf.value
        elif leaf.value in _EVERYBODY:
            yield _everybody(leaf)


def _everybody(leaf: Leaf) -> Finding:
    return Finding("everybody may call the service", dotted(leaf.path), leaf.value, "named members")


def _eks(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    public = dig(props, "vpcConfig", "endpointPublicAccess")
    if isinstance(public, Unknown):
        yield public
    elif not is_off(public):
        cidrs = dig(props, "vpcConfig", "publicAccessCidrs")
        ranges = list(_ranges("vpcConfig.publicAccessCidrs", cidrs))
        if not ranges:
            what = "the cluster's API is open to the world"
            expected = "false, or publicAccessCidrs of your own"
            yield Finding(what, "vpcConfig.endpointPublicAccess", public, expected)
        yield from _own_networks(ranges)


def _gke(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    yield from _dns_endpoint(props)
    switches = (
        dig(props, "privateClusterConfig", "enablePrivateEndpoint"),
        dig(props, "controlPlaneEndpointsConfig", "ipEndpointsConfig", "enabled"),
    )
    if is_on(switches[0]) or is_off(switches[1]):
        return
    if unknown := [value for value in switches if isinstance(value, Unknown)]:
        yield from dict.fromkeys(unknown)
        return
    blocks = dig(props, "masterAuthorizedNetworksConfig")
    if isinstance(blocks, Unknown):
        yield blocks
    elif not isinstance(blocks, dict):
        what = "the cluster's API is open to the world"
        expected = "true, or masterAuthorizedNetworksConfig with networks of your own"
        yield Finding(what, "privateClusterConfig.enablePrivateEndpoint", switches[0], expected)
    else:
        path = "masterAuthorizedNetworksConfig.cidrBlocks?.cidrBlock"
        yield from _own_networks(values_at(props, path))


def _dns_endpoint(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    """Google's other way in: a name that answers anywhere, and asks IAM who comes."""
    what = "the cluster's API answers from anywhere by its DNS name"
    path = "controlPlaneEndpointsConfig?.dnsEndpointConfig?.allowExternalTraffic"
    yield from check_expectations(props, [Expectation(path, is_off, what, "false", absent=True)])


def _own_networks(ranges: list[tuple[str, Any]]) -> Iterator[Finding | Unknown]:
    for where, cidr in ranges:
        if isinstance(cidr, Unknown):
            yield cidr
        elif is_the_world(cidr):
            yield Finding("the cluster's API is open to the world", where, cidr, "networks of your own")


ACC_02 = Control(
    id="DPDP-ACC-02",
    title="No public databases or notebooks",
    law=ACCESS,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=(*OPENINGS, *RULES, FIREWALL, SEARCH_ACCESS, SERVICE, *INVOKERS),
    remedy="keep it in private subnets, and let in networks and members of your own",
    check=open_to_the_world,
    resolves=resolved,
)
ACC_03 = Control(
    id="DPDP-ACC-03",
    title="Cluster API closed to the world",
    law=ACCESS,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(EKS, GKE),
    remedy="make the cluster's endpoint private, or name the networks that may reach it",
    check=cluster_api,
    resolves=resolved,
)
CONTROLS = (ACC_02, ACC_03)
