"""Databases: a PostgreSQL instance of RDS for each workload that needs one, which only the cluster reaches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from infra.aws.audit import Alert, tell
from infra.aws.existing_network import AnyNetwork
from infra.aws.iam import Account
from infra.contracts import database as contract
from infra.contracts.governance import DataGovernance
from infra.settings.database import AwsDatabase
from infra.settings.fields import log_retention
from infra.settings.names import shortened

# The roots that sign the servers' certificates, a file for each region.
CERTIFICATES = Path(__file__).with_name("rds_certificates")
AUTHORITY = "rds-ca-rsa2048-g1"
LONGEST_IDENTIFIER = 63  # RDS API: CreateDBInstance, DBInstanceIdentifier
LOGS = ("postgresql", "upgrade")
# RDS tells it when nine tenths of the disk are full, and when all are ("Amazon RDS event categories and event
# messages", RDS User Guide: RDS-EVENT-0089 and -0007).
LOW_STORAGE = Alert(
    {
        "source": ["aws.rds"],
        "detail-type": ["RDS DB Instance Event"],
        "detail": {"EventCategories": ["low storage"]},
    },
    {"database": "$.detail.SourceIdentifier", "message": "$.detail.Message", "at": "$.time"},
    "The database <database> has little storage left, at <at>: <message> Raise aws.database.maxStorageGib.",
)


@dataclass(frozen=True)
class DatabasesArgs:
    """`workloads` are the names of those that get one. `clients` are the security groups that reach it: the cluster's.
    `key_arn` encrypts the disks and backups, `logs_key_arn` the logs. `name` begins the instances' names; `topic_arn`
    hears of disks that fill. `protect` keeps the databases when the stack is destroyed; without it they go with all
    that is in them."""

    account: Account
    governance: DataGovernance
    name: str
    network: AnyNetwork
    clients: Sequence[pulumi.Input[str]]
    asked: AwsDatabase
    workloads: Sequence[str]
    key_arn: pulumi.Input[str]
    logs_key_arn: pulumi.Input[str]
    topic_arn: pulumi.Input[str]
    protect: bool = True


class Databases(pulumi.ComponentResource):
    """PostgreSQL instances of RDS in the subnets without a way out, a workload each.

    Connections are encrypted; backups are kept, and any moment of theirs can be restored. `by_workload` is what the
    platform hands to pods.
    """

    def __init__(self, name: str, args: DatabasesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Databases", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self._subnets = aws.rds.SubnetGroup(
            name,
            description=f"Databases of {args.name}",
            subnet_ids=args.network.intra_subnet_ids,
            opts=self._child,
        )
        self._group = self._security_group(name)
        self._parameters = aws.rds.ParameterGroup(
            name,
            description=f"Databases of {args.name}",
            family=f"postgres{args.asked.version}",
            parameters=[
                {"name": name, "value": "1"} for name in ("rds.force_ssl", *contract.CONNECTION_LOGS)
            ],
            opts=self._child,
        )
        tell(f"{name}-low-storage", "low storage of databases", LOW_STORAGE, args.topic_arn, self._child)
        self.by_workload = {workload: self._database(name, workload) for workload in args.workloads}
        self.register_outputs({workload: made.host for workload, made in self.by_workload.items()})

    def _security_group(self, name: str) -> aws.ec2.SecurityGroup:
        """Lets the cluster's nodes and pods in, and nothing out."""
        group = aws.ec2.SecurityGroup(
            name,
            description=f"Databases of {self._args.name}",
            vpc_id=self._args.network.vpc_id,
            tags={"Name": f"{self._args.name}-databases"},
            opts=self._child,
        )
        for index, client in enumerate(self._args.clients):
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-{index}",
                description="PostgreSQL from the cluster",
                security_group_id=group.id,
                referenced_security_group_id=client,
                ip_protocol="tcp",
                from_port=contract.PORT,
                to_port=contract.PORT,
                opts=self._child,
            )
        return group

    def _database(self, name: str, workload: str) -> contract.Database:
        args = self._args
        # RDS refuses /, @, quotes and spaces in a password.
        password = random.RandomPassword(f"{name}-{workload}", length=32, special=False, opts=self._child)
        instance = self._instance(name, workload, password.result)
        return contract.Database(
            host=instance.address,
            name=workload,
            password=password.result,
            ssl_mode="verify-full",
            certificate=(CERTIFICATES / f"{args.account.region}.pem").read_text(encoding="utf-8"),
            cidrs=args.network.intra_cidrs,
        )

    def _instance(self, name: str, workload: str, password: pulumi.Input[str]) -> aws.rds.Instance:
        args, asked = self._args, self._args.asked
        identifier = instance_name(args.name, workload)
        # A snapshot outlives the stack and holds its name, so the next stack's has another.
        ending = random.RandomId(f"{name}-{workload}-last", byte_length=3, opts=self._child)
        return aws.rds.Instance(
            f"{name}-{workload}",
            identifier=identifier,
            engine="postgres",
            engine_version=asked.version,
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=True,
            instance_class=asked.machine,
            multi_az=asked.multi_zone,
            storage_type="gp3",
            allocated_storage=asked.storage_gib,
            max_allocated_storage=asked.max_storage_gib,
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            db_name=workload,
            username=workload,
            password=password,
            ca_cert_identifier=AUTHORITY,
            db_subnet_group_name=self._subnets.name,
            vpc_security_group_ids=[self._group.id],
            publicly_accessible=False,
            parameter_group_name=self._parameters.name,
            backup_retention_period=asked.backup_days,
            copy_tags_to_snapshot=True,
            enabled_cloudwatch_logs_exports=list(LOGS),
            # What the settings ask is so when the update ends, not days later in RDS' window.
            apply_immediately=True,
            deletion_protection=args.protect,
            skip_final_snapshot=not args.protect,
            final_snapshot_identifier=pulumi.Output.concat(identifier, "-", ending.hex),
            tags=args.governance.tags(identifier),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=self._log_groups(name, workload)
            ),
        )

    def _log_groups(self, name: str, workload: str) -> list[aws.cloudwatch.LogGroup]:
        """Where RDS writes; it would make them without a key or an end."""
        args, identifier = self._args, instance_name(self._args.name, workload)
        days = args.governance.log_days
        return [
            aws.cloudwatch.LogGroup(
                f"{name}-{workload}-{log}",
                name=f"/aws/rds/instance/{identifier}/{log}",
                retention_in_days=log_retention(days),
                kms_key_id=args.logs_key_arn,
                tags=args.governance.tags(f"{identifier}-{log}", days),
                opts=self._child,
            )
            for log in LOGS
        ]


def instance_name(cluster: str, workload: str) -> str:
    """The name of a workload's instance: RDS takes lower-case letters, digits and single dashes."""
    return shortened(re.sub(r"[^a-z0-9]+", "-", f"{cluster}-{workload}".lower()), LONGEST_IDENTIFIER)
