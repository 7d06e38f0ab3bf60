"""Databases: ENC-02 they and their caches are encrypted, under a customer key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, is_named, is_on
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown
from policies.law import CUSTOMER_KEY, ENCRYPTION, Law
from policies.readers.kms_keys import resolved_by_key


@dataclass(frozen=True)
class Database:
    """Where a type switches encryption on ("" if it is always on) and where it names the key ("" if nowhere).

    `flag_law` is another where the switch only chooses between the cloud's own key and one in KMS.
    """

    flag: str = ""
    key: str = ""
    flag_law: Law | None = None


DATABASES = {
    "aws:rds/instance:Instance": Database("storageEncrypted", "kmsKeyId"),
    "aws:rds/cluster:Cluster": Database("storageEncrypted", "kmsKeyId"),
    "aws:rds/globalCluster:GlobalCluster": Database("storageEncrypted"),
    "aws:docdb/cluster:Cluster": Database("storageEncrypted", "kmsKeyId"),
    "aws:docdb/elasticCluster:ElasticCluster": Database("", "kmsKeyId"),
    "aws:neptune/cluster:Cluster": Database("storageEncrypted", "kmsKeyArn"),
    "aws:redshift/cluster:Cluster": Database("encrypted", "kmsKeyId"),
    "aws:redshiftserverless/namespace:Namespace": Database("", "kmsKeyId"),
    "aws:dynamodb/table:Table": Database(
        "serverSideEncryption.enabled", "serverSideEncryption.kmsKeyArn", CUSTOMER_KEY
    ),
    "aws:dax/cluster:Cluster": Database("serverSideEncryption.enabled"),
    "aws:keyspaces/table:Table": Database("", "encryptionSpecification.kmsKeyIdentifier"),
    "aws:timestreamwrite/database:Database": Database("", "kmsKeyId"),
    "aws:elasticache/replicationGroup:ReplicationGroup": Database("atRestEncryptionEnabled", "kmsKeyId"),
    "aws:elasticache/serverlessCache:ServerlessCache": Database("", "kmsKeyId"),
    "aws:memorydb/cluster:Cluster": Database("", "kmsKeyArn"),
    "aws:opensearch/domain:Domain": Database("encryptAtRest.enabled", "encryptAtRest.kmsKeyId"),
    "aws:elasticsearch/domain:Domain": Database("encryptAtRest.enabled", "encryptAtRest.kmsKeyId"),
    "aws:kinesis/stream:Stream": Database("encryptionType", "kmsKeyId"),
    "aws:msk/cluster:Cluster": Database("", "encryptionInfo.encryptionAtRestKmsKeyArn"),
    # Google encrypts everything at rest: only the key is in question.
    "gcp:sql/databaseInstance:DatabaseInstance": Database("", "encryptionKeyName"),
    "gcp:bigquery/dataset:Dataset": Database("", "defaultEncryptionConfiguration.kmsKeyName"),
    "gcp:spanner/database:Database": Database("", "encryptionConfig.kmsKeyName"),
    "gcp:alloydb/cluster:Cluster": Database("", "encryptionConfig.kmsKeyName"),
    "gcp:bigtable/instance:Instance": Database("", "clusters.kmsKeyName"),
    "gcp:firestore/database:Database": Database("", "cmekConfig.kmsKeyName"),
    "gcp:redis/instance:Instance": Database("", "customerManagedKey"),
    "gcp:redis/cluster:Cluster": Database("", "kmsKey"),
    "gcp:memorystore/instance:Instance": Database("", "kmsKey"),
}


def databases(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """ENC-02: the switch is on and a key is named."""
    database = DATABASES.get(resource.type)
    if database is None:
        return
    own_key = settings.get("customerKey", True) is not False
    if database.flag and (own_key or database.flag_law is None):
        yield from check_expectations(resource.props, [_switch(database)])
    if database.key and own_key:
        yield from check_expectations(resource.props, [_key(database.key)])


def _switch(database: Database) -> Expectation:
    what = "the database is not encrypted at rest"
    if database.flag_law:
        what = "the database is not under a key in KMS"
    # Kinesis names the kind of encryption instead.
    return Expectation(
        database.flag, lambda value: is_on(value) or value == "KMS", what, "true", law=database.flag_law
    )


def _key(path: str) -> Expectation:
    expected = "the ARN or name of a KMS key in India"
    return Expectation(path, is_named, "no customer key is given", expected, law=CUSTOMER_KEY)


ENC_02 = Control(
    id="DPDP-ENC-02",
    title="Databases and caches encrypted",
    law=ENCRYPTION,
    other_laws=(CUSTOMER_KEY,),
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=tuple(DATABASES),
    remedy="encrypt it at rest with a KMS key of this stack; most databases take this only when they are made",
    check=databases,
    resolves=resolved_by_key,
    settings={
        "customerKey": {
            "type": "boolean",
            "default": True,
            "description": "false accepts keys that the cloud manages, which r.6(1)(a) allows",
        }
    },
)
CONTROLS = (ENC_02,)
