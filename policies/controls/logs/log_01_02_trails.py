"""Visibility: LOG-01 an audit trail that is on and validated, LOG-02 access to personal data written down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, holds, is_named, is_true
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.stack_wide import AWS_ACCOUNT, elsewhere
from policies.framework.unknowns import Unknown, dig, each
from policies.law import VISIBILITY
from policies.readers.audit_trails import EVENT_STORE, TRAIL
from policies.readers.data_stores import AWS_STORES, GCP_SQL, is_personal, personal_stores
from policies.readers.kms_keys import resolved_by_key
from policies.readers.s3_buckets import (
    BUCKET_LOGGING,
    GCS_BUCKET,
    is_amazons,
    parts,
    personal_buckets,
    receives_access_logs,
)

TRAILS: dict[str, tuple[Expectation, ...]] = {
    TRAIL: (
        Expectation("enableLogging", is_true, "the trail writes nothing", "true", absent=True),
        Expectation("enableLogFileValidation", is_true, "nobody would notice an altered log file", "true"),
        Expectation(
            "isMultiRegionTrail", is_true, "the trail does not see what is done in other regions", "true"
        ),
        Expectation("includeGlobalServiceEvents", is_true, "the trail does not see IAM", "true", absent=True),
        Expectation(
            "kmsKeyId", is_named, "the trail is not under a key of yours", "the ARN of a KMS key in India"
        ),
    ),
    EVENT_STORE: (
        Expectation(
            "multiRegionEnabled", is_true, "the store does not see other regions", "true", absent=True
        ),
        Expectation(
            "suspend", lambda it: it is False, "the store takes nothing in", "false, or left out", absent=True
        ),
    ),
}

RDS = ("aws:rds/cluster:Cluster", "aws:rds/instance:Instance")
DOCDB, NEPTUNE = "aws:docdb/cluster:Cluster", "aws:neptune/cluster:Cluster"
OPENSEARCH, DYNAMODB = "aws:opensearch/domain:Domain", "aws:dynamodb/table:Table"
# Which of a database's logs show who read what; engines name them differently.
_DATABASE_LOGS = ("audit", "postgresql")

AUDIT_CONFIGS = (
    "gcp:projects/iAMAuditConfig:IAMAuditConfig",
    "gcp:folder/iamAuditConfig:IamAuditConfig",
    "gcp:organizations/iamAuditConfig:IamAuditConfig",
)
# Cloud Audit Logs of data are off until asked for. BigQuery's are always on.
AUDITED = {
    GCS_BUCKET: "storage.googleapis.com",
    GCP_SQL: "cloudsql.googleapis.com",
    "gcp:spanner/instance:Instance": "spanner.googleapis.com",
    "gcp:bigtable/instance:Instance": "bigtable.googleapis.com",
}
_EVERY_SERVICE = "allServices"
_BUCKET_EVENTS, _TABLE_EVENTS = "AWS::S3::Object", "AWS::DynamoDB::Table"


def trail(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """LOG-01: a trail is on, sees every region, is validated and encrypted."""
    yield from check_expectations(resource.props, TRAILS.get(resource.type, ()))


def a_trail(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """LOG-01 over the stack: where personal data is kept on AWS, a trail is. Google's own is always on."""
    kept = any(personal_stores(stack, *AWS_STORES))
    if kept and not is_named(settings.get("elsewhere")) and not any(stack.of(*TRAILS)):
        yield (
            stack.urn,
            Finding(
                "personal data is kept and no audit trail is",
                AWS_ACCOUNT,
                None,
                "a CloudTrail trail, or `elsewhere` in this policy's settings",
                elsewhere("LOG-01", "make a trail of all regions with enableLogFileValidation and a KMS key"),
            ),
        )


