"""Where logs are stored: RES-11. CERT-In's Directions ask for them within India; how long is LOG-03's matter."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings, document
from policies.framework.unknowns import Unknown, dotted, leaves
from policies.law import LOG_COPIES, LOGS_IN_INDIA
from policies.readers.destinations import GCS, S3, Destination, destinations, inventory
from policies.readers.references import (
    FAMILIES,
    ReferenceRule,
    Wrong,
    abroad,
    check_rules,
    combine,
    foreign_references,
    resolved_by_own,
    table_summary,
)

_ANYWHERE = (
    *S3,
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:kinesis/stream:Stream",
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream",
)


def _types(kind: str, *of: str) -> tuple[str, ...]:
    """Google has a type for each level at which logs are gathered."""
    return tuple(f"gcp:logging/{one[0].lower()}{one[1:]}{kind}:{one}{kind}" for one in of)


_OF_SINKS = (
    *GCS,
    "gcp:bigquery/dataset:Dataset",
    "gcp:pubsub/topic:Topic",
    *_types("BucketConfig", "Project", "Folder", "Organization"),
)
_SINKS = _types("Sink", "Project", "Folder", "Organization", "BillingAccount")
_FIREWALL = "aws:networkfirewall/loggingConfiguration:LoggingConfiguration"
_PLACES = (
    Destination("aws:cloudtrail/trail:Trail", "s3BucketName"),
    Destination("aws:cfg/deliveryChannel:DeliveryChannel", "s3BucketName"),
    Destination("aws:ec2/flowLog:FlowLog", "logDestination", _ANYWHERE),
    Destination(
        "aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination",
        "deliveryDestinationConfiguration.destinationResourceArn",
        _ANYWHERE,
    ),
    Destination("aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig", "destinationArn", _ANYWHERE),
    Destination(
        "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration", "logDestinationConfigs", _ANYWHERE
    ),
    Destination(_FIREWALL, "loggingConfiguration.logDestinationConfigs.logDestination.bucketName"),
    Destination(
        "aws:bedrockmodel/invocationLoggingConfiguration:InvocationLoggingConfiguration",
        "loggingConfig.s3Config.bucketName",
    ),
    Destination("aws:msk/cluster:Cluster", "loggingInfo.brokerLogs.s3.bucket"),
    Destination("gcp:storage/bucket:Bucket", "logging.logBucket", GCS),
    *(Destination(sink, "destination", _OF_SINKS) for sink in _SINKS),
)
_NO_PLACE = "without it new log buckets are global"
_ACCOUNT_POLICY = "aws:cloudwatch/logAccountPolicy:LogAccountPolicy"
QUERY_LOG = "aws:route53/queryLog:QueryLog"
_RULES = (
    ReferenceRule("aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", "destinationArn"),
    ReferenceRule("aws:cloudwatch/logDestination:LogDestination", "targetArn"),
    ReferenceRule("aws:cloudtrail/trail:Trail", "cloudWatchLogsGroupArn"),
    ReferenceRule(QUERY_LOG, "cloudwatchLogGroupArn", lambda text, _settings: _of_public_queries(text)),
    ReferenceRule("aws:oam/link:Link", "sinkIdentifier"),
    ReferenceRule(
        "gcp:logging/organizationSettings:OrganizationSettings", "storageLocation", absent=_NO_PLACE
    ),
    ReferenceRule("gcp:logging/folderSettings:FolderSettings", "storageLocation", absent=_NO_PLACE),
)


def _of_public_queries(text: str) -> Wrong | None:
    """Route 53 writes the log of a public zone in us-east-1 only: nobody can move it to India."""
    wrong = abroad(text)
    return (wrong[0], "no log of a public zone, which can be in us-east-1 only") if wrong else None


# What these send on, their source keeps as well: a log group, whose place and retention others judge.
_COPIES = (
    "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
    "aws:cloudwatch/logDestination:LogDestination",
    "aws:oam/link:Link",
    _ACCOUNT_POLICY,
)


def account_policy(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """A subscription for the whole account hides its destination in a JSON text."""
    if resource.type != _ACCOUNT_POLICY:
        return
    for leaf in leaves({"policyDocument": document(resource.props.get("policyDocument"))}):
        if isinstance(leaf.value, Unknown):
            yield leaf.value
        elif isinstance(leaf.value, str) and (wrong := abroad(leaf.value)):
            yield Finding(wrong[0], dotted(leaf.path), leaf.value, wrong[1])


RES_11 = Control(
    id="DPDP-RES-11",
    title="Logs are stored in India",
    law=LOGS_IN_INDIA,
    law_of_type=dict.fromkeys(_COPIES, LOG_COPIES),
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=FAMILIES["DPDP-RES-11"],
    remedy="send logs to a bucket, log group or stream of this stack, or list the bucket as one in India",
    remedies={QUERY_LOG: "log the queries of your VPCs in India instead (ResolverQueryLogConfig), or none"},
    check=combine(
        table_summary("No log is sent abroad by ARN or path, also in the text of an account policy.", _RULES),
        check_rules(_RULES),
        account_policy,
        foreign_references("DPDP-RES-11"),
    ),
    stack_check=destinations(
        "Each store that logs go to is a resource of this stack, or listed in the configuration.",
        _PLACES,
        others="DPDP-RES-11",
    ),
    resolves=resolved_by_own,
    settings=inventory("buckets", "buckets, datasets and topics"),
)
CONTROLS = (RES_11,)
