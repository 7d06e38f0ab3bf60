"""Keys: a customer key each for the lake, the cluster, the logs and databases, in the stack's own region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.aws import iam
from infra.aws.iam import Account, Statement
from infra.contracts.governance import DataGovernance

# What an administrator may do to a key: everything but encrypt and decrypt with it, which are in a statement each that
# names the user. `kms:Create*` holds CreateGrant, with which an administrator can let a principal use the key: EKS asks
# that of whoever makes a cluster with encrypted secrets ("Encrypt Kubernetes secrets with KMS on existing clusters").
ADMINISTRATION = (
    "kms:Create*",
    "kms:Describe*",
    "kms:Enable*",
    "kms:List*",
    "kms:Put*",
    "kms:Update*",
    "kms:Revoke*",
    "kms:Disable*",
    "kms:Get*",
    "kms:Delete*",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
    "kms:RotateKeyOnDemand",
)
USE = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey")
EVERY_STACKS, DATABASE = ("lake", "cluster", "logs"), "database"
DELETION_WINDOW_DAYS = 30  # the longest that KMS offers, to notice a mistake in


@dataclass(frozen=True)
class KeysArgs:
    """`trail_name` is the CloudTrail trail that writes under the logs key; `alias` the prefix of the keys' aliases.

    `audit_bucket` is the bucket that workloads put evidence in, under the logs key, as a pattern of its name: the
    bucket is made after the key. `uses` are the keys that are made.
    """

    account: Account
    governance: DataGovernance
    alias: str
    trail_name: str
    protect: bool = True
    audit_bucket: str = ""
    uses: Sequence[str] = EVERY_STACKS


class Keys(pulumi.ComponentResource):
    """Customer keys that rotate yearly and never leave their region.

    `lake` encrypts the data, `cluster` Kubernetes secrets, node disks and images, `logs` log groups, the trail and
    alerts, `database` the databases of workloads; each is a key's ARN. Administrators of the account manage the keys
    through IAM; who uses one is in its policy.
    """

    lake: pulumi.Output[str]
    cluster: pulumi.Output[str]
    logs: pulumi.Output[str]
    database: pulumi.Output[str]

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Keys", name, None, opts)
        about = {
            "lake": ("The data lake", _lake_users(args.account)),
            "cluster": ("Kubernetes secrets, node disks and images", _cluster_users(args.account)),
            "logs": ("Logs, the trail and alerts", _log_users(args)),
            DATABASE: ("The databases of workloads", _database_users(args.account)),
        }
        made = {use: self._key(name, use, about[use][0], args, about[use][1]) for use in args.uses}
        for use, arn in made.items():
            setattr(self, use, arn)
        self.register_outputs(made)

    def _key(
        self, name: str, use: str, description: str, args: KeysArgs, users: Sequence[Statement]
    ) -> pulumi.Output[str]:
        key = aws.kms.Key(
            f"{name}-{use}",
            description=description,
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_WINDOW_DAYS,
            multi_region=False,
            policy=iam.document(_administration(args.account), *users),
            tags=args.governance.tags(f"{args.alias}-{use}"),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.kms.Alias(
            f"{name}-{use}",
            name=f"alias/{args.alias}-{use}",
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key.arn


def _administration(account: Account) -> Statement:
    return iam.statement("AdministrationThroughIam", ADMINISTRATION, principal=iam.principals(account.root))


def _lake_users(account: Account) -> list[Statement]:
    """Roles whose IAM policy names the key, and only through S3."""
    return [
        iam.statement(
            "LakeRolesThroughS3",
            USE,
            principal=iam.principals(account.root),
            conditions=_through(account, "s3"),
        )
    ]


def _cluster_users(account: Account) -> list[Statement]:
    return [
        # EKS encrypts secrets as the cluster's role, and GuardDuty scans disks as its own; their IAM policies say so.
        iam.statement("RolesNamedInIam", USE, principal=iam.principals(account.root)),
        # Node disks: the principal is whoever starts the instance (Auto Scaling, Karpenter, the EBS driver). It is the
        # form of AWS's own aws/ebs key, because the service-linked roles may not exist yet in a new account.
        iam.statement(
            "DisksThroughEc2",
            (*USE, "kms:CreateGrant"),
            principal=iam.principals("*"),
            conditions=_through(account, "ec2"),
        ),
        # Repositories of mirrored images: ECR grants itself the key's use when it makes one.
        iam.statement(
            "RegistryThroughEcr",
            ("kms:CreateGrant", "kms:RetireGrant"),
            principal=iam.principals(account.root),
            conditions=_through(account, "ecr"),
        ),
    ]


def _database_users(account: Account) -> list[Statement]:
    """Whoever makes a database lets RDS use the key by a grant ("AWS KMS key management", RDS User Guide)."""
    return [
        iam.statement(
            "DatabasesThroughRds",
            (*USE, "kms:CreateGrant"),
            principal=iam.principals(account.root),
            conditions=_through(account, "rds"),
        )
    ]


def _log_users(args: KeysArgs) -> list[Statement]:
    account = args.account
    trail = account.arn("cloudtrail", f"trail/{args.trail_name}")
    return [
        iam.statement(
            "CloudWatchLogs",
            USE,
            principal=iam.service(f"logs.{account.region}.amazonaws.com"),
            conditions={
                "ArnLike": {"kms:EncryptionContext:aws:logs:arn": account.arn("logs", "log-group:*")},
            },
        ),
        iam.statement(
            "CloudTrail",
            ("kms:GenerateDataKey*", "kms:DescribeKey"),
            principal=iam.service("cloudtrail.amazonaws.com"),
            conditions={"StringEquals": {"aws:SourceArn": trail}},
        ),
        # EventBridge names no source when it publishes to an encrypted topic; the topic is in the encryption context.
        iam.statement(
            "AlertsThroughEventBridge",
            ("kms:Decrypt", "kms:GenerateDataKey*"),
            principal=iam.service("events.amazonaws.com"),
            conditions={"ArnLike": {"kms:EncryptionContext:aws:sns:topicArn": account.arn("sns", "*")}},
        ),
        # Alertmanager's role, whose IAM policy names the key.
        iam.statement(
            "AlertsThroughSns",
            ("kms:Decrypt", "kms:GenerateDataKey*"),
            principal=iam.principals(account.root),
            conditions=_through(account, "sns"),
        ),
        iam.statement(
            "AuditorsThroughS3",
            ("kms:Decrypt", "kms:DescribeKey"),
            principal=iam.principals(account.root),
            conditions=_through(account, "s3"),
        ),
        *([_evidence_writers(account, args.audit_bucket)] if args.audit_bucket else []),
    ]


def _evidence_writers(account: Account, audit_bucket: str) -> Statement:
    """Roles whose IAM policy names the key, and only for objects of the audit bucket."""
    bucket = f"arn:aws:s3:::{audit_bucket}"
    of_the_bucket = {"StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, f"{bucket}/*"]}}
    return iam.statement(
        "EvidenceThroughS3",
        ("kms:GenerateDataKey",),
        principal=iam.principals(account.root),
        conditions={**_through(account, "s3"), **of_the_bucket},
    )


def _through(account: Account, service_name: str) -> iam.Conditions:
    return {
        "StringEquals": {
            "kms:ViaService": f"{service_name}.{account.region}.amazonaws.com",
            "kms:CallerAccount": account.id,
        }
    }