def database_logs(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """LOG-02: databases and search domains with personal data write down who read what."""
    if not is_personal(resource):
        return
    if resource.type == OPENSEARCH:
        yield from _search_audit(resource.props.get("logPublishingOptions"))
    elif resource.type in RDS:
        yield from _exports("enabledCloudwatchLogsExports", resource.props, _DATABASE_LOGS)
    elif resource.type == DOCDB:
        yield from _exports("enabledCloudwatchLogsExports", resource.props, ("audit",))
    elif resource.type == NEPTUNE:
        yield from _exports("enableCloudwatchLogsExports", resource.props, ("audit",))


def _exports(name: str, props: dict[str, Any], any_of: tuple[str, ...]) -> Iterator[Finding | Unknown]:
    value = props.get(name)
    if not any(log in each(value) for log in any_of):
        said = list(holds(name, value, any_of[:1], "the database does not write down who read what"))
        yield from (
            Finding(found.what, name, value, " or ".join(any_of)) if isinstance(found, Finding) else found
            for found in said
        )


def _search_audit(options: Any) -> Iterator[Finding | Unknown]:
    if isinstance(options, Unknown):
        yield options
        return
    unknown = None
    for option in each(options):
        kind, enabled = dig(option, "logType"), dig(option, "enabled")
        if kind == "AUDIT_LOGS" and enabled in (None, True):
            return
        unknown = unknown or next((it for it in (option, kind, enabled) if isinstance(it, Unknown)), None)
    yield unknown or Finding(
        "the domain does not write down who read what", "logPublishingOptions", options, "AUDIT_LOGS, enabled"
    )


def data_events(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """LOG-02 over the stack: reads and writes of personal buckets and tables are in some log.

    A store of another maker, behind an S3 endpoint of the provider's, keeps its own log, which no resource shows.
    """
    for bucket in personal_buckets(stack):
        if is_amazons(bucket) and not (
            parts(stack, bucket, *BUCKET_LOGGING)
            or _watched(stack, bucket, _BUCKET_EVENTS, f"arn:aws:s3:::{bucket.props.get('bucket')}")
            or receives_access_logs(stack, bucket)
        ):
            yield bucket.urn, _unwatched("a BucketLogging, or a trail with data events of this bucket")
    for table in personal_stores(stack, DYNAMODB):
        if not _watched(stack, table, _TABLE_EVENTS, str(table.props.get("arn"))):
            yield table.urn, _unwatched("a trail with data events of this table")
    for store in personal_stores(stack, *AUDITED):
        service = AUDITED[store.type]
        if not (is_named(dig(store.props, "logging", "logBucket")) or _audited(stack, service)):
            yield (
                store.urn,
                _unwatched(f"an IAMAuditConfig of {service} with DATA_READ and DATA_WRITE, exempting nobody"),
            )


def _unwatched(expected: str) -> Finding:
    return Finding("nothing writes down who reads this data", "the stack", None, expected)


def _audited(stack: Stack, service: str) -> bool:
    kinds = {
        dig(log, "logType")
        for config in stack.of(*AUDIT_CONFIGS)
        if config.props.get("service") in (service, _EVERY_SERVICE)
        for log in each(config.props.get("auditLogConfigs"))
        if isinstance(dig(log, "logType"), str) and not dig(log, "exemptedMembers")
    }
    return {"DATA_READ", "DATA_WRITE"} <= kinds


def _watched(stack: Stack, store: StackResource, kind: str, arn: str) -> bool:
    """Whether a trail or an event data store takes in all data events of a store.

    A prefix that can't be known yet counts if the engine knows that it is made from the store.
    """
    return any(
        store.urn in stack.behind(source, prop)
        if isinstance(prefix, Unknown)
        else is_named(prefix) and f"{arn}/".startswith(prefix)
        for source in stack.of(TRAIL, EVENT_STORE)
        for prop, prefixes in (("eventSelectors", _basic), ("advancedEventSelectors", _advanced))
        for selector in each(source.props.get(prop))
        for prefix in prefixes(selector, kind)
    )


def _basic(selector: Any, kind: str) -> list[Any]:
    if dig(selector, "readWriteType") not in (None, "All"):
        return []
    return [
        value
        for resource in each(dig(selector, "dataResources"))
        if dig(resource, "type") == kind
        for value in each(dig(resource, "values"))
    ]


def _advanced(selector: Any, kind: str) -> list[Any]:
    """Prefixes of ARNs, of a selector of data events that nothing else narrows."""
    fields = {str(dig(one, "field")): one for one in each(dig(selector, "fieldSelectors"))}
    if each(dig(fields.get("eventCategory"), "equals")) != ["Data"]:
        return []
    if kind not in each(dig(fields.get("resources.type"), "equals")):
        return []
    if fields.keys() - {"eventCategory", "resources.type", "resources.ARN"}:
        return []
    if "resources.ARN" not in fields:  # every one
        return ["arn:"]
    arns = fields["resources.ARN"]
    return [*each(dig(arns, "startsWiths")), *each(dig(arns, "equals"))]


LOG_01 = Control(
    id="DPDP-LOG-01",
    title="Audit trail on and validated",
    law=VISIBILITY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=tuple(TRAILS),
    remedy="a trail of all regions with enableLogFileValidation and a KMS key",
    check=trail,
    stack_check=a_trail,
    resolves=resolved_by_key,
    settings={
        "elsewhere": {
            "type": "string",
            "default": "",
            "description": "where the account's trail is made, if not in this stack",
        }
    },
)
LOG_02 = Control(
    id="DPDP-LOG-02",
    title="Access to personal data logged",
    law=VISIBILITY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(*RDS, DOCDB, NEPTUNE, OPENSEARCH),
    remedy="take data events into the trail, or log access to the bucket; export the database's audit log",
    remedies={
        "aws:s3/": "log access to the bucket (BucketLogging), or take its data events into the trail",
        DYNAMODB: "take data events of the table into the trail",
        OPENSEARCH: "publish AUDIT_LOGS in logPublishingOptions",
        "aws:rds/": "export the database's audit log (enabledCloudwatchLogsExports)",
        "aws:docdb/": "export the cluster's audit log (enabledCloudwatchLogsExports)",
        "aws:neptune/": "export the cluster's audit log (enableCloudwatchLogsExports)",
        "gcp:": "an IAMAuditConfig of the service with DATA_READ and DATA_WRITE",
    },
    check=database_logs,
    stack_check=data_events,
)
CONTROLS: tuple[Control, ...] = (LOG_01, LOG_02)
