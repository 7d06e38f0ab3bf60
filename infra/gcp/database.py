"""Databases: a PostgreSQL instance of Cloud SQL for each workload that needs one, which only the network reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp
import pulumi_random as random

from infra.contracts import database as contract
from infra.contracts.governance import DataGovernance
from infra.gcp import tags
from infra.gcp.audit import DATA_LOGS
from infra.gcp.existing_network import AnyNetwork
from infra.gcp.iam import Project
from infra.settings.database import GoogleDatabase

# The Enterprise edition keeps transaction logs for no longer ("Use point-in-time recovery").
LONGEST_LOG_DAYS = 7


@dataclass(frozen=True)
class DatabasesArgs:
    """`workloads` are the names of those that get one. `key` encrypts the disks and backups; `name` begins the labels.
    `protect` keeps the databases when the stack is destroyed; without it they go with all that is in them."""

    project: Project
    governance: DataGovernance
    name: str
    network: AnyNetwork
    asked: GoogleDatabase
    workloads: Sequence[str]
    key: pulumi.Input[str]
    protect: bool = True


class Databases(pulumi.ComponentResource):
    """PostgreSQL instances of Cloud SQL, a workload each, at an address of the nodes' subnet.

    Private Service Connect leads there: an address and a forwarding rule, and no peering, which Google keeps from being
    deleted for days after the last instance. Connections are encrypted; the server's authority is the instance's own,
    and its certificate names no host. `by_workload` is what the platform hands to pods.
    """

    def __init__(self, name: str, args: DatabasesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Databases", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        # Who changed or read a database through Google's API; those who connect are in PostgreSQL's own log.
        gcp.projects.IAMAuditConfig(
            name,
            project=args.project.id,
            service="cloudsql.googleapis.com",
            audit_log_configs=[{"log_type": kind} for kind in DATA_LOGS],
            opts=self._child,
        )
        self.by_workload = {
            workload: self._database(f"{name}-{workload}", workload) for workload in args.workloads
        }
        self.register_outputs({workload: made.host for workload, made in self.by_workload.items()})

    def _database(self, name: str, workload: str) -> contract.Database:
        instance = self._instance(name, workload)
        password = random.RandomPassword(name, length=32, special=False, opts=self._child)
        owner = self._owner(name, workload, instance, password.result)
        address = self._endpoint(name, workload, instance)
        return contract.Database(
            # Known once the database and its user are there, so that pods come after them.
            host=pulumi.Output.all(address, owner.id).apply(lambda known: known[0]),
            name=workload,
            password=password.result,
            ssl_mode="verify-ca",
            certificate=instance.server_ca_certs.apply(lambda found: found[0].cert or ""),
            cidrs=address.apply(lambda known: [f"{known}/32"]),
        )

    def _instance(self, name: str, workload: str) -> gcp.sql.DatabaseInstance:
        args, asked = self._args, self._args.asked
        return gcp.sql.DatabaseInstance(
            # Without a name of its own, for a deleted one's is taken for a week.
            name,
            project=args.project.id,
            region=args.project.region,
            database_version=f"POSTGRES_{asked.version}",
            encryption_key_name=args.key,
            deletion_protection=args.protect,
            settings={
                # From PostgreSQL 16 on the default is Enterprise Plus, which has other machines and prices.
                "edition": "ENTERPRISE",
                "tier": asked.machine,
                "availability_type": "REGIONAL" if asked.multi_zone else "ZONAL",
                "disk_type": "PD_SSD",
                "disk_size": asked.storage_gib,
                "disk_autoresize": asked.max_storage_gib > asked.storage_gib,
                "disk_autoresize_limit": asked.max_storage_gib,
                "backup_configuration": self._backups(),
                "database_flags": [{"name": flag, "value": "on"} for flag in contract.CONNECTION_LOGS],
                "final_backup_config": {"enabled": args.protect, "retention_days": asked.backup_days},
                "retain_backups_on_delete": args.protect,
                "deletion_protection_enabled": args.protect,
                "ip_configuration": {
                    "ipv4_enabled": False,
                    "ssl_mode": "ENCRYPTED_ONLY",
                    "server_ca_mode": "GOOGLE_MANAGED_INTERNAL_CA",
                    "psc_configs": [
                        {"psc_enabled": True, "allowed_consumer_projects": [args.project.id]},
                    ],
                },
                "user_labels": tags.labels(args.governance, f"{args.name}-{workload}"),
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                # A disk that has grown by itself is larger than the setting, and the provider makes a smaller one by a
                # new instance (resource_sql_database_instance.go, IsDiskShrinkage).
                ignore_changes=["settings.diskSize"],
            ),
        )

    def _backups(self) -> gcp.sql.DatabaseInstanceSettingsBackupConfigurationArgsDict:
        days = self._args.asked.backup_days
        return {
            "enabled": True,
            # Google's own choice would be the multi-region asia.
            "location": self._args.project.region,
            "point_in_time_recovery_enabled": True,
            "transaction_log_retention_days": min(days, LONGEST_LOG_DAYS),
            "backup_retention_settings": {"retained_backups": days, "retention_unit": "COUNT"},
        }

    def _owner(
        self, name: str, workload: str, instance: gcp.sql.DatabaseInstance, password: pulumi.Input[str]
    ) -> gcp.sql.User:
        """The database and its user. They go with the instance: by themselves PostgreSQL keeps a user who owns what is
        in a database."""
        args = self._args
        within = pulumi.ResourceOptions(parent=self, deleted_with=instance)
        database = gcp.sql.Database(
            name,
            project=args.project.id,
            instance=instance.name,
            name=workload,
            deletion_policy="ABANDON",
            opts=within,
        )
        return gcp.sql.User(
            name,
            project=args.project.id,
            instance=instance.name,
            name=workload,
            password=password,
            deletion_policy="ABANDON",
            opts=pulumi.ResourceOptions.merge(within, pulumi.ResourceOptions(depends_on=[database])),
        )

    def _endpoint(self, name: str, workload: str, instance: gcp.sql.DatabaseInstance) -> pulumi.Output[str]:
        """The address in the nodes' subnet that leads to the instance."""
        args = self._args
        address = gcp.compute.Address(
            name,
            project=args.project.id,
            region=args.project.region,
            address_type="INTERNAL",
            subnetwork=args.network.subnetwork,
            labels=tags.labels(args.governance, f"{args.name}-{workload}"),
            opts=self._child,
        )
        gcp.compute.ForwardingRule(
            name,
            project=args.project.id,
            region=args.project.region,
            network=args.network.network,
            ip_address=address.self_link,
            # None, as a rule that leads to a service attachment balances nothing.
            load_balancing_scheme="",
            target=instance.psc_service_attachment_link,
            opts=self._child,
        )
        return address.address
