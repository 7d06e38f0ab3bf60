"""Bucket: private, encrypted, versioned, with a floor and a ceiling on how long it keeps things."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from infra import contracts
from infra.aws import iam
from infra.aws.iam import Account, Statement
from infra.contracts.governance import DataGovernance, Lifecycle

ABORT_MULTIPART_DAYS = 7

# AWS services write as themselves where `allow` lets them, and not always under the bucket's key: CloudTrail's digests
# are under S3's own.
_NOT_A_SERVICE = {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}

LockMode = Literal["GOVERNANCE", "COMPLIANCE"]
Allow = Callable[[pulumi.Output[str]], Sequence[Statement]]


@dataclass(frozen=True)
class Lock:
    """Object Lock: nothing can be altered or deleted for `days`; in COMPLIANCE not even by the account's root."""

    mode: LockMode
    days: int


@dataclass(frozen=True)
class BucketArgs:
    """`key_arn` is the only key that objects may be under; None is S3's own, for the one bucket that can't use another.

    `allow` gives the statements for AWS services that write here, from the bucket's ARN. People and workloads are
    granted access by their roles. `protect` keeps the bucket and what is in it when the stack is destroyed.
    """

    account: Account
    governance: DataGovernance
    lifecycle: Lifecycle
    key_arn: pulumi.Output[str] | None
    protect: bool
    lock: Lock | None = None
    allow: Allow | None = None


class Bucket(pulumi.ComponentResource):
    """A bucket of one account: no public access, no ACLs, TLS only, one key, every version kept until it expires.

    `bucket` is what other modules see. Its name is known only once the policy is in place, so that whoever writes to it
    waits for that.
    """

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Bucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        made = aws.s3.Bucket(
            name,
            force_destroy=not args.protect,
            object_lock_enabled=args.lock is not None,
            tags=args.governance.tags(name, args.lifecycle.days),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        closed = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=made.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        aws.s3.BucketOwnershipControls(
            name, bucket=made.bucket, rule={"object_ownership": "BucketOwnerEnforced"}, opts=child
        )
        versioned = aws.s3.BucketVersioning(
            name, bucket=made.bucket, versioning_configuration={"status": "Enabled"}, opts=child
        )
        after_versioning = pulumi.ResourceOptions(parent=self, depends_on=[versioned])
        _encrypt(name, made, args.key_arn, child)
        _expire(name, made, args.lifecycle, after_versioning)
        if args.lock:
            _lock(name, made, args.lock, after_versioning)
        policy = aws.s3.BucketPolicy(
            name,
            bucket=made.bucket,
            policy=iam.document(*_refusals(made.arn, args), *(args.allow(made.arn) if args.allow else ())),
            # S3 refuses two changes of a bucket's access at once.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        self.bucket = contracts.Bucket(
            name=policy.bucket,
            uri=pulumi.Output.concat("s3://", policy.bucket),
            arn_or_id=made.arn,
            key=args.key_arn,
        )
        self.register_outputs({"name": self.bucket.name, "arn": made.arn})


def _encrypt(
    name: str, bucket: aws.s3.Bucket, key_arn: pulumi.Output[str] | None, opts: pulumi.ResourceOptions
) -> None:
    algorithm = "AES256" if key_arn is None else "aws:kms"
    aws.s3.BucketServerSideEncryptionConfiguration(
        name,
        bucket=bucket.bucket,
        rules=[
            {
                "apply_server_side_encryption_by_default": {
                    "sse_algorithm": algorithm,
                    "kms_master_key_id": key_arn,
                },
                "bucket_key_enabled": key_arn
                is not None,  # one KMS call a bucket and hour, not one an object
            }
        ],
        opts=opts,
    )


def _expire(name: str, bucket: aws.s3.Bucket, lifecycle: Lifecycle, opts: pulumi.ResourceOptions) -> None:
    aws.s3.BucketLifecycleConfiguration(
        name,
        bucket=bucket.bucket,
        rules=[
            {
                "id": "retention",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "expiration": {"days": lifecycle.days},
                "noncurrent_version_expiration": {"noncurrent_days": lifecycle.noncurrent_days},
            },
            {
                # A rule of its own: S3 takes no delete marker clean-up beside an expiration in days.
                "id": "leftovers",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "expiration": {"expired_object_delete_marker": True},
                "abort_incomplete_multipart_upload": {"days_after_initiation": ABORT_MULTIPART_DAYS},
            },
        ],
        opts=opts,
    )


def _lock(name: str, bucket: aws.s3.Bucket, lock: Lock, opts: pulumi.ResourceOptions) -> None:
    aws.s3.BucketObjectLockConfiguration(
        name,
        bucket=bucket.bucket,
        object_lock_enabled="Enabled",
        rule={"default_retention": {"mode": lock.mode, "days": lock.days}},
        opts=opts,
    )


def _refusals(arn: pulumi.Output[str], args: BucketArgs) -> list[Statement]:
    """What is refused to everyone, whatever their own policies allow."""
    objects = pulumi.Output.concat(arn, "/*")
    everything = [arn, objects]
    refusals = [
        iam.deny("NoPlainHttp", ["s3:*"], everything, {"Bool": {"aws:SecureTransport": "false"}}),
        iam.deny("NoOldTls", ["s3:*"], everything, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
        iam.deny(
            "NoOtherAccount",
            ["s3:*"],
            everything,
            {"StringNotEquals": {"aws:PrincipalAccount": args.account.id}, **_NOT_A_SERVICE},
        ),
    ]
    if args.lock and args.protect:
        refusals.append(iam.deny("NoUnlocking", ["s3:BypassGovernanceRetention"], objects))
    return refusals + (_other_keys(objects, args.key_arn) if args.key_arn is not None else [])


def _other_keys(objects: pulumi.Output[str], key_arn: pulumi.Output[str]) -> list[Statement]:
    """Puts that name another key or kind of encryption. A put that names none gets the bucket's key, and is let in."""
    put = ["s3:PutObject"]
    kind, key = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"
    customer = "s3:x-amz-server-side-encryption-customer-algorithm"
    return [
        iam.deny(
            "OnlyKms",
            put,
            objects,
            {"StringNotEquals": {kind: "aws:kms"}, "Null": {kind: "false"}, **_NOT_A_SERVICE},
        ),
        iam.deny(
            "OnlyThisKey",
            put,
            objects,
            {"ArnNotEquals": {key: key_arn}, "Null": {key: "false"}, **_NOT_A_SERVICE},
        ),
        # aws:kms without a key means the account's default S3 key, not the bucket's.
        iam.deny(
            "NoDefaultKey",
            put,
            objects,
            {"StringEquals": {kind: "aws:kms"}, "Null": {key: "true"}, **_NOT_A_SERVICE},
        ),
        iam.deny("NoCustomerKeys", put, objects, {"Null": {customer: "false"}}),
    ]
