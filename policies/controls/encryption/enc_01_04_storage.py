"""Encryption: ENC-01 storage under a customer key, ENC-04 Kubernetes secrets under a key of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings, Stack
from policies.framework.unknowns import Unknown, dig, each
from policies.law import CUSTOMER_KEY, ENCRYPTION, KEY_COST, Law
from policies.readers.kms_keys import resolved_by_key
from policies.readers.s3_buckets import BUCKET_LOGGING, BUCKETS

BUCKET_ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
)
_KMS_ALGORITHMS = ("aws:kms", "aws:kms:dsse")


@dataclass(frozen=True)
class Store:
    """Where a type keeps its encryption: `block` may occur many times, `flag` switches it on ("" if always on)."""

    flag: str
    key: str
    block: tuple[str, ...] = ()


# A type may keep several kinds of disk, so each has a tuple of rows.
STORES: dict[str, tuple[Store, ...]] = {
    "aws:ebs/volume:Volume": (Store("encrypted", "kmsKeyId"),),
    "aws:ec2/launchTemplate:LaunchTemplate": (
        Store("encrypted", "kmsKeyId", ("blockDeviceMappings", "ebs")),
    ),
    "aws:ec2/instance:Instance": (
        Store("encrypted", "kmsKeyId", ("rootBlockDevice",)),
        Store("encrypted", "kmsKeyId", ("ebsBlockDevices",)),
    ),
    "aws:efs/fileSystem:FileSystem": (Store("encrypted", "kmsKeyId"),),
    "aws:fsx/lustreFileSystem:LustreFileSystem": (Store("", "kmsKeyId"),),
    "aws:fsx/openZfsFileSystem:OpenZfsFileSystem": (Store("", "kmsKeyId"),),
    "gcp:storage/bucket:Bucket": (Store("", "encryption.defaultKmsKeyName"),),
    "gcp:compute/disk:Disk": (Store("", "diskEncryptionKey.kmsKeySelfLink"),),
    "gcp:filestore/instance:Instance": (Store("", "kmsKeyName"),),
    "kubernetes:storage.k8s.io/v1:StorageClass": (Store("encrypted", "kmsKeyId", ("parameters",)),),
}
_EBS_PROVISIONER = "ebs.csi.aws.com"


def storage(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """ENC-01 before a resource is made: disks and file systems are encrypted, they and buckets under your key.

    S3 encrypts every new object by itself (SSE-S3, since January 2023), so of a bucket only the key is asked.
    """
    if resource.type in BUCKET_ENCRYPTION and _wants_customer_key(settings):
        yield from _bucket_rules(resource)
    if resource.type.startswith("kubernetes:") and resource.props.get("provisioner") != _EBS_PROVISIONER:
        return  # other drivers name their keys otherwise, and Google's disks are always encrypted
    for store in STORES.get(resource.type, ()):
        for where, block in _blocks(resource.props, store.block):
            yield from _store(where, block, store, settings)


def buckets(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """ENC-01 over the stack: each bucket has an encryption resource, or the same inline, that names a customer key."""
    if not _wants_customer_key(settings):
        return  # S3 encrypts every new object by itself
    yield from _under_amazons_key(stack)
    for bucket in stack.of(*BUCKETS):
        inline = dig(
            bucket.props, "serverSideEncryptionConfiguration", "rule", "applyServerSideEncryptionByDefault"
        )
        if (
            stack.attached(bucket, "bucket", *BUCKET_ENCRYPTION)
            or dig(inline, "sseAlgorithm") in _KMS_ALGORITHMS
        ):
            continue
        yield (
            bucket.urn,
            Finding(
                "no encryption configuration belongs to this bucket, so S3 encrypts it under its own key",
                "the stack",
                None,
                "a BucketServerSideEncryptionConfiguration with aws:kms, a key and a bucket key",
            ),
        )


def _under_amazons_key(stack: Stack) -> Iterator[tuple[str, Finding]]:
    """Buckets under S3's own key, but for those that receive access logs: S3 delivers none under a default of SSE-KMS
    ("Enabling server access logging", S3 User Guide, read 2026-11)."""
    receivers = {urn for log in stack.of(*BUCKET_LOGGING) for urn in stack.behind(log, "targetBucket")}
    names = {log.props.get("targetBucket") for log in stack.of(*BUCKET_LOGGING)} - {None}
    for configuration in stack.of(*BUCKET_ENCRYPTION):
        bucket = configuration.props.get("bucket")
        named = isinstance(bucket, str) and bucket in names
        if named or receivers & stack.behind(configuration, "bucket"):
            continue
        for index, rule in enumerate(each(configuration.props.get("rules"))):
            if dig(rule, "applyServerSideEncryptionByDefault", "sseAlgorithm") == "AES256":
                where = f"rules[{index}].applyServerSideEncryptionByDefault.sseAlgorithm"
                yield configuration.urn, _not_kms(where, "AES256")


def _not_kms(where: str, algorithm: Any) -> Finding:
    return Finding("the bucket is not encrypted under a KMS key", where, algorithm, "aws:kms")


def cluster_secrets(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ENC-04: Kubernetes secrets are enveloped by a KMS key of yours, in EKS and GKE.

    Without one they are encrypted under a key of the cloud's: EKS envelopes all data of the API by itself since 5 March
    2025 (from Kubernetes 1.28; "Default envelope encryption for all Kubernetes API data", EKS user guide), and GKE
    encrypts at rest.
    """
    if resource.type == "aws:eks/cluster:Cluster":
        yield from _eks_secrets(resource.props)
    if resource.type == "gcp:container/cluster:Cluster":
        yield from _gke_secrets(resource.props)


