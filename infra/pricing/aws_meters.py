"""How each resource type of AWS is metered: which lines of the estimate it makes. A new type is a new row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from infra.pricing.lines import CostRange, Line, Metered, metered_line
from infra.pricing.meter import Meters, by_days, each, growing, share, size
from infra.pricing.nodes import node_group, nodes_of
from infra.pricing.resources import Resource, ResourceGraph, plain

ENDPOINT, NAT = "aws:ec2/vpcEndpoint:VpcEndpoint", "aws:ec2/natGateway:NatGateway"
BUCKET, TRAIL = "aws:s3/bucket:Bucket", "aws:cloudtrail/trail:Trail"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
REPLICATION = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
KEY = "aws:kms/key:Key"
# CloudWatch bills what it keeps after compression, which its price calculator takes for 0.15 of what came in
# (dev.classmethod.jp/articles/compare-archive-cost-cloudwatchlogs-s3).
LOG_COMPRESSION = 0.15
YEAR = 365


def _nat(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    yield from each("nat-gateway", resource, graph)
    yield from metered_line(graph, resource, "nat-gib", share(graph.usage.nat_gib, graph.of(NAT)))


def _endpoint(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """Gateway endpoints are free; an interface endpoint is paid in each zone that it is in."""
    if resource.inputs.get("vpcEndpointType") != "Interface":
        return
    subnets = resource.inputs.get("subnetIds")
    zones = CostRange.always(len(subnets)) if isinstance(subnets, list | tuple) else None
    yield from metered_line(graph, resource, "endpoint", zones)
    alike = share(graph.usage.endpoint_gib, graph.once(_interfaces))
    yield from metered_line(graph, resource, "endpoint-gib", alike)


def _interfaces(graph: ResourceGraph) -> list[Resource]:
    return [other for other in graph.of(ENDPOINT) if other.inputs.get("vpcEndpointType") == "Interface"]


def _internet(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    gateways = graph.of("aws:ec2/internetGateway:InternetGateway")
    return metered_line(graph, resource, "internet-gib", share(graph.usage.internet_gib, gateways))


def _disk(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    return metered_line(graph, resource, "gp3", size(resource.inputs.get("size")))


def _instance(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """An EC2 instance outside any node group, and its root volume."""
    yield from each(f"instance-{resource.inputs.get('instanceType')}", resource, graph)
    disk = plain(resource.inputs, "rootBlockDevice", "volumeSize")
    yield from metered_line(graph, resource, "gp3", size(disk))


def _database(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """A machine and its disk, twice in two zones. Backups are free up to the size of the disk, which weeks of small
    changes do not reach."""
    copies = 2 if resource.inputs.get("multiAz") is True else 1
    machine = f"rds-{resource.inputs.get('instanceClass')}"
    yield from metered_line(graph, resource, machine, CostRange.always(copies))
    first, most = (resource.inputs.get(name) for name in ("allocatedStorage", "maxAllocatedStorage"))
    yield from metered_line(graph, resource, "rds-gib", growing(first, most or first, copies))


def _key(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    yield from each("kms-key", resource, graph)
    requests = share(graph.usage.kms_requests_millions, graph.of(KEY))
    yield from metered_line(graph, resource, "kms-requests", requests)


@dataclass(frozen=True)
class _Lake:
    """The stack's buckets at Amazon, by URN: all, those that no replication fills, and those whose reads and writes a
    trail records. `rules` are those of the lifecycles."""

    buckets: frozenset[str]
    originals: frozenset[str]
    in_trails: frozenset[str]
    rules: Mapping[str, Sequence[Mapping[str, Any]]]


def _lake(graph: ResourceGraph) -> _Lake:
    buckets = [bucket for bucket in graph.of(BUCKET) if not _elsewhere(bucket, graph)]
    trails = graph.of(TRAIL)
    seen = [one for trail in trails for one in graph.all_behind(trail, "advancedEventSelectors", BUCKET)]
    rules: dict[str, list[Mapping[str, Any]]] = {}
    for lifecycle in graph.of(LIFECYCLE):
        if bucket := graph.behind(lifecycle, "bucket", BUCKET):
            rules.setdefault(bucket.urn, []).extend(lifecycle.inputs.get("rules") or ())
    urns = frozenset(bucket.urn for bucket in buckets)
    copies = {copy.urn for copy in _copies(buckets, graph)} if buckets else set[str]()
    return _Lake(urns, urns - copies, frozenset(one.urn for one in seen), rules)


def _bucket(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """The lake's data is taken as spread evenly over its buckets and over the ages that their lifecycle lets it
    reach. Buckets on premises are on disks that AWS sends no bill for."""
    lake = graph.once(_lake)
    if resource.urn not in lake.buckets:
        return
    stored = share(graph.usage.lake_gib, lake.originals)
    for storage_class, part in _storage_classes(resource, graph).items():
        yield from metered_line(graph, resource, f"s3-{storage_class}", stored.times(part))
    yield from metered_line(graph, resource, "s3-STANDARD", _overwritten(resource, graph))
    requests = share(graph.usage.lake_requests_millions, lake.buckets)
    yield from metered_line(graph, resource, "s3-requests", requests)
    if resource.urn in lake.in_trails:
        yield from metered_line(graph, resource, "trail-events", requests)


def _elsewhere(bucket: Resource, graph: ResourceGraph) -> bool:
    """Whether its provider speaks to another endpoint than Amazon's."""
    provider = graph.by_urn.get(bucket.provider)
    return bool(provider and provider.inputs.get("endpoints"))


