"""What can be restored, and where copies go: BCK-01, BCK-02."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policies.controls.personal_data import (
    BUCKET,
    part,
    told,
)
from tests.policies.harness import UNKNOWN, Shown, run, unresolved


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
