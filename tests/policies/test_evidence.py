"""Logs, retention, backups, breaches: what only the whole stack can show."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from harness import UNKNOWN, Shown, failures, of, put, run, unresolved

Sources = dict[str, list[str]]
DATA_CLASS = {"tags": {"dpdp:data-class": "personal", "dpdp:retention-days": "400"}}
BUCKET = Shown("aws:s3/bucket:Bucket", {"bucket": "lake", **DATA_CLASS}, "bucket")
PUBLIC = Shown(BUCKET.type, {"bucket": "lake", "tags": {"dpdp:data-class": "public"}}, "bucket")
FROM_BUCKET = {"bucket": [BUCKET.urn]}
GCS = Shown(
    "gcp:storage/bucket:Bucket", {"name": "lake", "labels": {"dpdp-data-class": "personal"}}, "google"
)
TRAIL_PROPS = {
    "s3BucketName": "logs",
    "enableLogFileValidation": True,
    "isMultiRegionTrail": True,
    "kmsKeyId": "k",
}
LOGS = Shown(BUCKET.type, {"bucket": "logs", **DATA_CLASS}, "logs")


def part(kind: str, props: dict[str, Any], sources: Sources | None = None, name: str = "it") -> Shown:
    return Shown(f"aws:s3/bucket{kind}:Bucket{kind}", {"bucket": "lake"} | props, name, sources=sources or {})


def trail(sources: Sources | None = None, **props: Any) -> Shown:
    return Shown("aws:cloudtrail/trail:Trail", TRAIL_PROPS | props, "trail", sources=sources or {})


def told(control: str, *shown: Shown, config: Mapping[str, Any] | None = None) -> list[str]:
    settings = {policy: dict(given) for policy, given in (config or {}).items()}
    return failures(run(*shown, config=settings), control)


def is_asked_only_of_personal_data(
    control: str, store: Shown, tags: Sequence[str] = ("tags", "dpdp:data-class")
) -> None:
    for value in ("personal", "sensitive", "payment", "anything", None, UNKNOWN):
        assert told(control, Shown(store.type, put(store.props, list(tags), value), store.name)), value
    for value in ("internal", "public"):
        assert not told(control, Shown(store.type, put(store.props, list(tags), value), store.name)), value


@pytest.mark.parametrize(
    "control", ["DPDP-LOG-01", "DPDP-LOG-02", "DPDP-RET-01", "DPDP-BCK-01", "DPDP-BRE-01", "DPDP-BRE-02"]
)
def test_a_bucket_alone_lacks_everything_if_its_data_may_be_personal(control: str) -> None:
    is_asked_only_of_personal_data(control, BUCKET)


@pytest.mark.parametrize("control", ["DPDP-LOG-02", "DPDP-BRE-02"])
def test_a_google_bucket_likewise(control: str) -> None:
    is_asked_only_of_personal_data(control, GCS, ("labels", "dpdp-data-class"))


@pytest.mark.parametrize(
    ("control", "answer"),
    [
        ("DPDP-LOG-01", trail()),
        ("DPDP-LOG-01", Shown("aws:cloudtrail/eventDataStore:EventDataStore", {})),
        ("DPDP-BRE-01", Shown("aws:guardduty/detector:Detector", {})),
    ],
)
def test_one_in_the_account_is_enough(control: str, answer: Shown) -> None:
    assert told(control, BUCKET)
    assert not told(control, BUCKET, answer)
    assert not told(control, GCS)  # of the other cloud


@pytest.mark.parametrize(
    "policy",
    [
        "dpdp-log-01-audit-trail-on-and-validated-stack",
        "dpdp-bre-01-detection-is-on-stack",
        "dpdp-bre-02-alerts-reach-a-person",
    ],
)
def test_or_it_is_said_where_else_it_is(policy: str) -> None:
    control = policy[:11].upper()
    assert not told(control, BUCKET, config={policy: {"elsewhere": "stack security"}})
    assert told(control, BUCKET, config={policy: {"elsewhere": " "}})


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


VPC = Shown("aws:ec2/vpc:Vpc", {}, "vpc")
OTHER_VPC = Shown(VPC.type, {}, "other")
NETWORK = Shown("gcp:compute/network:Network", {"name": "net"}, "net")
DNS = {"dpdp-log-05-network-traffic-logged-stack": {"dnsQueries": True}}


def flow_log(of_vpc: Shown) -> Shown:
    return Shown(
        "aws:ec2/flowLog:FlowLog", {"vpcId": UNKNOWN, "trafficType": "ALL"}, sources={"vpcId": [of_vpc.urn]}
    )


def subnet(**props: Any) -> Shown:
    return Shown("gcp:compute/subnetwork:Subnetwork", {"network": "net"} | props, "subnet")


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


def lifecycle(*rules: Any, bucket: Any = "lake", sources: Sources | None = None) -> Shown:
    given = [{"status": "Enabled"} | rule for rule in rules]
    return part("LifecycleConfiguration", {"bucket": bucket, "rules": given}, sources)


def days(number: Any, **more: Any) -> dict[str, Any]:
    return {"expiration": {"days": number}, **more}


@pytest.mark.parametrize("rule", [days(400), days(365, filter={"prefix": ""}), days(1, filter={})])
def test_a_bucket_with_a_last_day(rule: dict[str, Any]) -> None:
    assert not told("DPDP-RET-01", BUCKET, lifecycle(rule))
    assert not told("DPDP-RET-01", BUCKET, lifecycle(rule, bucket=UNKNOWN, sources=FROM_BUCKET))
    assert told("DPDP-RET-01", BUCKET, lifecycle(rule, bucket="other"))


@pytest.mark.parametrize(
    "rule",
    [
        days(401),
        days(365, status="Disabled"),
        days(365, filter={"prefix": "raw/"}),
        days(365, filter=UNKNOWN),
        days(UNKNOWN),
        {"expiration": {"expiredObjectDeleteMarker": True}},
    ],
)
def test_a_bucket_without(rule: dict[str, Any]) -> None:
    assert told("DPDP-RET-01", BUCKET, lifecycle(rule))


def test_a_google_bucket_without_personal_data_needs_no_last_day() -> None:
    is_asked_only_of_personal_data("DPDP-RET-01", GCS, ("labels", "dpdp-data-class"))


@pytest.mark.parametrize(
    "rule",
    [
        days(365),
        days(364, status="Disabled"),
        {"expiration": {"expiredObjectDeleteMarker": True}},
        {"noncurrentVersionExpiration": {"noncurrentDays": 30}},
    ],
)
def test_a_lifecycle_that_keeps_the_year(rule: dict[str, Any]) -> None:
    assert not told("DPDP-RET-02", BUCKET, lifecycle(rule))


@pytest.mark.parametrize(
    "rule",
    [
        days(364),
        days(UNKNOWN),
        days("soon"),
        {"expiration": UNKNOWN},
        {"expiration": {"date": "2027-01-01"}},
        days(30, filter={"prefix": "tmp/"}),
    ],
)
def test_a_lifecycle_that_does_not(rule: dict[str, Any]) -> None:
    assert told("DPDP-RET-02", BUCKET, lifecycle(rule))
    assert told("DPDP-RET-02", lifecycle(rule))  # whose bucket is elsewhere
    assert not told("DPDP-RET-02", PUBLIC, lifecycle(rule))


def test_a_lifecycle_written_inside_the_bucket_counts() -> None:
    def inline(number: int) -> Shown:
        rules = [{"enabled": True, "expiration": {"days": number}}]
        return Shown(BUCKET.type, BUCKET.props | {"lifecycleRules": rules}, "bucket")

    assert told("DPDP-RET-02", inline(30))
    assert not told("DPDP-RET-02", inline(365))
    assert not told("DPDP-RET-01", inline(365))


def test_a_lifecycle_that_is_not_known_does_not_keep_the_year() -> None:
    assert told("DPDP-RET-02", BUCKET, part("LifecycleConfiguration", {"rules": UNKNOWN}))


def soft(seconds: Any) -> dict[str, Any]:
    return {"softDeletePolicy": {"retentionDurationSeconds": seconds}}


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("aws:rds/cluster:Cluster", {"backupRetentionPeriod": 7}, {"backupRetentionPeriod": 6}),
        ("aws:rds/instance:Instance", {"backupRetentionPeriod": 35}, {}),
        ("aws:docdb/cluster:Cluster", {"backupRetentionPeriod": 7}, {"backupRetentionPeriod": UNKNOWN}),
        ("aws:redshift/cluster:Cluster", {"automatedSnapshotRetentionPeriod": 7}, {}),
        (
            "aws:dynamodb/table:Table",
            {"pointInTimeRecovery": {"enabled": True}},
            {"pointInTimeRecovery": {"enabled": False}},
        ),
        (
            "gcp:sql/databaseInstance:DatabaseInstance",
            {"settings": {"backupConfiguration": {"enabled": True}}},
            {},
        ),
        ("gcp:storage/bucket:Bucket", {}, soft(0)),
        ("gcp:storage/bucket:Bucket", soft(604_800), soft(UNKNOWN)),
        (
            "gcp:storage/bucket:Bucket",
            {"versioning": {"enabled": True}, **soft(0)},
            {"versioning": UNKNOWN, **soft(0)},
        ),
    ],
)
def test_stores_are_backed_up(type_: str, good: dict[str, Any], bad: dict[str, Any]) -> None:
    store = Shown(type_, bad, "store")
    assert told("DPDP-BCK-01", store)
    assert not told("DPDP-BCK-01", Shown(type_, good))
    selection = Shown(
        "aws:backup/selection:Selection",
        {"resources": [UNKNOWN]},
        "chosen",
        sources={"resources": [store.urn]},
    )
    assert not told("DPDP-BCK-01", store, selection)


def test_a_replica_is_a_copy_already() -> None:
    assert not told("DPDP-BCK-01", Shown("aws:rds/instance:Instance", {"replicateSourceDb": "primary"}))
    assert told("DPDP-BCK-01", Shown("aws:rds/instance:Instance", {"replicateSourceDb": UNKNOWN}))


def test_a_bucket_is_restored_from_its_versions() -> None:
    def versioning(status: Any) -> Shown:
        return part("Versioning", {"versioningConfiguration": {"status": status}})

    assert not told("DPDP-BCK-01", BUCKET, versioning("Enabled"))
    for status in ("Suspended", UNKNOWN, None):
        assert told("DPDP-BCK-01", BUCKET, versioning(status))


def test_a_file_system_by_its_policy() -> None:
    files = Shown("aws:efs/fileSystem:FileSystem", {}, "files")

    def policy(status: str) -> Shown:
        props = {"fileSystemId": UNKNOWN, "backupPolicy": {"status": status}}
        return Shown("aws:efs/backupPolicy:BackupPolicy", props, sources={"fileSystemId": [files.urn]})

    assert not told("DPDP-BCK-01", files, policy("ENABLED"))
    assert told("DPDP-BCK-01", files, policy("DISABLED"))


@pytest.mark.parametrize(("region", "settled"), [("ap-south-2", True), ("ap-south-1", False), (None, False)])
def test_a_copy_into_a_vault_of_the_stack(region: Any, settled: bool) -> None:
    vault = Shown("aws:backup/vault:Vault", {"region": region} if region else {}, "vault")
    rules = [{"copyActions": [{"destinationVaultArn": UNKNOWN}]}]
    plan = Shown(
        "aws:backup/plan:Plan", {"region": "ap-south-1", "rules": rules}, sources={"rules": [vault.urn]}
    )
    assert bool(unresolved(run(vault, plan), "DPDP-BCK-02")) != settled


TOPIC = Shown("aws:sns/topic:Topic", {}, "topic")


def to_topic(type_: str, prop: str, topic: Shown = TOPIC) -> Shown:
    return Shown(type_, {prop: UNKNOWN}, type_.split(":")[-1], sources={prop: [topic.urn]})


def test_an_alert_reaches_a_person() -> None:
    rule = to_topic("aws:cloudwatch/eventTarget:EventTarget", "arn")
    alarm = to_topic("aws:cloudwatch/metricAlarm:MetricAlarm", "alarmActions")
    person = to_topic("aws:sns/topicSubscription:TopicSubscription", "topic")
    elsewhere = to_topic(person.type, "topic", Shown(TOPIC.type, {}, "another"))
    assert not told("DPDP-BRE-02", BUCKET, TOPIC, rule, person)
    assert not told("DPDP-BRE-02", BUCKET, TOPIC, alarm, person)
    for less in ([], [rule], [person], [rule, elsewhere]):
        assert told("DPDP-BRE-02", BUCKET, TOPIC, *less)


@pytest.mark.parametrize(
    ("channel", "heard"),
    [("email", True), ("pagerduty", True), ("pubsub", False), (UNKNOWN, False), (None, False)],
)
def test_an_alert_of_google_reaches_a_person(channel: Any, heard: bool) -> None:
    by = Shown("gcp:monitoring/notificationChannel:NotificationChannel", {"type": channel}, "channel")
    policy = Shown(
        "gcp:monitoring/alertPolicy:AlertPolicy",
        {"notificationChannels": [UNKNOWN]},
        "alert",
        sources={"notificationChannels": [by.urn]},
    )
    assert bool(told("DPDP-BRE-02", GCS, by, policy)) != heard
    assert told("DPDP-BRE-02", GCS, by)


def test_a_topic_of_google_reaches_a_person_where_something_takes_from_it() -> None:
    topic = Shown("gcp:pubsub/topic:Topic", {"labels": {"dpdp-data-class": "internal"}}, "topic")
    channel = Shown(
        "gcp:monitoring/notificationChannel:NotificationChannel",
        {"type": "pubsub", "labels": UNKNOWN},
        "channel",
        sources={"labels": [topic.urn]},
    )
    policy = Shown(
        "gcp:monitoring/alertPolicy:AlertPolicy",
        {"notificationChannels": UNKNOWN},
        "alert",
        sources={"notificationChannels": [channel.urn]},
    )
    pull = Shown("gcp:pubsub/subscription:Subscription", {"topic": UNKNOWN}, sources={"topic": [topic.urn]})
    assert told("DPDP-BRE-02", GCS, topic, channel, policy)
    assert not told("DPDP-BRE-02", GCS, topic, channel, policy, pull)


SDF = {"dpdp-sdf-01-specified-data-and-its-traffic-stay": {"specifiedClasses": ["personal"]}}


def test_specified_data_is_a_switch() -> None:
    edge = Shown("aws:cloudfront/distribution:Distribution", {}, "edge")
    assert not told("DPDP-SDF-01", BUCKET, VPC, edge)
    messages = told("DPDP-SDF-01", BUCKET, VPC, edge, config=SDF)
    assert [any(what in one for one in messages) for what in ("traffic", "DNS queries", "edges")] == [
        True
    ] * 3
    assert all("; basis: conditional: " in one for one in messages)
    assert not told("DPDP-SDF-01", PUBLIC, VPC, edge, config=SDF)
    assert told("DPDP-SDF-01", GCS, NETWORK, subnet(), config=SDF)


def test_somebody_elses_cloud_is_named() -> None:
    foreign = Shown("pulumi:providers:snowflake", {}, "default")
    ours = [
        Shown(f"pulumi:providers:{name}", {"region": "ap-south-1"}, name)
        for name in ("aws", "kubernetes", "random")
    ]
    (message,) = told("DPDP-GOV-05", foreign, *ours)
    assert "snowflake" in message
    known = {"dpdp-gov-05-every-provider-is-judged-or-known": {"known": ["snowflake"]}}
    assert not told("DPDP-GOV-05", foreign, config=known)


def test_owner_purpose_and_retention_are_asked_only_of_personal_data() -> None:
    is_asked_only_of_personal_data("DPDP-GOV-02", Shown("aws:sqs/queue:Queue", {}))
