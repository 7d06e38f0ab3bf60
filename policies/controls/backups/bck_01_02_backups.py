"""Continuity: BCK-01 stores of personal data can be restored, BCK-02 a second copy in the other Indian region."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, at_least, check_expectations, is_true
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig, each
from policies.law import CONTINUITY, SECOND_COPY
from policies.readers.data_stores import GCP_SQL, personal_stores
from policies.readers.s3_buckets import BUCKETS, GCS_BUCKET, VERSIONINGS, parts

DAYS = 7
_WEEK_SECONDS = DAYS * 86_400
SELECTION, PLAN, VAULT = "aws:backup/selection:Selection", "aws:backup/plan:Plan", "aws:backup/vault:Vault"
DLM = "aws:dlm/lifecyclePolicy:LifecyclePolicy"
EFS, EFS_BACKUP = "aws:efs/fileSystem:FileSystem", "aws:efs/backupPolicy:BackupPolicy"


def _days(path: str) -> Expectation:
    return Expectation(
        path, at_least(DAYS), "backups are kept too briefly, or not made", f"at least {DAYS} days"
    )


def _switch(path: str) -> Expectation:
    return Expectation(path, is_true, "backups are not made", "true")


# How a type says that it is backed up. Caches, queues and streams are no place of record, so they are not asked.
BACKED_UP: dict[str, Expectation] = {
    "aws:rds/cluster:Cluster": _days("backupRetentionPeriod"),
    "aws:rds/instance:Instance": _days("backupRetentionPeriod"),
    "aws:docdb/cluster:Cluster": _days("backupRetentionPeriod"),
    "aws:neptune/cluster:Cluster": _days("backupRetentionPeriod"),
    "aws:redshift/cluster:Cluster": _days("automatedSnapshotRetentionPeriod"),
    "aws:dynamodb/table:Table": _switch("pointInTimeRecovery.enabled"),
    "aws:fsx/ontapFileSystem:OntapFileSystem": _days("automaticBackupRetentionDays"),
    "aws:fsx/openZfsFileSystem:OpenZfsFileSystem": _days("automaticBackupRetentionDays"),
    "aws:fsx/windowsFileSystem:WindowsFileSystem": _days("automaticBackupRetentionDays"),
    GCP_SQL: _switch("settings.backupConfiguration.enabled"),
}
# What makes backups: its rules, the copies in each, and what says where a copy goes.
COPIES = {
    PLAN: ("rules", "copyActions", ("destinationVaultArn",)),
    DLM: ("policyDetails.schedules", "crossRegionCopyRules", ("target", "targetRegion")),
}
OTHER_REGION = {
    "ap-south-1": "ap-south-2",
    "ap-south-2": "ap-south-1",
    "asia-south1": "asia-south2",
    "asia-south2": "asia-south1",
}


def backups(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """BCK-01: what holds personal data can be restored: by its own backups, by AWS Backup, or by its versions."""
    for store in personal_stores(stack, *BUCKETS, GCS_BUCKET, EFS, *BACKED_UP):
        if _is_replica(store) or _selected(stack, store):
            continue
        if store.type in BUCKETS:
            found = _bucket(stack, store)
        elif store.type == GCS_BUCKET:
            found = _google_bucket(store)
        elif store.type == EFS:
            found = _file_system(stack, store)
        else:
            found = next(check_expectations(store.props, (BACKED_UP[store.type],)), None)
        if isinstance(found, Unknown):
            wanted = BACKED_UP[store.type]
            found = Finding(
                "whether backups are made can't be known", wanted.path, "unknown", wanted.expected
            )
        if found:
            yield store.urn, found


def _is_replica(store: StackResource) -> bool:
    """A read replica is a copy already; its source is the one to ask."""
    return any(isinstance(store.props.get(name), str) for name in ("replicateSourceDb", "masterInstanceName"))


def _selected(stack: Stack, store: StackResource) -> bool:
    return any(store.urn in stack.behind(one, "resources") for one in stack.of(SELECTION))


def _bucket(stack: Stack, bucket: StackResource) -> Finding | None:
    versioned = dig(bucket.props, "versioning", "enabled") is True or any(
        dig(one.props, "versioningConfiguration", "status") == "Enabled"
        for one in parts(stack, bucket, *VERSIONINGS)
    )
    if versioned:
        return None
    return Finding(
        "what is deleted or overwritten is gone",
        "the stack",
        None,
        "a BucketVersioning, or an AWS Backup selection",
    )


def _google_bucket(bucket: StackResource) -> Finding | None:
    """Deleted objects stay for a week unless the bucket says otherwise."""
    soft = dig(bucket.props, "softDeletePolicy", "retentionDurationSeconds")
    if dig(bucket.props, "versioning", "enabled") is True or soft is None or at_least(_WEEK_SECONDS)(soft):
        return None
    return Finding(
        "what is deleted is gone within a week",
        "softDeletePolicy.retentionDurationSeconds",
        "unknown" if isinstance(soft, Unknown) else soft,
        f"at least {_WEEK_SECONDS}, or versioning",
    )


def _file_system(stack: Stack, store: StackResource) -> Finding | None:
    if any(
        dig(one.props, "backupPolicy", "status") == "ENABLED"
        for one in stack.of(EFS_BACKUP)
        if store.urn in stack.behind(one, "fileSystemId")
    ):
        return None
    return Finding(
        "the file system is not backed up", "the stack", None, "an EFS BackupPolicy with status ENABLED"
    )


def second_copy(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """BCK-02: each rule that makes backups has a copy in the other Indian region."""
    own = resource.props.get("region") or resource.provider_props.get("region")
    if resource.type == GCP_SQL:
        path = "settings.backupConfiguration.location"
        yield from _copied(path, [dig(resource.props, *path.split("."))], own)
        return
    blocks, copies, names = COPIES[resource.type]
    rules = dig(resource.props, *blocks.split("."))
    if isinstance(rules, Unknown):
        yield rules
        return
    for index, rule in enumerate(each(rules)):
        values = [
            rule,
            *(
                one if isinstance(one, Unknown) else dig(one, name)
                for one in each(dig(rule, copies))
                for name in names
            ),
        ]
        yield from _copied(f"{blocks}[{index}].{copies}", values, own)


def _copied(where: str, values: list[Any], own: Any) -> Iterator[Finding | Unknown]:
    """One of `values`, a region or an ARN, is in the other Indian region."""
    regions = [_region(value) for value in values]
    if any(region in OTHER_REGION and region != own for region in regions):
        return
    expected = (
        OTHER_REGION.get(own, " or ".join(OTHER_REGION))
        if isinstance(own, str)
        else " or ".join(OTHER_REGION)
    )
    told = [value for value in values if isinstance(value, str)] or None
    yield next((value for value in values if isinstance(value, Unknown)), None) or Finding(
        "backups have no second copy in India", where, told, f"a copy in {expected}"
    )


def _region(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    fields = value.split(":")
    return fields[3] if len(fields) > 3 and fields[0] == "arn" else value


def resolved_by_vault(unknown: Unknown, resource: StackResource, stack: Stack) -> bool:
    """A vault of the stack that says its region, the other Indian one."""
    own = resource.props.get("region")
    return unknown.path[-1] == "destinationVaultArn" and any(
        vault.props.get("region") in OTHER_REGION.keys() - {own}
        for vault in stack.of(VAULT)
        if isinstance(vault.props.get("region"), str)
        and vault.urn in stack.behind(resource, str(unknown.path[0]))
    )


BCK_01 = Control(
    id="DPDP-BCK-01",
    title="Personal stores are backed up",
    law=CONTINUITY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(),
    remedy=f"backups of {DAYS} days, point-in-time recovery, versions of a bucket, or a selection of AWS Backup",
    remedies={
        "aws:s3/": "versions of the bucket, or a selection of AWS Backup",
        "aws:dynamodb/": "pointInTimeRecovery, or a selection of AWS Backup",
        "aws:": f"backups of {DAYS} days, or a selection of AWS Backup",
        "gcp:storage/": "versioning, or a softDeletePolicy of a week",
        "gcp:": "settings.backupConfiguration with enabled, in an Indian location",
    },
    check=None,
    stack_check=backups,
)
BCK_02 = Control(
    id="DPDP-BCK-02",
    title="Second copy of backups in India",
    law=SECOND_COPY,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=(*COPIES, GCP_SQL),
    remedy="copy backups to the other Indian region (ap-south-1 and ap-south-2, asia-south1 and asia-south2)",
    check=second_copy,
    resolves=resolved_by_vault,
)
CONTROLS: tuple[Control, ...] = (BCK_01, BCK_02)
