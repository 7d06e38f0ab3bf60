"""Replication: RES-04 of objects, RES-05 of databases and caches.

RES-01 reads the regions of replicas where they are named so; here are ARNs, names of buckets and global clusters.
"""

from __future__ import annotations

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control
from policies.law import RESIDENCY
from policies.readers.destinations import GCS, Destination, destinations, inventory
from policies.readers.references import (
    FAMILIES,
    ReferenceRule,
    check_rules,
    combine,
    foreign_references,
    region,
    resolved_by_own,
    table_summary,
)

_TRANSFER = "gcp:storage/transferJob:TransferJob"
_OBJECTS = (
    Destination("aws:s3/bucketReplicationConfig:BucketReplicationConfig", "rules.destination.bucket"),
    Destination("aws:s3/bucket:Bucket", "replicationConfiguration.rules.destination.bucket"),
    Destination("aws:s3/bucketV2:BucketV2", "replicationConfigurations.rules.destinations.bucket"),
    Destination(_TRANSFER, "transferSpec.gcsDataSink.bucketName", GCS),
    Destination(_TRANSFER, "replicationSpec.gcsDataSink.bucketName", GCS),
)
_TABLES = "aws:s3tables/tableReplication:TableReplication"
_TABLE_BUCKETS = (
    Destination(_TABLES, "rule.destinations.destinationTableBucketArn", ("aws:s3tables/tableBucket:TableBucket",)),
)  # fmt: skip

_GLOBAL = {
    "aws:rds/cluster:Cluster": "aws:rds/globalCluster:GlobalCluster",
    "aws:docdb/cluster:Cluster": "aws:docdb/globalCluster:GlobalCluster",
    "aws:neptune/cluster:Cluster": "aws:neptune/globalCluster:GlobalCluster",
}
_MEMBERS = (
    *(Destination(type_, "globalClusterIdentifier", (of,)) for type_, of in _GLOBAL.items()),
    Destination(
        "aws:elasticache/replicationGroup:ReplicationGroup",
        "globalReplicationGroupId",
        ("aws:elasticache/globalReplicationGroup:GlobalReplicationGroup",),
    ),
    Destination(
        "aws:memorydb/cluster:Cluster",
        "multiRegionClusterName",
        ("aws:memorydb/multiRegionCluster:MultiRegionCluster",),
    ),
)


_SOURCES = (
    ReferenceRule("aws:keyspaces/keyspace:Keyspace", "replicationSpecification.regionLists", region),
    ReferenceRule("aws:rds/instance:Instance", "replicateSourceDb"),
    ReferenceRule("aws:rds/cluster:Cluster", "replicationSourceIdentifier"),
    ReferenceRule("aws:neptune/cluster:Cluster", "replicationSourceIdentifier"),
    *(ReferenceRule(type_, "sourceDbClusterIdentifier") for type_ in _GLOBAL.values()),
    ReferenceRule("aws:dynamodb/tableReplica:TableReplica", "globalTableArn"),
    ReferenceRule("gcp:alloydb/cluster:Cluster", "secondaryConfig.primaryClusterName"),
    ReferenceRule("gcp:redis/cluster:Cluster", "crossClusterReplicationConfig.primaryCluster.cluster"),
    ReferenceRule("gcp:redis/cluster:Cluster", "crossClusterReplicationConfig.secondaryClusters.cluster"),
)

RES_04 = Control(
    id="DPDP-RES-04",
    title="Object replication stays in India",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=FAMILIES["DPDP-RES-04"],
    remedy="copy to a bucket of this stack in the other Indian region, or list the bucket as one in India",
    check=combine("No ARN or path leads abroad.", foreign_references("DPDP-RES-04")),
    stack_check=destinations(
        "Each store that objects go to is a resource of this stack, or listed in the configuration.",
        (*_OBJECTS, *_TABLE_BUCKETS),
        others="DPDP-RES-04",
    ),
    settings=inventory("buckets", "buckets"),
)
RES_05 = Control(
    id="DPDP-RES-05",
    title="Database replicas stay in India",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=FAMILIES["DPDP-RES-05"],
    remedy="replicate between Indian regions only, and make a global cluster and all its members in one stack",
    check=combine(
        table_summary("No ARN or path of a replica, source or other resource leads abroad.", _SOURCES),
        check_rules(_SOURCES),
        foreign_references("DPDP-RES-05"),
    ),
    stack_check=destinations(
        "Each global cluster that is joined is a resource of this stack, or listed in the configuration.",
        _MEMBERS,
        "globalClusters",
    ),
    resolves=resolved_by_own,
    settings=inventory("globalClusters", "global clusters, with all their members,"),
)
CONTROLS = (RES_04, RES_05)
