"""Stores of data: which types they are, and what their tags and labels say of the data in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from policies.framework.resources import Resource, Stack, StackResource, document
from policies.framework.unknowns import dig

NOT_PERSONAL = ("internal", "public")
CLASS, OWNER, PURPOSE, RETENTION_DAYS = "data-class", "owner", "purpose", "retention-days"
TAG = f"dpdp:{CLASS}"
LABEL = f"dpdp-{CLASS}"  # Google's labels allow no colon
AWS_STORES = (
    "aws:s3/bucket:Bucket",
    "aws:s3/bucketV2:BucketV2",
    "aws:s3/vectorsVectorBucket:VectorsVectorBucket",
    "aws:dynamodb/table:Table",
    "aws:rds/cluster:Cluster",
    "aws:rds/instance:Instance",
    "aws:docdb/cluster:Cluster",
    "aws:neptune/cluster:Cluster",
    "aws:redshift/cluster:Cluster",
    "aws:redshiftserverless/namespace:Namespace",
    "aws:elasticache/cluster:Cluster",
    "aws:elasticache/replicationGroup:ReplicationGroup",
    "aws:elasticache/serverlessCache:ServerlessCache",
    "aws:memorydb/cluster:Cluster",
    "aws:opensearch/domain:Domain",
    "aws:opensearch/serverlessCollection:ServerlessCollection",
    "aws:timestreamwrite/database:Database",
    "aws:efs/fileSystem:FileSystem",
    "aws:fsx/lustreFileSystem:LustreFileSystem",
    "aws:fsx/ontapFileSystem:OntapFileSystem",
    "aws:fsx/openZfsFileSystem:OpenZfsFileSystem",
    "aws:fsx/windowsFileSystem:WindowsFileSystem",
    "aws:ebs/volume:Volume",
    "aws:sqs/queue:Queue",
    "aws:kinesis/stream:Stream",
    "aws:msk/cluster:Cluster",
    "aws:cloudwatch/logGroup:LogGroup",
)
GCP_STORES = (
    "gcp:storage/bucket:Bucket",
    "gcp:bigquery/dataset:Dataset",
    "gcp:spanner/instance:Instance",
    "gcp:bigtable/instance:Instance",
    "gcp:redis/instance:Instance",
    "gcp:filestore/instance:Instance",
    "gcp:compute/disk:Disk",
    "gcp:pubsub/topic:Topic",
    "gcp:vertex/aiIndex:AiIndex",
)
# Cloud SQL keeps its labels elsewhere.
GCP_SQL = "gcp:sql/databaseInstance:DatabaseInstance"
STORES = (*AWS_STORES, *GCP_STORES, GCP_SQL)


def is_personal(resource: Resource) -> bool:
    """Personal data may be in it, unless its class is known and says otherwise."""
    _, value = tag(resource, CLASS)
    return value not in NOT_PERSONAL


def personal_stores(stack: Stack, *types: str) -> Iterator[StackResource]:
    """The stores of `types` that may hold personal data."""
    return (store for store in stack.of(*types) if is_personal(store.alone))


def tag(resource: Resource, name: str) -> tuple[str, Any]:
    """Where a resource says `name`, and what it says there."""
    if resource.type.startswith("aws:"):
        key = f"dpdp:{name}"
        own = dig(resource.props, "tags", key)
        # Providers take nested inputs as JSON text.
        default = dig(document(resource.provider_props.get("defaultTags")), "tags", key)
        return f'tags["{key}"]', default if own is None else own
    key, sql = f"dpdp-{name}", resource.type == GCP_SQL
    block = dig(resource.props, "settings", "userLabels") if sql else resource.props.get("labels")
    return f'{"settings.userLabels" if sql else "labels"}["{key}"]', dig(block, key)
