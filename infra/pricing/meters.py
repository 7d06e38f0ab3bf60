"""How each resource type is metered: which lines of the bill it makes. A new type is a new row of `METERED`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from infra.pricing.lines import CostRange, Line, metered_line
from infra.pricing.nodes import gke_pool, node_group, node_pool, nodes_of
from infra.pricing.resources import Resource, ResourceGraph

ENDPOINT, BUCKET, NAT = (
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    "aws:s3/bucket:Bucket",
    "aws:ec2/natGateway:NatGateway",
)
GCS_BUCKET, GCP_NAT = "gcp:storage/bucket:Bucket", "gcp:compute/routerNat:RouterNat"
STORAGE_CLASS = "kubernetes:storage.k8s.io/v1:StorageClass"
# The meter of a CSI driver's disks: the types that the platform's storage classes ask for.
DISKS: Mapping[str, str] = {"ebs.csi.aws.com": "gp3", "pd.csi.storage.gke.io": "gcp-disk"}
DAYS_A_MONTH = 365 / 12

Metered = Callable[[Resource, ResourceGraph], Iterator[Line]]


def _each(meter: str, resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """One of it, all month."""
    return metered_line(graph, resource, meter, CostRange.always(1))


def _nat(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    yield from _each("nat-gateway", resource, graph)
    yield from metered_line(graph, resource, "nat-gib", _share(graph.usage.nat_gib, graph.of(NAT)))


def _endpoint(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """Gateway endpoints are free; an interface endpoint is paid in each zone that it stands in."""
    if resource.inputs.get("vpcEndpointType") != "Interface":
        return
    subnets = resource.inputs.get("subnetIds")
    zones = (
        CostRange.always(len(subnets))
        if isinstance(subnets, Sequence) and not isinstance(subnets, str)
        else None
    )
    yield from metered_line(graph, resource, "endpoint", zones)
    alike = [other for other in graph.of(ENDPOINT) if other.inputs.get("vpcEndpointType") == "Interface"]
    yield from metered_line(graph, resource, "endpoint-gib", _share(graph.usage.endpoint_gib, alike))


def _internet(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    return metered_line(graph, resource, "internet-gib", CostRange.always(graph.usage.internet_gib))


def _disk(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    return metered_line(graph, resource, "gp3", _number(resource.inputs.get("size")))


def _instance(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """A machine that stands alone, and its first disk."""
    yield from _each(f"instance-{resource.inputs.get('instanceType')}", resource, graph)
    yield from metered_line(
        graph, resource, "gp3", _number(_plain(resource.inputs, "rootBlockDevice", "volumeSize"))
    )


def _gcp_instance(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    yield from _each(f"gcp-instance-{resource.inputs.get('machineType')}", resource, graph)
    size = _plain(resource.inputs, "bootDisk", "initializeParams", "size")
    yield from metered_line(graph, resource, "gcp-disk", _number(size))


def _bucket(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """The lake's data is taken as spread evenly over its buckets and over the ages that their lifecycle lets it
    reach. Buckets on premises are on disks that AWS sends no bill for."""
    buckets = [bucket for bucket in graph.of(BUCKET) if not _elsewhere(bucket, graph)]
    if resource not in buckets:
        return
    stored = _share(graph.usage.lake_gib, buckets)
    for storage_class, share in _storage_classes(resource, graph).items():
        yield from metered_line(graph, resource, f"s3-{storage_class}", stored.times(share))
    requests = _share(graph.usage.lake_requests_millions, buckets)
    yield from metered_line(graph, resource, "s3-requests", requests)
    if graph.of("aws:cloudtrail/trail:Trail"):
        yield from metered_line(graph, resource, "trail-events", requests)


def _elsewhere(bucket: Resource, graph: ResourceGraph) -> bool:
    """Whether its provider speaks to another endpoint than Amazon's."""
    provider = graph.by_urn.get(bucket.provider)
    return bool(provider and provider.inputs.get("endpoints"))