def _copies(buckets: Sequence[Resource], graph: ResourceGraph) -> list[Resource]:
    """Buckets of the other region, which replication fills: those outside of the region with the most buckets."""
    ends = [end for config in graph.of(REPLICATION) for end in graph.all_behind(config, "rules", BUCKET)]
    home = Counter(graph.region(bucket) for bucket in buckets).most_common(1)[0][0]
    return [bucket for bucket in ends if graph.region(bucket) != home]


def _overwritten(bucket: Resource, graph: ResourceGraph) -> CostRange:
    """GiB of checkpoints that newer ones replaced, which versioning keeps for as long as the lifecycle says."""
    if not bucket.name.endswith("checkpoints"):
        return CostRange.always(0)
    kept = [
        days
        for rule in _rules(bucket, graph)
        if (days := plain(rule, "noncurrentVersionExpiration", "noncurrentDays"))
    ]
    return CostRange.always(graph.usage.checkpoint_gib_per_day * min(kept, default=YEAR))


def _replication(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    written = share(graph.usage.lake_written_gib, graph.of(REPLICATION))
    return metered_line(graph, resource, "replication-gib", written)


def _storage_classes(bucket: Resource, graph: ResourceGraph) -> Mapping[str, float]:
    """Shares of a bucket's data by storage class, from its transitions and the day it expires (a year if never)."""
    rules = _rules(bucket, graph)
    ends = [days for rule in rules if (days := plain(rule, "expiration", "days"))]
    life = min(ends, default=YEAR)
    steps = sorted(
        (step.get("days") or 0, step["storageClass"])
        for rule in rules
        for step in rule.get("transitions") or ()
    )
    begins = [(0, "STANDARD"), *((days, kept) for days, kept in steps if days < life)]
    until = [days for days, _ in begins[1:]] + [life]
    return {kept: (end - day) / life for (day, kept), end in zip(begins, until, strict=True) if end > day}


def _rules(bucket: Resource, graph: ResourceGraph) -> Sequence[Mapping[str, Any]]:
    return graph.once(_lake).rules.get(bucket.urn, ())


def _hybrid(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """What EKS asks for nodes on premises, which the stack knows by the parameter that they join with."""
    tags = resource.inputs.get("tags")
    nodes, vcpus = (plain(tags, f"on-premises:{of}") for of in ("nodes", "vcpus"))
    if nodes and vcpus:
        yield from metered_line(graph, resource, "hybrid-vcpu", CostRange.always(int(nodes) * int(vcpus)))


def _log_group(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """Logs come in evenly; what is kept is what came in over the retention, a year where none is said."""
    taken = share(graph.usage.log_gib, graph.of(resource.type))
    yield from metered_line(graph, resource, "logs-gib", taken)
    kept = by_days(taken.times(LOG_COMPRESSION), resource.inputs.get("retentionInDays") or YEAR)
    yield from metered_line(graph, resource, "logs-kept-gib", kept)


def _guardduty(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """What every detector looks at, whatever its features are: management events, flow logs and queries of DNS."""
    events, logs = graph.usage.management_events_millions, graph.usage.guardduty_flow_gib
    yield from metered_line(graph, resource, "guardduty-management-events", CostRange.always(events))
    yield from metered_line(graph, resource, "guardduty-flow-gib", CostRange.always(logs))


def _guardduty_feature(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    usage, feature = graph.usage, resource.inputs.get("name")
    match feature:
        case "RUNTIME_MONITORING":
            vcpus = [nodes.count.times(nodes.vcpus) for nodes in graph.once(nodes_of) if nodes.count]
            yield from metered_line(graph, resource, "guardduty-vcpu", sum(vcpus, CostRange.always(0)))
        case "EKS_AUDIT_LOGS":
            events = CostRange.always(usage.audit_events_millions)
            yield from metered_line(graph, resource, "guardduty-audit-events", events)
        case "S3_DATA_EVENTS":
            events = CostRange.always(usage.lake_requests_millions)
            yield from metered_line(graph, resource, "guardduty-s3-events", events)
        case "EBS_MALWARE_PROTECTION":
            scanned = CostRange.always(usage.malware_scan_gib)
            yield from metered_line(graph, resource, "guardduty-malware-gib", scanned)
        case _:
            yield Line(f"GuardDuty's {feature}", CostRange.always(1), None, None)


METERED: Meters = {
    "aws:ebs/volume:Volume": _disk,
    "aws:ec2/eip:Eip": partial(each, "ipv4"),
    "aws:ec2/instance:Instance": _instance,
    "aws:ec2/internetGateway:InternetGateway": _internet,
    "aws:ec2/vpnConnection:VpnConnection": partial(each, "vpn-connection"),
    "aws:eks/cluster:Cluster": partial(each, "eks-cluster"),
    "aws:eks/nodeGroup:NodeGroup": node_group,
    "aws:guardduty/detector:Detector": _guardduty,
    "aws:guardduty/detectorFeature:DetectorFeature": _guardduty_feature,
    "aws:rds/instance:Instance": _database,
    "aws:ssm/parameter:Parameter": _hybrid,
    "aws:lb/loadBalancer:LoadBalancer": partial(each, "load-balancer"),
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    BUCKET: _bucket,
    ENDPOINT: _endpoint,
    KEY: _key,
    NAT: _nat,
    REPLICATION: _replication,
}
