"""Who looked at data, and that the log of it stays: LOG-02 to LOG-07."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.policies.controls.personal_data import (
    BUCKET,
    DATA_CLASS,
    FROM_BUCKET,
    GCS,
    NETWORK,
    PUBLIC,
    VPC,
    Sources,
    is_asked_only_of_personal_data,
    part,
    subnet,
    told,
    trail,
)
from tests.policies.harness import UNKNOWN, Shown, of, run, unresolved

LOGS = Shown(BUCKET.type, {"bucket": "logs", **DATA_CLASS}, "logs")


def advanced(arns: dict[str, Any] | None = None, **more: Any) -> list[dict[str, Any]]:
    fields = [
        {"field": "eventCategory", "equals": ["Data"]},
        {"field": "resources.type", "equals": [more.pop("kind", "AWS::S3::Object")]},
    ]
    fields += [{"field": "resources.ARN", **arns}] if arns else []
    return [
        {"fieldSelectors": [*fields, *({"field": name, "equals": [value]} for name, value in more.items())]}
    ]


def basic(*values: Any, kind: str = "AWS::S3::Object", read_write: str | None = None) -> list[dict[str, Any]]:
    selector: dict[str, Any] = {"dataResources": [{"type": kind, "values": list(values)}]}
    return [selector | ({"readWriteType": read_write} if read_write else {})]


MADE_FROM_IT = {"advancedEventSelectors": [BUCKET.urn], "eventSelectors": [BUCKET.urn]}


@pytest.mark.parametrize(
    "watcher",
    [
        part("Logging", {"targetBucket": "logs"}),
        part("Logging", {"bucket": UNKNOWN, "targetBucket": "logs"}, FROM_BUCKET),
        trail(advancedEventSelectors=advanced()),
        trail(advancedEventSelectors=advanced({"startsWiths": ["arn:aws:s3:::lake/"]})),
        trail(advancedEventSelectors=advanced({"startsWiths": ["arn:aws:s3:::other/", "arn:aws:s3:::la"]})),
        trail(MADE_FROM_IT, advancedEventSelectors=advanced({"startsWiths": [UNKNOWN]})),
        trail(eventSelectors=basic("arn:aws:s3")),
        trail(eventSelectors=basic("arn:aws:s3:::lake/")),
        trail(MADE_FROM_IT, eventSelectors=basic(UNKNOWN)),
        # What receives access logs can't log its own.
        part("Logging", {"bucket": "other", "targetBucket": "lake"}),
    ],
)
def test_access_to_a_bucket_is_logged(watcher: Shown) -> None:
    assert not told("DPDP-LOG-02", BUCKET, watcher)


@pytest.mark.parametrize(
    "watcher",
    [
        part("Logging", {"bucket": "other", "targetBucket": "logs"}),
        part("Logging", {"bucket": UNKNOWN, "targetBucket": UNKNOWN}),
        trail(),
        trail(advancedEventSelectors=advanced({"startsWiths": ["arn:aws:s3:::lake/raw/"]})),
        trail(advancedEventSelectors=advanced({"startsWiths": ["arn:aws:s3:::lake2/", ""]})),
        trail(advancedEventSelectors=advanced({"startsWiths": [UNKNOWN]})),
        trail(advancedEventSelectors=advanced(readOnly="false")),
        trail(advancedEventSelectors=advanced(kind="AWS::DynamoDB::Table")),
        trail(advancedEventSelectors=UNKNOWN),
        trail(
            advancedEventSelectors=[
                {"fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}]}
            ]
        ),
        trail(eventSelectors=basic("arn:aws:s3:::lake/", read_write="WriteOnly")),
        trail(eventSelectors=basic("arn:aws:s3:::lake/", kind="AWS::Lambda::Function")),
        trail(eventSelectors=basic("arn:aws:s3:::lake/raw")),
    ],
)
def test_access_to_a_bucket_is_not_logged(watcher: Shown) -> None:
    assert told("DPDP-LOG-02", BUCKET, watcher)


@pytest.mark.parametrize(
    ("endpoint", "asked"),
    [
        ("https://store.site.internal:9000", False),
        ("https://bucket.vpce-1.s3.ap-south-1.vpce.amazonaws.com", True),
        (UNKNOWN, True),
        (None, True),
    ],
)
def test_a_store_of_another_maker_keeps_its_own_log(endpoint: Any, asked: bool) -> None:
    text = UNKNOWN if endpoint is UNKNOWN else json.dumps([{"s3": endpoint}])
    behind = Shown(BUCKET.type, BUCKET.props, "bucket", {"region": "ap-south-1", "endpoints": text})
    assert bool(told("DPDP-LOG-02", behind)) == asked
    plain = [line for line in told("DPDP-ENC-03", behind) if "no policy belongs" in line]
    assert bool(plain) == asked, "how another store is reached, its endpoint says"


def test_access_to_a_table_is_logged_by_a_trail() -> None:
    arn = "arn:aws:dynamodb:ap-south-1:000000000000:table/t"
    table = Shown("aws:dynamodb/table:Table", {"name": "t", "arn": arn}, "table")
    assert told("DPDP-LOG-02", table)
    assert not told("DPDP-LOG-02", table, trail(eventSelectors=basic(arn, kind="AWS::DynamoDB::Table")))
    assert not told("DPDP-LOG-02", table, trail(advancedEventSelectors=advanced(kind="AWS::DynamoDB::Table")))
    assert told("DPDP-LOG-02", table, trail(eventSelectors=basic(f"{arn}2", kind="AWS::DynamoDB::Table")))


def test_access_on_google_is_logged_by_service() -> None:
    def audit(kinds: Sequence[Any], service: Any = "storage.googleapis.com") -> Shown:
        logs = [kind if isinstance(kind, dict) else {"logType": kind} for kind in kinds]
        return Shown(
            "gcp:projects/iAMAuditConfig:IAMAuditConfig", {"service": service, "auditLogConfigs": logs}
        )

    assert not told("DPDP-LOG-02", GCS, audit(["DATA_READ", "DATA_WRITE"]))
    assert not told("DPDP-LOG-02", GCS, audit(["DATA_READ", "DATA_WRITE"], "allServices"))
    assert not told("DPDP-LOG-02", Shown(GCS.type, GCS.props | {"logging": {"logBucket": "logs"}}))
    for weaker in (
        audit(["DATA_WRITE"]),
        audit(["DATA_READ", "DATA_WRITE"], "cloudsql.googleapis.com"),
        audit(["DATA_READ", "DATA_WRITE"], UNKNOWN),
        audit([{"logType": "DATA_READ", "exemptedMembers": ["user:a@example.org"]}, "DATA_WRITE"]),
        audit([{"logType": UNKNOWN}, "DATA_WRITE"]),
    ):
        assert told("DPDP-LOG-02", GCS, weaker)


def test_a_database_without_personal_data_needs_no_audit_log() -> None:
    is_asked_only_of_personal_data("DPDP-LOG-02", Shown("aws:rds/instance:Instance", {}))


def lock(mode: str = "GOVERNANCE", **retention: Any) -> Shown:
    rule = {"defaultRetention": {"mode": mode} | (retention or {"days": 365})}
    return part("ObjectLockConfiguration", {"bucket": "logs", "rule": rule})


LOCKED = {"dpdp-log-04-logs-can-not-be-altered-stack": {"locked": True}}


def test_the_bucket_of_a_trail_is_locked_for_a_year() -> None:
    assert told("DPDP-LOG-04", LOGS, trail())
    assert not told("DPDP-LOG-04", LOGS, trail(), lock())
    assert not told("DPDP-LOG-04", LOGS, trail(), lock(years=1))
    for weaker in (
        lock(days=364),
        lock(days=UNKNOWN),
        lock("NONE"),
        part("ObjectLockConfiguration", {"bucket": "logs"}),
    ):
        assert told("DPDP-LOG-04", LOGS, trail(), weaker)
    assert told("DPDP-LOG-04", LOGS, trail(), lock(), config=LOCKED)
    assert not told("DPDP-LOG-04", LOGS, trail(), lock("COMPLIANCE"), config=LOCKED)


def test_a_trail_into_a_bucket_of_somewhere_else_shows_nothing() -> None:
    assert told("DPDP-LOG-04", BUCKET, trail())
    assert told("DPDP-LOG-04", LOGS, trail(s3BucketName=UNKNOWN), lock())
    assert not told("DPDP-LOG-04", LOGS, trail({"s3BucketName": [LOGS.urn]}, s3BucketName=UNKNOWN), lock())


def sink(destination: Any, sources: list[Shown] | None = None) -> Shown:
    made = {"destination": [one.urn for one in sources]} if sources else {}
    return Shown("gcp:logging/projectSink:ProjectSink", {"destination": destination}, "sink", sources=made)


def test_the_bucket_of_a_sink_keeps_what_it_has_for_a_year() -> None:
    def keeping(**policy: Any) -> Shown:
        return Shown(GCS.type, GCS.props | {"retentionPolicy": policy}, GCS.name)

    to_it = sink("storage.googleapis.com/lake")
    year, kept = {"retentionPeriod": "31536000"}, keeping(retentionPeriod="31536000")
    assert told("DPDP-LOG-04", GCS, to_it)
    assert told("DPDP-LOG-04", keeping(retentionPeriod="31535999"), to_it)
    assert told("DPDP-LOG-04", keeping(retentionPeriod=UNKNOWN), to_it)
    assert not told("DPDP-LOG-04", kept, to_it)
    assert not told("DPDP-LOG-04", kept, sink(UNKNOWN, [kept]))
    assert told("DPDP-LOG-04", kept, to_it, config=LOCKED)
    assert not told("DPDP-LOG-04", keeping(isLocked=True, **year), to_it, config=LOCKED)
    assert told("DPDP-LOG-04", kept, sink("storage.googleapis.com/another"))
    assert told("DPDP-LOG-04", kept, sink(UNKNOWN))
    assert not told(
        "DPDP-LOG-04", GCS, sink("logging.googleapis.com/projects/p/locations/asia-south1/buckets/b")
    )


OTHER_VPC = Shown(VPC.type, {}, "other")
DNS = {"dpdp-log-05-network-traffic-logged-stack": {"dnsQueries": True}}


def flow_log(of_vpc: Shown) -> Shown:
    return Shown(
        "aws:ec2/flowLog:FlowLog", {"vpcId": UNKNOWN, "trafficType": "ALL"}, sources={"vpcId": [of_vpc.urn]}
    )


def test_each_vpc_beside_personal_data_has_a_flow_log() -> None:
    (message,) = told("DPDP-LOG-05", BUCKET, VPC)
    assert "r.8(3)" in message
    assert not told("DPDP-LOG-05", BUCKET, VPC, flow_log(VPC))
    assert told("DPDP-LOG-05", BUCKET, VPC, OTHER_VPC, flow_log(VPC))
    assert not told("DPDP-LOG-05", PUBLIC, VPC)
    assert not told("DPDP-LOG-05", GCS, VPC)


def test_queries_of_names_are_logged_where_that_is_asked() -> None:
    query_log = Shown(
        "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation",
        {"resourceId": UNKNOWN},
        sources={"resourceId": [VPC.urn]},
    )
    assert told("DPDP-LOG-05", BUCKET, VPC, flow_log(VPC), config=DNS)
    assert not told("DPDP-LOG-05", BUCKET, VPC, flow_log(VPC), query_log, config=DNS)
    policy = {"enableLogging": True, "networks": [{"networkUrl": UNKNOWN}]}
    on_google = Shown("gcp:dns/policy:Policy", policy, sources={"networks": [NETWORK.urn]})
    logged = subnet(logConfig={})
    assert told("DPDP-LOG-05", GCS, NETWORK, logged, config=DNS)
    assert not told("DPDP-LOG-05", GCS, NETWORK, logged, on_google, config=DNS)


@pytest.mark.parametrize("config", [{}, {"flowSampling": 0.5}, {"metadata": "INCLUDE_ALL_METADATA"}])
def test_a_subnet_with_flow_logs(config: dict[str, Any]) -> None:
    assert not told("DPDP-LOG-05", GCS, NETWORK, subnet(logConfig=config))


@pytest.mark.parametrize("config", [None, UNKNOWN, {"flowSampling": 0}, {"flowSampling": UNKNOWN}])
def test_a_subnet_without(config: Any) -> None:
    assert told("DPDP-LOG-05", GCS, NETWORK, subnet(logConfig=config))
    assert not told("DPDP-LOG-05", BUCKET, NETWORK, subnet(logConfig=config))
    assert not told("DPDP-LOG-05", GCS, NETWORK, subnet(logConfig=config, purpose="REGIONAL_MANAGED_PROXY"))


@pytest.mark.parametrize(
    ("props", "alone"),
    [
        ({"deleteDefaultRoutesOnCreate": True}, True),
        ({"networkProfile": "roce"}, True),
        ({"deleteDefaultRoutesOnCreate": UNKNOWN}, False),
    ],
)
def test_a_network_between_gpus_carries_nothing_out(props: dict[str, Any], alone: bool) -> None:
    fabric = Shown(NETWORK.type, NETWORK.props | props, "net")
    assert bool(told("DPDP-LOG-05", GCS, fabric, subnet())) != alone


def inference(bucket: Any, sources: Sources | None = None) -> Shown:
    type_ = "aws:bedrockmodel/invocationLoggingConfiguration:InvocationLoggingConfiguration"
    return Shown(
        type_, {"loggingConfig": {"s3Config": {"bucketName": bucket}}}, "inference", sources=sources or {}
    )


def test_inference_logs_go_to_stores_of_the_stack() -> None:
    assert not of(run(BUCKET, inference("lake")), "DPDP-LOG-07")
    assert told("DPDP-LOG-07", BUCKET, inference("another"))
    assert not of(run(BUCKET, inference(UNKNOWN, {"loggingConfig": [BUCKET.urn]})), "DPDP-LOG-07")
    assert unresolved(run(BUCKET, inference(UNKNOWN)), "DPDP-LOG-07")
    assert told("DPDP-LOG-07", Shown(inference("").type, {"loggingConfig": {}}))


@pytest.mark.parametrize(
    ("uri", "passes"), [("s3://lake/captured", True), ("s3://lake", True), ("s3://lak/e", False)]
)
def test_captured_requests_too(uri: str, passes: bool) -> None:
    capture = {"dataCaptureConfig": {"destinationS3Uri": uri, "kmsKeyId": "k"}}
    endpoint = Shown("aws:sagemaker/endpointConfiguration:EndpointConfiguration", capture)
    assert bool(told("DPDP-LOG-07", BUCKET, endpoint)) != passes
    assert not told("DPDP-LOG-07", Shown(endpoint.type, {}))


def test_and_those_of_vertex() -> None:
    def endpoint(uri: str) -> Shown:
        logging = {"enabled": True, "bigqueryDestination": {"outputUri": uri}}
        return Shown("gcp:vertex/aiEndpoint:AiEndpoint", {"predictRequestResponseLoggingConfig": logging})

    dataset = Shown("gcp:bigquery/dataset:Dataset", {"datasetId": "logs"})
    assert not told("DPDP-LOG-07", dataset, endpoint("bq://project.logs.requests"))
    assert told("DPDP-LOG-07", dataset, endpoint("bq://project.others"))
