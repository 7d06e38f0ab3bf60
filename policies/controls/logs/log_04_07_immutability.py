"""Visibility: LOG-04 logs can't be altered, LOG-07 inference logs stay among the stack's own stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, at_least, check_expectations, is_named, is_true
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig
from policies.law import INFERENCE_LOGS, LOG_SAFETY
from policies.readers.audit_trails import EVENT_STORE, TRAIL
from policies.readers.kms_keys import resolved_by_key
from policies.readers.s3_buckets import BUCKETS, GCS_BUCKET, LOCKS, bucket_of, parts

FLOOR_DAYS = 365
_DAY_SECONDS = 86_400
SINKS = (
    "gcp:logging/projectSink:ProjectSink",
    "gcp:logging/folderSink:FolderSink",
    "gcp:logging/organizationSink:OrganizationSink",
    "gcp:logging/billingAccountSink:BillingAccountSink",
)
_TO_BUCKET = "storage.googleapis.com/"
TERMINATION = Expectation(
    "terminationProtectionEnabled", is_true, "the event data store can be deleted", "true", absent=True
)
LOCKED = "also ask for locks that nobody can lift: S3's COMPLIANCE mode, Google's isLocked"

BEDROCK = "aws:bedrockmodel/invocationLoggingConfiguration:InvocationLoggingConfiguration"
SAGEMAKER = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
VERTEX = "gcp:vertex/aiEndpoint:AiEndpoint"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
DATASET = "gcp:bigquery/dataset:Dataset"
# What says where inference logs go: type, property, how the destination's own name is in it, types of destination.
DESTINATIONS = (
    (BEDROCK, "loggingConfig.s3Config.bucketName", BUCKETS, "bucket"),
    (BEDROCK, "loggingConfig.cloudwatchConfig.logGroupName", (LOG_GROUP,), "name"),
    (BEDROCK, "loggingConfig.cloudwatchConfig.largeDataDeliveryS3Config.bucketName", BUCKETS, "bucket"),
    (SAGEMAKER, "dataCaptureConfig.destinationS3Uri", BUCKETS, "bucket"),
    (
        VERTEX,
        "predictRequestResponseLoggingConfig.bigqueryDestination.outputUri",
        (DATASET, "gcp:bigquery/table:Table"),
        "datasetId",
    ),
)
CAPTURE_KEY = Expectation(
    "dataCaptureConfig.kmsKeyId",
    is_named,
    "captured requests are not under a key of yours",
    "the ARN of a KMS key in India",
)


def deletable(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """LOG-04: an event data store keeps its protection."""
    yield from check_expectations(resource.props, (TERMINATION,))


def altered(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """LOG-04 over the stack: the buckets that trails and sinks write to hold what they have, for a year."""
    locked = settings.get("locked") is True
    for trail in stack.of(TRAIL):
        bucket = bucket_of(stack, trail, "s3BucketName")
        if bucket is None:
            yield trail.urn, _elsewhere("s3BucketName", trail)
        elif not any(_holds(lock, locked) for lock in parts(stack, bucket, *LOCKS)):
            yield bucket.urn, _alterable("an object lock with a default retention of 365 days", locked)
    for sink in stack.of(*SINKS):
        destination = sink.props.get("destination")
        if isinstance(destination, str) and not destination.startswith(_TO_BUCKET):
            continue
        bucket = _archive(stack, sink)
        if bucket is None:
            # Unknown, and made from no bucket: a log bucket, or another kind of destination.
            if isinstance(destination, str) or not sink.sources("destination"):
                yield sink.urn, _elsewhere("destination", sink)
        elif not _retains(bucket, locked):
            yield bucket.urn, _alterable("a retentionPolicy of 31536000 seconds", locked)


def _archive(stack: Stack, sink: StackResource) -> StackResource | None:
    destination, made_from = sink.props.get("destination"), {one.urn for one in sink.sources("destination")}
    return next(
        (
            bucket
            for bucket in stack.of(GCS_BUCKET)
            if bucket.urn in made_from
            or (is_named(bucket.props.get("name")) and destination == f"{_TO_BUCKET}{bucket.props['name']}")
        ),
        None,
    )


def _holds(lock: StackResource, locked: bool) -> bool:
    retention = dig(lock.props, "rule", "defaultRetention")
    modes = ("COMPLIANCE",) if locked else ("COMPLIANCE", "GOVERNANCE")
    long = at_least(FLOOR_DAYS)(dig(retention, "days")) or at_least(1)(dig(retention, "years"))
    return long and dig(retention, "mode") in modes


def _retains(bucket: StackResource, locked: bool) -> bool:
    policy = bucket.props.get("retentionPolicy")
    long = at_least(FLOOR_DAYS * _DAY_SECONDS)(dig(policy, "retentionPeriod"))
    return long and (dig(policy, "isLocked") is True or not locked)


def _alterable(expected: str, locked: bool) -> Finding:
    more = ", that nobody can lift" if locked else ""
    return Finding("logs in this bucket can be altered or deleted", "the bucket", None, f"{expected}{more}")


def _elsewhere(where: str, of: StackResource) -> Finding:
    return Finding(
        "nothing here shows that the logs can't be altered",
        where,
        "unknown" if isinstance(of.props.get(where), Unknown) else of.props.get(where),
        "a bucket of this stack, with a lock",
    )


def inference_logs(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """LOG-07: what logs inference says where to, under which key."""
    if resource.type == SAGEMAKER and not resource.props.get("dataCaptureConfig"):
        return
    if resource.type == VERTEX and dig(resource.props, "predictRequestResponseLoggingConfig", "enabled") in (
        None,
        False,
    ):
        return
    if resource.type == SAGEMAKER:
        yield from check_expectations(resource.props, (CAPTURE_KEY,))
    values = [
        (path, dig(resource.props, *path.split(".")))
        for type_, path, _, _ in DESTINATIONS
        if type_ == resource.type
    ]
    yield from (value for _, value in values if isinstance(value, Unknown))
    if not any(value for _, value in values):
        where = values[0][0]
        yield Finding("inference logs go nowhere", where, values[0][1], "a store of this stack")


def destinations(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """LOG-07 over the stack: they go to stores of this stack, whose place, key and retention other controls judge."""
    for type_, path, types, prop in DESTINATIONS:
        for resource in stack.of(type_):
            value = dig(resource.props, *path.split("."))
            if isinstance(value, str) and not any(
                _named(value, store.props.get(prop)) for store in stack.of(*types)
            ):
                yield (
                    resource.urn,
                    Finding(
                        "inference logs go to a store whose place, key and retention are not known here",
                        path,
                        value,
                        "a store of this stack",
                    ),
                )


def _named(value: str, name: Any) -> bool:
    """Whether a destination (a name, an `s3://` or `bq://` address) is the store of that name."""
    if not is_named(name):
        return False
    return (
        name in value.removeprefix("s3://").removeprefix("bq://").replace("/", ".").split(".")
        or value == name
    )


def resolved(unknown: Unknown, resource: StackResource, stack: Stack) -> bool:
    """A key of the stack, or a destination that is made from a store of the stack."""
    if resolved_by_key(unknown, resource, stack):
        return True
    names = [part for part in unknown.path if isinstance(part, str)]
    for type_, path, types, _ in DESTINATIONS:
        if resource.type == type_ and path.split(".") == names:
            return any(stack.get(urn) in list(stack.of(*types)) for urn in stack.behind(resource, names[0]))
    return False


_LOCKED_SETTING = {"locked": {"type": "boolean", "default": False, "description": LOCKED}}
LOG_04 = Control(
    id="DPDP-LOG-04",
    title="Logs can not be altered",
    law=LOG_SAFETY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(EVENT_STORE,),
    remedy="lock the bucket of the logs for a year: object lock on S3, a retention policy on Cloud Storage "
    "(in these stacks: protectData on Google Cloud)",
    remedies={
        "aws:": "lock the bucket of the logs for a year with object lock",
        "gcp:": "lock the bucket of the logs for a year with a retention policy (in these stacks: protectData)",
    },
    check=deletable,
    stack_check=altered,
    settings=_LOCKED_SETTING,
)
LOG_07 = Control(
    id="DPDP-LOG-07",
    title="Inference logs stay in the stack",
    law=INFERENCE_LOGS,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(BEDROCK, SAGEMAKER, VERTEX),
    remedy="send them to a bucket, log group or dataset of this stack, under a KMS key",
    check=inference_logs,
    stack_check=destinations,
    resolves=resolved,
)
CONTROLS: tuple[Control, ...] = (LOG_04, LOG_07)