def _bucket_rules(resource: Resource) -> Iterator[Finding | Unknown]:
    rules = resource.props.get("rules")
    if isinstance(rules, Unknown):
        yield rules
        return
    if not each(rules):
        yield Finding("the encryption configuration has no rule", "rules", rules, "one rule with aws:kms")
    for index, rule in enumerate(each(rules)):
        at = f"rules[{index}]"
        default = dig(rule, "applyServerSideEncryptionByDefault")
        algorithm = dig(default, "sseAlgorithm")
        if isinstance(algorithm, Unknown):
            yield algorithm
        elif algorithm not in _KMS_ALGORITHMS:
            if algorithm != "AES256":  # whether S3's own key will do, only the whole stack shows
                yield _not_kms(f"{at}.applyServerSideEncryptionByDefault.sseAlgorithm", algorithm)
            continue
        key = f"{at}.applyServerSideEncryptionByDefault.kmsMasterKeyId"
        yield from _present(key, dig(default, "kmsMasterKeyId"))
        yield from _on(
            f"{at}.bucketKeyEnabled",
            dig(rule, "bucketKeyEnabled"),
            "the bucket has no bucket key, so KMS is asked, and paid, for every object",
            KEY_COST,
        )


def _store(where: str, block: Any, store: Store, settings: Settings) -> Iterator[Finding | Unknown]:
    prefix = f"{where}." if where else ""
    if isinstance(block, Unknown):
        yield block
        return
    if store.flag:
        yield from _on(
            f"{prefix}{store.flag}", dig(block, store.flag), "the storage is not encrypted", ENCRYPTION
        )
    yield from _customer_key(f"{prefix}{store.key}", dig(block, *store.key.split(".")), settings)


def _blocks(props: Any, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The blocks at `names`, each with its path; a block inside a list item that has none (no `ebs`) is passed over."""
    found: list[tuple[str, Any]] = [("", props)]
    for name in names:
        found = [
            (f"{where}.{name}{suffix}".lstrip("."), item)
            for where, block in found
            for suffix, item in _items(block if isinstance(block, Unknown) else dig(block, name))
        ]
    yield from found


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [(f"[{index}]", item) for index, item in enumerate(value)]
    return [] if value is None else [("", value)]


def _eks_secrets(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    resources = dig(props, "encryptionConfig", "resources")
    if isinstance(resources, Unknown):
        yield resources
        return
    if "secrets" not in each(resources):
        unknown = next((one for one in each(resources) if isinstance(one, Unknown)), None)
        yield unknown or Finding(
            "the cluster's secrets are not under a key of yours",
            "encryptionConfig.resources",
            resources,
            '["secrets"]',
        )
        return
    yield from _present(
        "encryptionConfig.provider.keyArn", dig(props, "encryptionConfig", "provider", "keyArn")
    )


def _gke_secrets(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    state = dig(props, "databaseEncryption", "state")
    if isinstance(state, Unknown):
        yield state
    elif state not in ("ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED"):
        yield Finding(
            "the cluster's secrets are not under a key of yours",
            "databaseEncryption.state",
            state,
            "ENCRYPTED",
        )
        return
    yield from _present("databaseEncryption.keyName", dig(props, "databaseEncryption", "keyName"))


def _on(where: str, value: Any, what: str, law: Law) -> Iterator[Finding | Unknown]:
    if isinstance(value, Unknown):
        yield value
    elif value not in (True, "true"):  # launch templates and StorageClasses write it as text
        yield Finding(what, where, value, "true", law=law)


def _customer_key(where: str, value: Any, settings: Settings) -> Iterator[Finding | Unknown]:
    if _wants_customer_key(settings):
        yield from _present(where, value)


def _present(where: str, value: Any) -> Iterator[Finding | Unknown]:
    if isinstance(value, Unknown):
        yield value
    elif not isinstance(value, str) or not value.strip():
        yield Finding("no customer key is given", where, value, "the ARN or name of a KMS key in India")


def _wants_customer_key(settings: Settings) -> bool:
    return settings.get("customerKey", True) is not False


ENC_01 = Control(
    id="DPDP-ENC-01",
    title="Storage under a customer key",
    law=CUSTOMER_KEY,
    other_laws=(ENCRYPTION, KEY_COST),
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(*BUCKETS, *BUCKET_ENCRYPTION, *STORES),
    remedy="encrypt it with a KMS key of this stack",
    check=storage,
    stack_check=buckets,
    resolves=resolved_by_key,
    settings={
        "customerKey": {
            "type": "boolean",
            "default": True,
            "description": "false accepts keys that the cloud manages, which r.6(1)(a) allows",
        }
    },
)
ENC_04 = Control(
    id="DPDP-ENC-04",
    title="Kubernetes secrets enveloped",
    law=CUSTOMER_KEY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=("aws:eks/cluster:Cluster", "gcp:container/cluster:Cluster"),
    remedy='give the cluster encryptionConfig with resources ["secrets"] and a KMS key (GKE: databaseEncryption)',
    remedies={
        "aws:": 'give the cluster encryptionConfig with resources ["secrets"] and a KMS key',
        "gcp:": "give the cluster databaseEncryption with state ENCRYPTED and a key",
    },
    check=cluster_secrets,
    resolves=resolved_by_key,
)
CONTROLS = (ENC_01, ENC_04)
