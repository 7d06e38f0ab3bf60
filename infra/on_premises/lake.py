"""The lake on premises: the buckets of `contracts.Lake` behind any S3 endpoint, whoever's server it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_aws as aws

from infra import contracts
from infra.contracts.governance import AUDIT, DATA, DataGovernance, Lifecycle, lifecycle
from infra.settings.on_premises import Feature
from infra.settings.stack import PERSONAL_RETENTION_DAYS

ABORT_MULTIPART_DAYS = 7


@dataclass(frozen=True)
class StoreArgs:
    """`region` is the name that the endpoint goes by. The keys are secrets."""

    endpoint: str
    region: str
    access_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]


def store(name: str, args: StoreArgs, opts: pulumi.ResourceOptions | None = None) -> aws.Provider:
    """The S3 half of the AWS provider, pointed at the endpoint: it asks AWS itself nothing."""
    return aws.Provider(
        name,
        region=args.region,
        endpoints=[{"s3": args.endpoint}],
        access_key=args.access_key,
        secret_key=args.secret_key,
        s3_use_path_style=True,  # <bucket>.<host> needs names and certificates that few sites have
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
        skip_region_validation=True,
        skip_requesting_account_id=True,
        opts=opts,
    )


@dataclass(frozen=True)
class LakeArgs:
    """`prefix` begins the buckets' names, which the site's other tenants see. `lacks` is what the endpoint can't do.

    `key` is the name of a key in the store's own key service. `protect` keeps the buckets when the stack is destroyed.
    """

    governance: DataGovernance
    prefix: str
    key: str | None
    lacks: Sequence[Feature] = ()
    protect: bool = True


class Lake(pulumi.ComponentResource):
    """Buckets raw, curated, features, models, checkpoints and audit: versioned, expiring, closed to the public and
    encrypted under the store's key, the audit one locked, as far as the endpoint can.

    `lake` is what other modules see. `opts` must name the store's provider.
    """

    lake: contracts.Lake

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__("india-ai-infra:onprem:Lake", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        buckets = {role: self._bucket(name, role) for role in (*DATA, AUDIT)}
        self.lake = contracts.Lake(MappingProxyType(buckets))
        self.register_outputs({role: bucket.name for role, bucket in buckets.items()})

    def _bucket(self, name: str, role: str) -> contracts.Bucket:
        args, label = self._args, f"{name}-{role}"
        kept = lifecycle(role, args.governance)
        locked = role == AUDIT and "object-lock" not in args.lacks
        made = aws.s3.Bucket(
            label,
            bucket=f"{args.prefix}-{role}",
            force_destroy=not args.protect,
            object_lock_enabled=locked,
            tags=args.governance.tags(label, kept.days),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        versioned = aws.s3.BucketVersioning(
            label, bucket=made.bucket, versioning_configuration={"status": "Enabled"}, opts=self._child
        )
        after = pulumi.ResourceOptions(parent=self, depends_on=[versioned])
        if "public-access-block" not in args.lacks:
            aws.s3.BucketPublicAccessBlock(
                label,
                bucket=made.bucket,
                block_public_acls=True,
                block_public_policy=True,
                ignore_public_acls=True,
                restrict_public_buckets=True,
                opts=self._child,
            )
        if "encryption" not in args.lacks:
            self._encrypt(label, made)
        if "lifecycle" not in args.lacks:
            self._expire(label, made, kept, after)
        if locked:
            aws.s3.BucketObjectLockConfiguration(
                label,
                bucket=made.bucket,
                object_lock_enabled="Enabled",
                rule={"default_retention": {"mode": "GOVERNANCE", "days": PERSONAL_RETENTION_DAYS}},
                opts=after,
            )
        return contracts.Bucket(
            # Whoever writes waits until nothing can be overwritten.
            name=versioned.bucket,
            uri=pulumi.Output.concat("s3://", versioned.bucket),
            arn_or_id=made.arn,
            key=pulumi.Output.from_input(args.key) if args.key else None,
        )

    def _encrypt(self, label: str, bucket: aws.s3.Bucket) -> None:
        aws.s3.BucketServerSideEncryptionConfiguration(
            label,
            bucket=bucket.bucket,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": self._args.key,
                    },
                    "bucket_key_enabled": True,
                }
            ],
            opts=self._child,
        )

    def _expire(
        self, label: str, bucket: aws.s3.Bucket, kept: Lifecycle, opts: pulumi.ResourceOptions
    ) -> None:
        aws.s3.BucketLifecycleConfiguration(
            label,
            bucket=bucket.bucket,
            rules=[
                {
                    "id": "retention",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": kept.days},
                    "noncurrent_version_expiration": {"noncurrent_days": kept.noncurrent_days},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": ABORT_MULTIPART_DAYS},
                }
            ],
            opts=opts,
        )
