"""What a cloud does by itself is no finding, and never said to be law: TLS of databases, encryption, logs for ever."""

from __future__ import annotations

import pytest

from tests.policies.harness import UNKNOWN, Shown, failures, run, unresolved

INSTANCE, CLUSTER = "aws:rds/instance:Instance", "aws:rds/cluster:Cluster"
GROUP = "aws:rds/parameterGroup:ParameterGroup"
TLS = "DPDP-ENC-03"
BUCKET = Shown("aws:s3/bucket:Bucket", {"bucket": "b"}, "b")
SSE = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
# A cloud's keys are accepted.
CLOUD_KEYS = {
    f"dpdp-enc-01-storage-under-a-customer-key{suffix}": {"customerKey": False} for suffix in ("", "-stack")
}


@pytest.mark.parametrize(
    ("type_", "engine", "version", "forced"),
    [
        (INSTANCE, "postgres", "15", True),
        (INSTANCE, "postgres", "15.7", True),
        (INSTANCE, "postgres", "18.1", True),
        (INSTANCE, "postgres", "14.12", False),
        (INSTANCE, "postgres", "9.6.24", False),
        (INSTANCE, "postgres", None, False),
        (INSTANCE, "postgres", "", False),
        (INSTANCE, "mysql", "9.7.1", True),
        (INSTANCE, "mysql", "8.4.3", False),
        (INSTANCE, "mysql", "8.0.40", False),
        (INSTANCE, "mariadb", "11.8.3", True),
        (INSTANCE, "mariadb", "11.4.5", False),
        (INSTANCE, "sqlserver-se", "16.00.4131.2.v1", False),
        (CLUSTER, "postgres", "16.4", True),
        (CLUSTER, "aurora-postgresql", "17.4", True),
        (CLUSTER, "aurora-postgresql", "16.8", False),
        (CLUSTER, "aurora-mysql", "8.0.mysql_aurora.3.10.0", False),
    ],
)
def test_a_database_whose_own_default_forces_tls_needs_no_group(
    type_: str, engine: str, version: str | None, forced: bool
) -> None:
    database = Shown(type_, {"engine": engine, "engineVersion": version})
    assert (not failures(run(database), TLS)) == forced


@pytest.mark.parametrize(
    ("family", "forced"),
    [
        ("postgres15", True),
        ("postgres14", False),
        ("mariadb11.8", True),
        ("mysql9.7", True),
        ("mysql8.4", False),
    ],
)
def test_a_group_that_leaves_the_default_alone_has_the_families_own(family: str, forced: bool) -> None:
    assert (not failures(run(Shown(GROUP, {"family": family, "parameters": []})), TLS)) == forced
    named = Shown(
        INSTANCE, {"engine": family.rstrip("0123456789."), "parameterGroupName": f"default.{family}"}
    )
    assert (not failures(run(named), TLS)) == forced


def test_a_group_that_switches_the_default_off_is_a_finding() -> None:
    off = {"family": "postgres17", "parameters": [{"name": "rds.force_ssl", "value": "0"}]}
    assert failures(run(Shown(GROUP, off)), TLS)


def test_a_version_that_nobody_knows_yet_is_unresolved() -> None:
    database = Shown(INSTANCE, {"engine": "postgres", "engineVersion": UNKNOWN})
    assert unresolved(run(database), TLS)


def test_a_bucket_that_s3_encrypts_lacks_only_a_key_of_ones_own() -> None:
    (message,) = failures(run(BUCKET), "DPDP-ENC-01")
    assert "; basis: posture: " in message
    assert not failures(run(BUCKET, config=CLOUD_KEYS), "DPDP-ENC-01")


@pytest.mark.parametrize("algorithm", ["AES256", "aws:kms", None, UNKNOWN])
def test_where_the_clouds_keys_will_do_a_buckets_configuration_is_not_asked(algorithm: str | None) -> None:
    rules = [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": algorithm}}]
    configuration = Shown(SSE, {"bucket": "b", "rules": rules}, "sse")
    found = run(BUCKET, configuration, config=CLOUD_KEYS)
    assert not failures(found, "DPDP-ENC-01") and not unresolved(found, "DPDP-ENC-01")
    disk = Shown("aws:ebs/volume:Volume", {"encrypted": False})
    (message,) = failures(run(disk, config=CLOUD_KEYS), "DPDP-ENC-01")
    assert "; basis: statutory: " in message


def test_a_bucket_key_is_a_matter_of_cost() -> None:
    default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "arn:aws:kms:ap-south-1:000000000000:key/k"}
    rules = [{"applyServerSideEncryptionByDefault": default}]
    (message,) = failures(run(Shown(SSE, {"bucket": "b", "rules": rules})), "DPDP-ENC-01")
    assert "; basis: posture: house rule: a bucket key saves calls to KMS" in message


def test_a_cluster_that_the_cloud_encrypts_lacks_only_a_key_of_ones_own() -> None:
    for cluster in ("aws:eks/cluster:Cluster", "gcp:container/cluster:Cluster"):
        messages = failures(run(Shown(cluster, {"location": "asia-south1"})), "DPDP-ENC-04")
        assert messages and all("; basis: posture: " in one for one in messages)


@pytest.mark.parametrize(
    ("tags", "days", "found"),
    [({}, 0, True), ({}, None, True), ({}, 365, False), ({"dpdp:data-class": "internal"}, 0, False)],
)
def test_logs_for_ever_are_advice_and_no_violation(
    tags: dict[str, str], days: int | None, found: bool
) -> None:
    group = run(Shown("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": days, "tags": tags}))
    assert bool(failures(group, "DPDP-LOG-09")) == found
    assert not failures(group, "DPDP-LOG-03")
