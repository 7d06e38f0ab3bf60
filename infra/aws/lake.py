"""Lake: the buckets of a team's data, and of the logs about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_aws as aws

from infra import contracts
from infra.aws import iam
from infra.aws.bucket import Bucket, BucketArgs, Lock, LockMode
from infra.aws.iam import Account, Statement
from infra.contracts.governance import ACCESS_LOGS, AUDIT, DATA, DataGovernance, lifecycle
from infra.settings.stack import PERSONAL_RETENTION_DAYS

LOCK_DAYS = (
    PERSONAL_RETENTION_DAYS  # audit logs can't be altered in the year that the DPDP Rules, 6(1)(e), keep them
)


def audit_bucket(name: str) -> str:
    """The pattern of the audit bucket's name in the Lake called `name`: Pulumi adds random digits."""
    return f"{name}-{AUDIT}-*"


@dataclass(frozen=True)
class LakeArgs:
    """`governance` is of the data; `trail_name` the trail that writes to the audit bucket, under `logs_key_arn`.

    `protect` keeps the buckets when the stack is destroyed; without it they go with all that is in them.
    """

    account: Account
    governance: DataGovernance
    lake_key_arn: pulumi.Output[str]
    logs_key_arn: pulumi.Output[str]
    trail_name: str
    protect: bool = True
    lock_mode: LockMode = "GOVERNANCE"


class Lake(pulumi.ComponentResource):
    """Buckets raw, curated, features, models and checkpoints under the lake's key, audit and access-logs for logs.

    `audit` holds the trail under Object Lock. S3 delivers no access logs to a bucket with Object Lock, nor to one whose
    default is SSE-KMS ("Object Lock considerations" and "Enabling server access logging" in the S3 User Guide, read
    2026-11), so they have `access-logs`, versioned and under S3's own key.

    `lake` is what other modules see, `access_logs` the bucket of the access logs.
    """

    lake: contracts.Lake
    access_logs: contracts.Bucket

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Lake", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        buckets = {role: Bucket(f"{name}-{role}", _data(role, args), child).bucket for role in DATA}
        buckets[AUDIT] = Bucket(f"{name}-{AUDIT}", _audit(args), child).bucket
        self.lake = contracts.Lake(MappingProxyType(buckets))
        self.access_logs = Bucket(f"{name}-{ACCESS_LOGS}", _access_logs(args, buckets), child).bucket
        for role, bucket in buckets.items():
            aws.s3.BucketLogging(
                f"{name}-{role}",
                bucket=bucket.name,
                target_bucket=self.access_logs.name,
                target_prefix=f"{role}/",
                target_object_key_format={"partitioned_prefix": {"partition_date_source": "EventTime"}},
                opts=child,
            )
        self.register_outputs({role: bucket.name for role, bucket in buckets.items()})


def _data(role: str, args: LakeArgs) -> BucketArgs:
    return BucketArgs(
        account=args.account,
        governance=args.governance,
        lifecycle=lifecycle(role, args.governance),
        key_arn=args.lake_key_arn,
        protect=args.protect,
    )


def _audit(args: LakeArgs) -> BucketArgs:
    trail = args.account.arn("cloudtrail", f"trail/{args.trail_name}")

    def cloudtrail(arn: pulumi.Output[str]) -> list[Statement]:
        writer, of_this_trail = iam.service("cloudtrail.amazonaws.com"), {"aws:SourceArn": trail}
        logs = pulumi.Output.concat(arn, "/AWSLogs/", args.account.id, "/*")
        put_as_owner = of_this_trail | {"s3:x-amz-acl": "bucket-owner-full-control"}
        return [
            iam.statement(
                "TrailChecks",
                ["s3:GetBucketAcl"],
                arn,
                principal=writer,
                conditions={"StringEquals": of_this_trail},
            ),
            iam.statement(
                "TrailWrites",
                ["s3:PutObject"],
                logs,
                principal=writer,
                conditions={"StringEquals": put_as_owner},
            ),
        ]

    return BucketArgs(
        account=args.account,
        governance=args.governance,
        lifecycle=lifecycle(AUDIT, args.governance),
        key_arn=args.logs_key_arn,
        protect=args.protect,
        lock=Lock(args.lock_mode, LOCK_DAYS),
        allow=cloudtrail,
    )


def _access_logs(args: LakeArgs, sources: Mapping[str, contracts.Bucket]) -> BucketArgs:
    def delivery(arn: pulumi.Output[str]) -> list[Statement]:
        return [
            iam.statement(
                "AccessLogDelivery",
                ["s3:PutObject"],
                pulumi.Output.concat(arn, "/*"),
                principal=iam.service("logging.s3.amazonaws.com"),
                conditions={
                    "ArnEquals": {"aws:SourceArn": [bucket.arn_or_id for bucket in sources.values()]},
                    "StringEquals": {"aws:SourceAccount": args.account.id},
                },
            )
        ]

    return BucketArgs(
        account=args.account,
        governance=args.governance,
        lifecycle=lifecycle(ACCESS_LOGS, args.governance),
        key_arn=None,
        protect=args.protect,
        allow=delivery,
    )
