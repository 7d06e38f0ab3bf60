"""How each resource type of Google is metered: which lines of the estimate it makes. A new type is a new row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from infra.pricing.lines import NOTHING, CostRange, Line, Metered, metered_line
from infra.pricing.meter import Meters, by_days, each, growing, share, size
from infra.pricing.nodes import gke_pool, google_nodes
from infra.pricing.resources import Resource, ResourceGraph, plain

BUCKET, NAT = "gcp:storage/bucket:Bucket", "gcp:compute/routerNat:RouterNat"
DATABASE = "gcp:sql/databaseInstance:DatabaseInstance"
CLUSTER, KEY = "gcp:container/cluster:Cluster", "gcp:kms/cryptoKey:CryptoKey"
MOST_NAT_NODES = 32  # that a gateway is paid for
FREE_LOG_DAYS = 30  # the price of taking a log in covers these
SOFT_DELETE_DAYS = 7  # Cloud Storage's own, where a bucket says nothing


def _instance(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    yield from each(f"gcp-instance-{resource.inputs.get('machineType')}", resource, graph)
    disk = plain(resource.inputs, "bootDisk", "initializeParams", "size")
    yield from metered_line(graph, resource, "gcp-disk", size(disk))


def _nat(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """Paid by the nodes behind it and for its address. What goes out to the internet goes through it: nodes have no
    addresses of their own."""
    counts = graph.once(google_nodes)
    nodes = None
    if all(count is not None for count in counts):
        total = sum((count for count in counts if count), NOTHING)
        nodes = CostRange(
            *(min(figure, MOST_NAT_NODES) for figure in (total.low, total.expected, total.high))
        )
    yield from metered_line(graph, resource, "gcp-nat-vm", nodes)
    yield from each("gcp-nat-address", resource, graph)
    gateways = graph.of(NAT)
    yield from metered_line(graph, resource, "gcp-nat-gib", share(graph.usage.nat_gib, gateways))
    yield from metered_line(graph, resource, "gcp-internet-gib", share(graph.usage.internet_gib, gateways))


def _key(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    yield from each("gcp-kms-key", resource, graph)
    requests = share(graph.usage.kms_requests_millions, graph.of(KEY))
    yield from metered_line(graph, resource, "gcp-kms-requests", requests)


def _bucket(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """Spread as the lake's S3 data is. A bucket with placements is in two regions, and what is written is copied."""
    buckets = graph.of(BUCKET)
    dual = [bucket for bucket in buckets if bucket.inputs.get("customPlacementConfig")]
    kind = "gcs-dual" if resource in dual else "gcs"
    yield from metered_line(graph, resource, f"{kind}-STANDARD", share(graph.usage.lake_gib, buckets))
    yield from metered_line(graph, resource, f"{kind}-STANDARD", _overwritten(resource, graph))
    requests = share(graph.usage.lake_requests_millions, buckets)
    yield from metered_line(graph, resource, f"{kind}-requests", requests)
    if resource in dual:
        written = share(graph.usage.lake_written_gib, dual)
        yield from metered_line(graph, resource, "gcs-replication-gib", written)


def _overwritten(bucket: Resource, graph: ResourceGraph) -> CostRange:
    """GiB of checkpoints that newer ones replaced: kept by versioning, and by soft delete after that."""
    if not bucket.name.endswith("checkpoints"):
        return NOTHING
    rules = bucket.inputs.get("lifecycleRules") or ()
    kept = [days for rule in rules if (days := plain(rule, "condition", "daysSinceNoncurrentTime"))]
    seconds = plain(bucket.inputs, "softDeletePolicy", "retentionDurationSeconds")
    soft = SOFT_DELETE_DAYS if seconds is None else float(seconds) / 86400
    return CostRange.always(graph.usage.checkpoint_gib_per_day * (min(kept, default=365) + soft))


def _logs(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """Logs come in evenly; what came in over the retention is kept, of which the first month is paid already."""
    taken = share(graph.usage.log_gib, graph.of(resource.type))
    yield from metered_line(graph, resource, "gcp-logs-gib", taken)
    days = resource.inputs.get("retentionDays") or FREE_LOG_DAYS
    paid = max(0, days - FREE_LOG_DAYS) if isinstance(days, int | float) else days
    yield from metered_line(graph, resource, "gcp-logs-kept-gib", by_days(taken, paid))


def _cluster(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    yield from each("gke-cluster", resource, graph)
    if plain(resource.inputs, "monitoringConfig", "managedPrometheus", "enabled"):
        samples = share(graph.usage.prometheus_samples_millions, graph.of(CLUSTER))
        yield from metered_line(graph, resource, "gmp-samples", samples)


def _alert_policy(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """Conditions on metrics are paid for, those on log entries are not."""
    conditions = resource.inputs.get("conditions") or ()
    paid = [condition for condition in conditions if "conditionMatchedLog" not in condition]
    return metered_line(graph, resource, "gcp-alert-condition", CostRange.always(len(paid)))


def _address(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """An address of a subnet's own range is free."""
    if resource.inputs.get("addressType") != "INTERNAL":
        yield from each("gcp-address", resource, graph)


def _forwarding_rule(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """One that leads to a database is an endpoint of Private Service Connect, and no load balancer's."""
    to_database = graph.behind(resource, "target", DATABASE)
    yield from each("gcp-psc-endpoint" if to_database else "gcp-load-balancer", resource, graph)


def _database(resource: Resource, graph: ResourceGraph) -> Iterator[Line | Metered]:
    """A machine by its vCPUs and memory, and its disk, twice in two zones; and a copy of the disk for the backups, each
    of which but the first holds what changed."""
    asked = plain(resource.inputs, "settings") or {}
    copies = 2 if asked.get("availabilityType") == "REGIONAL" else 1
    shape = re.fullmatch(r"db-custom-(\d+)-(\d+)", str(asked.get("tier")))
    vcpus, mib = map(int, shape.groups()) if shape else (None, None)
    yield from metered_line(graph, resource, "gcp-sql-vcpu", _copies(vcpus, copies))
    yield from metered_line(graph, resource, "gcp-sql-memory-gib", _copies(mib, copies / 1024))
    first, most = asked.get("diskSize"), asked.get("diskAutoresizeLimit")
    yield from metered_line(graph, resource, "gcp-sql-gib", growing(first, most, copies))
    yield from metered_line(graph, resource, "gcp-sql-backup-gib", growing(first, most, 1))


def _copies(units: int | None, copies: float) -> CostRange | None:
    return None if units is None else CostRange.always(units * copies)


METERED: Meters = {
    "gcp:compute/address:Address": _address,
    "gcp:compute/forwardingRule:ForwardingRule": _forwarding_rule,
    "gcp:compute/globalAddress:GlobalAddress": partial(each, "gcp-address"),
    "gcp:compute/instance:Instance": _instance,
    "gcp:container/nodePool:NodePool": gke_pool,
    "gcp:dns/managedZone:ManagedZone": partial(each, "gcp-dns-zone"),
    "gcp:logging/projectBucketConfig:ProjectBucketConfig": _logs,
    "gcp:monitoring/alertPolicy:AlertPolicy": _alert_policy,
    BUCKET: _bucket,
    DATABASE: _database,
    CLUSTER: _cluster,
    KEY: _key,
    NAT: _nat,
}
