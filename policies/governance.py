"""Governance: GOV-01 stores of data say what class of data they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.control import Control, Finding
from policies.law import CLASSIFICATION
from policies.resource import Resource, Settings, document
from policies.unknowns import Unknown, dig

CLASSES = ("personal", "sensitive", "payment", "internal", "public")
TAG = "dpdp:data-class"
LABEL = "dpdp-data-class"  # Google's labels allow no colon

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


def data_class(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """GOV-01: a store carries the tag, itself or by its provider's default tags, with a value of the closed list."""
    classes = settings.get("classes", CLASSES)
    where, value = _tag(resource)
    if isinstance(value, Unknown):
        yield value
    elif value is None:
        yield Finding(
            "the store does not say what class of data it holds", where, None, f"one of {', '.join(classes)}"
        )
    elif value not in classes:
        yield Finding("the data class is not in the list", where, value, f"one of {', '.join(classes)}")


def _tag(resource: Resource) -> tuple[str, Any]:
    if resource.type.startswith("aws:"):
        own = dig(resource.props, "tags", TAG)
        # Providers take nested inputs as JSON text.
        default = dig(document(resource.provider_props.get("defaultTags")), "tags", TAG)
        return f'tags["{TAG}"]', default if own is None else own
    block = (
        dig(resource.props, "settings", "userLabels")
        if resource.type == GCP_SQL
        else resource.props.get("labels")
    )
    return f'{"settings.userLabels" if resource.type == GCP_SQL else "labels"}["{LABEL}"]', dig(block, LABEL)


GOV_01 = Control(
    id="DPDP-GOV-01",
    title="Data stores carry a data class",
    law=CLASSIFICATION,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=(*AWS_STORES, *GCP_STORES, GCP_SQL),
    remedy=f'tag it with "{TAG}" (Google: label "{LABEL}")',
    check=data_class,
    settings={
        "classes": {
            "type": "array",
            "items": {"type": "string"},
            "default": list(CLASSES),
            "description": "the closed list of data classes",
        }
    },
)
CONTROLS = (GOV_01,)
