"""Replica: the lake's data buckets a second time, in the other Indian region, each kept like the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import contracts
from infra.aws import iam
from infra.aws.bucket import Bucket, BucketArgs
from infra.aws.iam import Account, Statement
from infra.aws.keys import Keys, KeysArgs
from infra.aws.lake import Lake
from infra.contracts.governance import DATA, DataGovernance, lifecycle

FROM_SOURCE = (
    "s3:GetObjectVersionForReplication",
    "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging",
)
TO_REPLICA = ("s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags")


@dataclass(frozen=True)
class ReplicaArgs:
    """`home` is where `lake` is, under `lake_key_arn`; `there` the other region, `provider` the one that builds in it.

    `name` prefixes the alias of the replica's key.
    """

    home: Account
    destination: Account
    governance: DataGovernance
    lake: Lake
    lake_key_arn: pulumi.Output[str]
    name: str
    provider: aws.Provider
    protect: bool = True


class Replica(pulumi.ComponentResource):
    """Buckets in the other region, and replication both ways, deletions too.

    What is written in either is in the other after minutes: S3 promises no time without Replication Time Control, which
    costs extra. What was there before replication began is not copied: S3 Batch Replication does that, once.

    `lake` is what workloads see after a failover; the logs stay at home.
    """

    lake: contracts.Lake

    def __init__(self, name: str, args: ReplicaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Replica", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        there = pulumi.ResourceOptions(parent=self, provider=args.provider)
        keys = Keys(
            f"{name}-keys",
            KeysArgs(
                args.destination, args.governance, f"{args.name}-replica", "", args.protect, uses=["lake"]
            ),
            there,
        )
        copies = {
            role: Bucket(
                f"{name}-{role}",
                BucketArgs(
                    args.destination,
                    args.governance,
                    lifecycle(role, args.governance),
                    keys.lake,
                    args.protect,
                ),
                there,
            )
            for role in DATA
        }
        buckets = {role: copy.bucket for role, copy in copies.items()}
        self.lake = contracts.Lake({**args.lake.lake.buckets, **buckets})
        role = _role(name, args, buckets, keys.lake, here)
        for data in DATA:
            # Both sides must have their versioning, which nothing but the whole bucket tells.
            ready = pulumi.ResourceOptions(depends_on=[args.lake, copies[data]])
            source, copy = args.lake.lake[data], buckets[data]
            for side, (begin, end, key, opts_of) in {
                "out": (source, copy, keys.lake, here),
                "back": (copy, source, args.lake_key_arn, there),
            }.items():
                _replicate(
                    f"{name}-{data}-{side}",
                    role,
                    begin,
                    end,
                    key,
                    pulumi.ResourceOptions.merge(opts_of, ready),
                )
        self.register_outputs({data: bucket.name for data, bucket in buckets.items()})


def _replicate(
    name: str,
    role: pulumi.Output[str],
    begin: contracts.Bucket,
    end: contracts.Bucket,
    end_key: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> None:
    aws.s3.BucketReplicationConfig(
        name,
        bucket=begin.name,
        role=role,
        rules=[
            {
                "id": "everything",
                "priority": 1,
                "status": "Enabled",
                "filter": {"prefix": ""},
                "delete_marker_replication": {"status": "Enabled"},
                "source_selection_criteria": {
                    # Without these S3 skips what is under a customer key, and changes of the other side's copies.
                    "sse_kms_encrypted_objects": {"status": "Enabled"},
                    "replica_modifications": {"status": "Enabled"},
                },
                "destination": {
                    "bucket": end.arn_or_id,
                    "encryption_configuration": {"replica_kms_key_id": end_key},
                },
            }
        ],
        opts=opts,
    )


def _role(
    name: str,
    args: ReplicaArgs,
    copies: Mapping[str, contracts.Bucket],
    copy_key: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """What S3 replicates as: it reads and writes on both sides, under each side's key and through S3 only."""
    role = aws.iam.Role(
        f"{name}-replication",
        description="S3 replication of the lake between two Indian regions",
        assume_role_policy=iam.trust(
            iam.service("s3.amazonaws.com"),
            conditions={"StringEquals": {"aws:SourceAccount": args.home.id}},
        ),
        opts=opts,
    )
    both = [*(args.lake.lake[data] for data in DATA), *copies.values()]
    arns = [bucket.arn_or_id for bucket in both]
    objects = [pulumi.Output.concat(arn, "/*") for arn in arns]
    policy = aws.iam.RolePolicy(
        f"{name}-replication",
        role=role.id,
        policy=iam.document(
            iam.statement("Look", ("s3:GetReplicationConfiguration", "s3:ListBucket"), arns),
            iam.statement("Read", FROM_SOURCE, objects),
            iam.statement("Write", TO_REPLICA, objects),
            _key_use("Home", args.home, args.lake_key_arn),
            _key_use("Replica", args.destination, copy_key),
        ),
        opts=opts,
    )
    # S3 checks the role's rights when replication begins.
    return pulumi.Output.all(role.arn, policy.id).apply(lambda both: both[0])


def _key_use(sid: str, account: Account, key: pulumi.Output[str]) -> Statement:
    through = {"StringEquals": {"kms:ViaService": f"s3.{account.region}.amazonaws.com"}}
    return iam.statement(f"Key{sid}", ("kms:Decrypt", "kms:GenerateDataKey"), key, conditions=through)
