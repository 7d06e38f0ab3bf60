"""Bucket: private, encrypted, versioned, with a floor and a ceiling on how long it keeps things."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra import contracts
from infra.contracts.governance import DataGovernance, Lifecycle
from infra.gcp import tags
from infra.gcp.iam import Project

ABORT_MULTIPART_DAYS = 7
SOFT_DELETE_DAYS = 90  # the longest that Cloud Storage takes
DAY_SECONDS = 86_400

# Mumbai and Delhi as one location; Google's code for pairs of regions within India is IN ("Bucket locations").
DUAL_REGION = "IN"
DUAL_REGION_PLACES = ("ASIA-SOUTH1", "ASIA-SOUTH2")


@dataclass(frozen=True)
class BucketArgs:
    """`key` is the path of the key that objects are under.

    `kept_days` is how long nothing in it can be altered or deleted, for logs: such a bucket needs no versions.
    `protect` keeps the bucket and what is in it when the stack is destroyed; without it nothing is held that long
    either, or the bucket could not go.
    """

    project: Project
    governance: DataGovernance
    lifecycle: Lifecycle
    key: pulumi.Output[str]
    protect: bool
    dual_region: bool = False
    kept_days: int | None = None


class Bucket(pulumi.ComponentResource):
    """A bucket of one project: no public access, no ACLs, one key, every version kept until it expires.

    `bucket` is what other modules see; its `arn_or_id` is what IAM conditions begin with.
    """

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Bucket", name, None, opts)
        made = gcp.storage.Bucket(
            name,
            project=args.project.id,
            location=DUAL_REGION if args.dual_region else args.project.region.upper(),
            custom_placement_config={"data_locations": list(DUAL_REGION_PLACES)}
            if args.dual_region
            else None,
            storage_class="STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            encryption={"default_kms_key_name": args.key},
            versioning={"enabled": args.kept_days is None},
            retention_policy=_retention(args),
            soft_delete_policy={"retention_duration_seconds": _soft_delete_days(args) * DAY_SECONDS},
            lifecycle_rules=_expiry(args),
            labels=tags.labels(args.governance, name, args.lifecycle.days),
            force_destroy=not args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        self.bucket = contracts.Bucket(
            name=made.name,
            uri=pulumi.Output.concat("gs://", made.name),
            arn_or_id=pulumi.Output.concat("projects/_/buckets/", made.name),
            key=args.key,
        )
        self.register_outputs({"name": made.name})


def _soft_delete_days(args: BucketArgs) -> int:
    """Unlike S3, whoever may delete here may delete a version too; for these days even that can be undone."""
    return min(SOFT_DELETE_DAYS, args.lifecycle.noncurrent_days)


def _retention(args: BucketArgs) -> gcp.storage.BucketRetentionPolicyArgsDict | None:
    if args.kept_days is None or not args.protect:
        return None
    # Not locked: a lock can never be lifted, and a mistake in it would stay for good.
    return gcp.storage.BucketRetentionPolicyArgsDict(
        retention_period=str(args.kept_days * DAY_SECONDS), is_locked=False
    )


def _expiry(args: BucketArgs) -> list[gcp.storage.BucketLifecycleRuleArgsDict]:
    def rule(action: str, **condition: int | str) -> gcp.storage.BucketLifecycleRuleArgsDict:
        return gcp.storage.BucketLifecycleRuleArgsDict(
            action=gcp.storage.BucketLifecycleRuleActionArgsDict(type=action),
            condition=gcp.storage.BucketLifecycleRuleConditionArgsDict(**condition),  # pyright: ignore[reportArgumentType]
        )

    rules = [
        rule("Delete", age=args.lifecycle.days, with_state="LIVE"),
        rule("AbortIncompleteMultipartUpload", age=ABORT_MULTIPART_DAYS),
    ]
    if args.kept_days is None:
        rules.append(
            rule("Delete", days_since_noncurrent_time=args.lifecycle.noncurrent_days, with_state="ARCHIVED")
        )
    return rules
