"""Streams and events: RES-12. Where they are delivered, and where Pub/Sub handles messages on the way."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown, dig
from policies.law import RESIDENCY
from policies.readers.destinations import GCS, Destination, destinations, inventory
from policies.readers.references import (
    FAMILIES,
    HOSTS,
    ReferenceRule,
    check_rules,
    combine,
    foreign_references,
    host,
    region,
    resolved_by_own,
    table_summary,
)

_FIREHOSE = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
_REPLICATOR = "aws:msk/replicator:Replicator"
_SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
_TOPIC = "gcp:pubsub/topic:Topic"
_BACKUPS = (
    *("elasticsearch", "httpEndpoint", "iceberg", "opensearch", "opensearchserverless"),
    *("redshift", "snowflake", "splunk"),
)
_BUCKETS = (
    Destination(_FIREHOSE, "extendedS3Configuration.bucketArn"),
    Destination(_FIREHOSE, "extendedS3Configuration.s3BackupConfiguration.bucketArn"),
    Destination(_FIREHOSE, "redshiftConfiguration.s3BackupConfiguration.bucketArn"),
    *(Destination(_FIREHOSE, f"{name}Configuration.s3Configuration.bucketArn") for name in _BACKUPS),
    Destination("gcp:pubsub/subscription:Subscription", "cloudStorageConfig.bucket", GCS),
)


_RULES = (
    ReferenceRule(_FIREHOSE, "httpEndpointConfiguration.url", host),
    ReferenceRule(_FIREHOSE, "splunkConfiguration.hecEndpoint", host),
    ReferenceRule(_FIREHOSE, "snowflakeConfiguration.accountUrl", host),
    ReferenceRule(_FIREHOSE, "redshiftConfiguration.clusterJdbcurl", host),
    ReferenceRule(_FIREHOSE, "opensearchConfiguration.clusterEndpoint", host),
    ReferenceRule(_FIREHOSE, "opensearchserverlessConfiguration.collectionEndpoint", host),
    ReferenceRule("aws:cloudwatch/eventTarget:EventTarget", "arn"),
    ReferenceRule("aws:cloudwatch/eventApiDestination:EventApiDestination", "invocationEndpoint", host),
    ReferenceRule(
        "aws:cloudwatch/eventEndpoint:EventEndpoint", "routingConfig.failoverConfig.secondary.route", region
    ),
    ReferenceRule("aws:cloudwatch/metricStream:MetricStream", "firehoseArn"),
    ReferenceRule("aws:pipes/pipe:Pipe", "target"),
    ReferenceRule("aws:scheduler/schedule:Schedule", "target.arn"),
    ReferenceRule(_REPLICATOR, "replicationInfoList.targetKafkaClusterArn"),
    ReferenceRule(_REPLICATOR, "kafkaClusters.amazonMskCluster.mskClusterArn"),
    ReferenceRule("gcp:pubsub/subscription:Subscription", "pushConfig.pushEndpoint", host),
)


def events(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-12, where one property decides how another is read."""
    if resource.type == _SUBSCRIPTION:
        yield from _sns(resource, settings)
    if resource.type == _TOPIC:
        yield from _in_transit(resource)


def _sns(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """Mail and text messages go to people, wherever they are; web hooks, queues and functions have a place."""
    protocol = resource.props.get("protocol")
    if isinstance(protocol, Unknown):
        yield protocol
    elif protocol in ("http", "https"):
        yield from ReferenceRule(_SUBSCRIPTION, "endpoint", host).check(resource, settings)
    elif protocol not in ("email", "email-json", "sms"):
        yield from ReferenceRule(_SUBSCRIPTION, "endpoint").check(resource, settings)


def _in_transit(resource: Resource) -> Iterator[Finding | Unknown]:
    """Allowed regions bind where messages are stored; only `enforceInTransit` binds where they are handled. A topic
    without a policy is RES-07's."""
    policy = resource.props.get("messageStoragePolicy")
    value = policy if isinstance(policy, Unknown) else dig(policy, "enforceInTransit")
    if isinstance(value, Unknown):
        yield value
    elif policy is not None and value is not True:
        yield Finding(
            "messages may be handled abroad on their way",
            "messageStoragePolicy.enforceInTransit",
            value,
            "true",
        )


RES_12 = Control(
    id="DPDP-RES-12",
    title="Streams and events stay in India",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=FAMILIES["DPDP-RES-12"],
    remedy="deliver to a resource in India; list a partner's host in `hosts` once it is known to be there",
    check=combine(
        table_summary(
            "No target is abroad; a host is a cloud's in an Indian region, a private address, or listed in `hosts`; "
            "a topic that says where messages are kept says `enforceInTransit` too; a subscription's endpoint is read "
            "by its protocol.",
            _RULES,
        ),
        check_rules(_RULES),
        events,
        foreign_references("DPDP-RES-12"),
    ),
    stack_check=destinations(
        "Each store that a stream is kept in is a resource of this stack, or listed in the configuration.",
        _BUCKETS,
        others="DPDP-RES-12",
    ),
    resolves=resolved_by_own,
    settings=inventory("buckets", "buckets") | HOSTS,
)
CONTROLS = (RES_12,)