def _hybrid(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """What EKS asks for nodes on premises, which the stack knows by the parameter that they join with."""
    tags = resource.inputs.get("tags")
    nodes, vcpus = (_plain(tags, f"on-premises:{of}") for of in ("nodes", "vcpus"))
    if nodes and vcpus:
        yield from metered_line(graph, resource, "hybrid-vcpu", CostRange.always(int(nodes) * int(vcpus)))


def _storage_classes(bucket: Resource, graph: ResourceGraph) -> Mapping[str, float]:
    """Shares of a bucket's data by storage class, from its transitions and the day it expires (a year if never)."""
    rules = [
        rule
        for lifecycle in graph.of("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
        if graph.behind(lifecycle, "bucket", BUCKET) is bucket
        for rule in lifecycle.inputs.get("rules") or ()
    ]
    ends = [days for rule in rules if (days := _plain(rule, "expiration", "days"))]
    life = min(ends, default=365)
    steps = sorted(
        (step.get("days") or 0, step["storageClass"])
        for rule in rules
        for step in rule.get("transitions") or ()
    )
    begins = [(0, "STANDARD"), *((days, kept) for days, kept in steps if days < life)]
    until = [days for days, _ in begins[1:]] + [life]
    return {kept: (end - day) / life for (day, kept), end in zip(begins, until, strict=True) if end > day}


def _plain(tree: Any, *names: str) -> Any:
    for name in names:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _logs(
    prefix: str, days_in: str, for_ever: int, resource: Resource, graph: ResourceGraph
) -> Iterator[Line]:
    """Logs come in evenly; what is kept is what came in over the retention (`for_ever` days where none is said)."""
    taken = _share(graph.usage.log_gib, graph.of(resource.type))
    yield from metered_line(graph, resource, f"{prefix}logs-gib", taken)
    days = resource.inputs.get(days_in) or for_ever
    months = days / DAYS_A_MONTH if isinstance(days, int | float) else None
    yield from metered_line(
        graph, resource, f"{prefix}logs-kept-gib", None if months is None else taken.times(months)
    )


def _guardduty(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    match resource.inputs.get("name"):
        case "RUNTIME_MONITORING":
            vcpus = [nodes.count.times(nodes.vcpus) for nodes in nodes_of(graph) if nodes.count]
            yield from metered_line(graph, resource, "guardduty-vcpu", sum(vcpus, CostRange.always(0)))
        case "EKS_AUDIT_LOGS":
            events = CostRange.always(graph.usage.audit_events_millions)
            yield from metered_line(graph, resource, "guardduty-audit-events", events)
        case "S3_DATA_EVENTS":
            requests = CostRange.always(graph.usage.lake_requests_millions)
            yield from metered_line(graph, resource, "guardduty-s3-events", requests)


def _gcp_nat(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """What goes out to the internet goes through it: nodes have no addresses of their own."""
    yield from _each("gcp-nat", resource, graph)
    yield from metered_line(graph, resource, "gcp-nat-gib", _share(graph.usage.nat_gib, graph.of(GCP_NAT)))
    yield from metered_line(
        graph, resource, "gcp-internet-gib", _share(graph.usage.internet_gib, graph.of(GCP_NAT))
    )


def _gcs_bucket(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """Spread as the lake's S3 data is; a bucket with placements is in two regions."""
    buckets = graph.of(GCS_BUCKET)
    where = "gcs-dual" if resource.inputs.get("customPlacementConfig") else "gcs"
    yield from metered_line(graph, resource, f"{where}-STANDARD", _share(graph.usage.lake_gib, buckets))
    requests = _share(graph.usage.lake_requests_millions, buckets)
    yield from metered_line(graph, resource, "gcs-requests", requests)


def _service(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    if _plain(resource.inputs, "spec", "type") == "LoadBalancer":
        yield from _each("load-balancer", resource, graph)


def _chart(resource: Resource, graph: ResourceGraph) -> Iterator[Line]:
    """The volumes that a chart's values claim, on the disks of the storage class in its own cluster."""
    for claim in _claims(resource.inputs.get("values")):
        disks = [
            DISKS.get(found.inputs.get("provisioner", ""))
            for found in graph.of(STORAGE_CLASS)
            if found.provider == resource.provider
            and _plain(found.inputs, "metadata", "name") == claim.get("storageClassName")
        ]
        size = str(_plain(claim, "resources", "requests", "storage"))
        if disks and disks[0]:
            yield from metered_line(
                graph, resource, disks[0], CostRange.always(float(size.removesuffix("Gi")))
            )


def _claims(values: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(values, Mapping):
        return
    for name, value in values.items():
        if name == "volumeClaimTemplate":
            yield value["spec"]
        else:
            yield from _claims(value)


def _share(whole: float, among: Sequence[Resource]) -> CostRange:
    return CostRange.always(whole / len(among))


def _number(given: Any) -> CostRange | None:
    return CostRange.always(given) if isinstance(given, int | float) else None


METERED: Mapping[str, Metered] = {
    "aws:ebs/volume:Volume": _disk,
    "aws:ec2/eip:Eip": partial(_each, "ipv4"),
    "aws:ec2/instance:Instance": _instance,
    "aws:ec2/internetGateway:InternetGateway": _internet,
    "aws:ec2/vpnConnection:VpnConnection": partial(_each, "vpn-connection"),
    "aws:eks/cluster:Cluster": partial(_each, "eks-cluster"),
    "aws:eks/nodeGroup:NodeGroup": node_group,
    "aws:guardduty/detectorFeature:DetectorFeature": _guardduty,
    "aws:ssm/parameter:Parameter": _hybrid,
    "aws:kms/key:Key": partial(_each, "kms-key"),
    "aws:lb/loadBalancer:LoadBalancer": partial(_each, "load-balancer"),
    BUCKET: _bucket,
    ENDPOINT: _endpoint,
    "aws:cloudwatch/logGroup:LogGroup": partial(_logs, "", "retentionInDays", 365),
    NAT: _nat,
    "gcp:compute/address:Address": partial(_each, "gcp-address"),
    "gcp:compute/forwardingRule:ForwardingRule": partial(_each, "gcp-load-balancer"),
    "gcp:compute/globalAddress:GlobalAddress": partial(_each, "gcp-address"),
    "gcp:compute/instance:Instance": _gcp_instance,
    "gcp:container/cluster:Cluster": partial(_each, "gke-cluster"),
    "gcp:container/nodePool:NodePool": gke_pool,
    "gcp:dns/managedZone:ManagedZone": partial(_each, "gcp-dns-zone"),
    "gcp:kms/cryptoKey:CryptoKey": partial(_each, "gcp-kms-key"),
    GCS_BUCKET: _gcs_bucket,
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": partial(_logs, "gcp-", "retentionDays", 30),
    GCP_NAT: _gcp_nat,
    "kubernetes:core/v1:Service": _service,
    "kubernetes:helm.sh/v3:Release": _chart,
    "kubernetes:karpenter.sh/v1:NodePool": node_pool,
}
