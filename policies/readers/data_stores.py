"""Stores of data: which types they are, and what their tags and labels say of the data in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def is_untagged(resource: Resource) -> bool:
    """Whether a store says nothing of the class of its data, so that it is judged as personal."""
    return resource.type in STORES and tag(resource, CLASS)[1] is None


def as_if_not_personal(resource: Resource) -> Mapping[str, Any] | None:
    """The properties that an untagged store would have if it were tagged as internal; None of anything else."""
    if not is_untagged(resource):
        return None
    if resource.type.startswith("aws:"):
        return {"tags": _with(resource.props.get("tags"), TAG)}
    if resource.type != GCP_SQL:
        return {"labels": _with(resource.props.get("labels"), LABEL)}
    settings = resource.props.get("settings")
    block = settings[0] if isinstance(settings, list) and len(settings) == 1 else settings
    block = block if isinstance(block, dict) else {}
    return {"settings": {**block, "userLabels": _with(block.get("userLabels"), LABEL)}}


def _with(tags: Any, name: str) -> dict[str, Any]:
    return {**(tags if isinstance(tags, dict) else {}), name: NOT_PERSONAL[0]}


def personal_stores(stack: Stack, *types: str) -> Iterator[StackResource]:
    """The stores of `types` that may hold personal data."""
    return (store for store in stack.of(*types) if is_personal(store.alone))


def tags_of(resource: Resource) -> str:
    """The property of a resource that holds its tags."""
    if resource.type.startswith("aws:"):
        return "tags"
    return "settings.userLabels" if resource.type == GCP_SQL else "labels"


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
