"""What moves data, or makes resources, out of the plan's sight: RES-18 data movers, RES-19 exports, RES-21 templates.

RES-18 also speaks of every reference abroad in a type of no other family.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import ANY_TYPE, Control, Finding
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown, dotted, leaves
from policies.law import RESIDENCY
from policies.readers import locations
from policies.readers.destinations import GCS, Destination, destinations, inventory
from policies.readers.references import (
    HOSTS,
    ReferenceRule,
    Wrong,
    check_rules,
    combine,
    foreign_references,
    host,
    resolved_by_own,
    table_summary,
)

_TASK = "aws:datasync/task:Task"
_DMS = "aws:dms/endpoint:Endpoint"
_FLOW = "aws:appflow/flow:Flow"
_PROFILE = "gcp:datastream/connectionProfile:ConnectionProfile"
_WITHIN_AWS = frozenset({"S3", "Redshift", "EventBridge", "LookoutMetrics", "CustomerProfiles"})


def _connector(text: str, _settings: Settings) -> Wrong | None:
    if text in _WITHIN_AWS:
        return None
    return "the flow delivers to a service outside AWS", f"one of {', '.join(sorted(_WITHIN_AWS))}"


_RULES = (
    ReferenceRule(_TASK, "destinationLocationArn"),
    ReferenceRule(_TASK, "sourceLocationArn"),
    ReferenceRule("aws:datasync/locationObjectStorage:LocationObjectStorage", "serverHostname", host),
    ReferenceRule("aws:datasync/locationAzureBlob:LocationAzureBlob", "containerUrl", host),
    ReferenceRule("aws:datasync/locationSmb:LocationSmb", "serverHostname", host),
    ReferenceRule("aws:datasync/nfsLocation:NfsLocation", "serverHostname", host),
    ReferenceRule("aws:datasync/locationHdfs:LocationHdfs", "nameNodes.hostname", host),
    ReferenceRule("aws:transfer/connector:Connector", "url", host),
    ReferenceRule(_DMS, "serverName", host),
    ReferenceRule(_DMS, "elasticsearchSettings.endpointUri", host),
    ReferenceRule(_DMS, "redisSettings.serverName", host),
    ReferenceRule("aws:glue/connection:Connection", "connectionProperties.JDBC_CONNECTION_URL", host),
    ReferenceRule(_FLOW, "destinationFlowConfigs.connectorType", _connector),
    *(
        ReferenceRule(_PROFILE, f"{kind}Profile.hostname", host)
        for kind in ("mysql", "oracle", "postgresql", "sqlServer")
    ),
)
_BUCKETS = (
    Destination("aws:datasync/s3Location:S3Location", "s3BucketArn"),
    Destination("aws:storagegateway/nfsFileShare:NfsFileShare", "locationArn"),
    Destination("aws:storagegateway/smbFileShare:SmbFileShare", "locationArn"),
    Destination("aws:dms/s3Endpoint:S3Endpoint", "bucketName"),
    Destination(_FLOW, "destinationFlowConfigs.destinationConnectorProperties.s3.bucketName"),
    Destination(
        "gcp:datastream/stream:Stream", "destinationConfig.bigqueryDestinationConfig.blmtConfig.bucket", GCS
    ),
)
_FEEDS = tuple(
    f"gcp:cloudasset/{kind.lower()}Feed:{kind}Feed" for kind in ("Project", "Folder", "Organization")
)
_TOPICS = ("gcp:pubsub/topic:Topic",)
# S3 inventories, analytics and Storage Lens, Athena and RDS exports take only a bucket of their own region.
_EXPORTS = (
    Destination("aws:dynamodb/tableExport:TableExport", "s3Bucket"),
    Destination("gcp:projects/usageExportBucket:UsageExportBucket", "bucketName", GCS),
    Destination(
        "gcp:container/cluster:Cluster",
        "resourceUsageExportConfig.bigqueryDestination.datasetId",
        ("gcp:bigquery/dataset:Dataset",),
    ),
    *(Destination(feed, "feedOutputConfig.pubsubDestination.topic", _TOPICS) for feed in _FEEDS),
)  # fmt: skip

_STACK = "aws:cloudformation/stack:Stack"
_STACK_SET = "aws:cloudformation/stackSet:StackSet"
# Texts that make resources or run commands which no policy sees, and addresses of such texts.
_TEXTS = {
    _STACK: ("templateBody", "parameters"),
    _STACK_SET: ("templateBody", "parameters"),
    "aws:cloudcontrol/resource:Resource": ("desiredState",),
    "aws:ssm/document:Document": ("content",),
    "command:local:Command": ("create", "update", "environment"),
    "command:remote:Command": ("create", "update", "environment"),
}
_A_PLACE = re.compile(r"(?<![a-z0-9-])[a-z]{2,12}(?:-[a-z]+)+-?\d(?:-?[a-z])?(?![a-z0-9-])")


def templates(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-21: no region abroad in the texts, and no text that this run can't read."""
    if resource.type in (_STACK, _STACK_SET):
        address = resource.props.get("templateUrl")
        if isinstance(address, Unknown):
            yield address
        elif address is not None:
            yield Finding(
                "the template is elsewhere, so where it makes resources can't be read",
                "templateUrl",
                address,
                "the template itself, as templateBody",
            )
    for leaf in leaves({name: resource.props.get(name) for name in _TEXTS.get(resource.type, ())}):
        if isinstance(leaf.value, Unknown):
            yield leaf.value
        elif isinstance(leaf.value, str) and (place := _foreign_place(leaf.value)):
            yield Finding(
                "the text names a place outside India", dotted(leaf.path), place, "Indian places only"
            )


def _foreign_place(text: str) -> str:
    named = (found[0] for found in _A_PLACE.finditer(text))
    return next((one for one in named if locations.looks_like_a_place(one) and not locations.place(one)), "")


RES_18 = Control(
    id="DPDP-RES-18",
    title="Data movers point to India",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=ANY_TYPE,
    remedy="refer to a resource in India; list a host or bucket once it is known to be there",
    check=combine(
        table_summary(
            "No mover, and no other type that nobody else reads, refers to an ARN, path or cloud's host abroad.",
            _RULES,
        ),
        check_rules(_RULES),
        foreign_references("DPDP-RES-18"),
    ),
    stack_check=destinations(
        "Each bucket that data are moved to, and each store of any type that nobody else reports, is a resource of "
        "this stack, or listed in the configuration.",
        _BUCKETS,
        others="DPDP-RES-18",
    ),
    resolves=resolved_by_own,
    settings=inventory("buckets", "buckets, datasets, tables, topics and storage accounts") | HOSTS,
)
RES_19 = Control(
    id="DPDP-RES-19",
    title="Exports stay in India",
    law=RESIDENCY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(),
    remedy="export to a bucket, dataset or topic of this stack, or list it as one in India",
    check=None,
    stack_check=destinations(
        "Each destination of an export is a resource of this stack, or listed in the configuration.", _EXPORTS
    ),
    settings=inventory("buckets", "buckets, datasets and topics"),
)
RES_21 = Control(
    id="DPDP-RES-21",
    title="Templates stay in India",
    law=RESIDENCY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=tuple(_TEXTS),
    remedy="make the resources in the program itself, or in Indian regions only",
    check=templates,
    resolves=resolved_by_own,
)
CONTROLS = (RES_18, RES_19, RES_21)
