"""Databases on Cloud SQL: without an address on the internet, under the stack's key, with backups in the region."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from infra.contracts.database import VARIABLES
from infra.gcp.database import Databases, DatabasesArgs
from infra.settings.database import GoogleDatabase

INSTANCE = {
    "pscServiceAttachmentLink": "projects/g/regions/asia-south1/serviceAttachments/a",
    "serverCaCerts": [{"cert": "PEM", "commonName": "C=US"}],
}
OUTPUTS = {
    "gcp:sql/databaseInstance:DatabaseInstance": INSTANCE,
    "gcp:compute/address:Address": {"address": "10.64.0.9", "selfLink": "https://compute/addresses/a"},
}
NETWORK: Any = SimpleNamespace(
    network="projects/p/global/networks/n", subnetwork="projects/p/regions/r/subnetworks/s"
)


@pytest.fixture(scope="module")
def build(deploy, project, personal, key):
    def run(**more):
        def program():
            given = {"name": "unit-gcp", "workloads": ["tracking"], "asked": GoogleDatabase(), **more}
            args = DatabasesArgs(project, personal, network=NETWORK, key=key("database"), **given)
            made = Databases("databases", args).by_workload
            return {name: {**database.secret, "cidrs": database.cidrs} for name, database in made.items()}

        return deploy(program, outputs=OUTPUTS)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


def test_pods_get_what_libpq_reads_and_check_the_instances_own_authority(made):
    secret = dict(made.result["tracking"])
    certificate, cidrs = secret.pop("ca.pem"), secret.pop("cidrs")
    assert tuple(secret) == VARIABLES
    assert (secret["PGHOST"], cidrs) == ("10.64.0.9", ["10.64.0.9/32"])
    assert (secret["PGDATABASE"], secret["PGUSER"]) == ("tracking", "tracking")
    # Its certificate names no host, so that verify-full would refuse it.
    assert (secret["PGSSLMODE"], certificate) == ("verify-ca", "PEM")


def test_it_has_no_address_but_one_of_the_nodes_subnet(made):
    instance = made.one("sql/databaseInstance:DatabaseInstance").inputs
    reached = instance["settings"]["ipConfiguration"]
    assert reached["ipv4Enabled"] is False
    assert "privateNetwork" not in reached
    assert reached["sslMode"] == "ENCRYPTED_ONLY"
    assert reached["pscConfigs"] == [{"pscEnabled": True, "allowedConsumerProjects": ["unit-project"]}]
    address = made.one("compute/address:Address").inputs
    assert (address["addressType"], address["subnetwork"]) == ("INTERNAL", NETWORK.subnetwork)
    rule = made.one("compute/forwardingRule:ForwardingRule").inputs
    assert rule["target"] == INSTANCE["pscServiceAttachmentLink"]
    assert rule["network"] == NETWORK.network


def test_it_is_under_the_stacks_key_and_its_backups_stay_in_the_region(made):
    instance = made.one("sql/databaseInstance:DatabaseInstance").inputs
    assert instance["encryptionKeyName"].endswith("/cryptoKeys/database")
    settings = instance["settings"]
    assert (settings["edition"], settings["tier"]) == ("ENTERPRISE", "db-custom-1-3840")
    backups = settings["backupConfiguration"]
    assert (backups["enabled"], backups["location"]) == (True, "asia-south1")
    assert backups["pointInTimeRecoveryEnabled"] is True


@pytest.mark.parametrize(("days", "logs"), [(7, 7), (35, 7)])
def test_backups_are_kept_as_asked_and_logs_no_longer_than_the_edition_can(build, days, logs):
    settings = (
        build(asked=GoogleDatabase(backup_days=days)).one("sql/databaseInstance:DatabaseInstance").inputs
    )["settings"]
    backups = settings["backupConfiguration"]
    assert backups["backupRetentionSettings"]["retainedBackups"] == days
    assert backups["transactionLogRetentionDays"] == logs


def test_a_disk_that_grew_by_itself_makes_no_new_instance(made):
    instance = made.one("sql/databaseInstance:DatabaseInstance")
    assert instance.ignore_changes == ("settings.diskSize",)
    settings = instance.inputs["settings"]
    assert (settings["diskAutoresize"], settings["diskAutoresizeLimit"]) == (True, 100)


def test_a_name_of_a_deleted_instance_is_not_asked_for_again(made):
    assert "name" not in made.one("sql/databaseInstance:DatabaseInstance").inputs


@pytest.mark.parametrize("protect", [True, False])
def test_a_protected_one_survives_a_destroy(build, protect):
    instance = build(protect=protect).one("sql/databaseInstance:DatabaseInstance")
    assert instance.protect is protect
    assert instance.inputs["deletionProtection"] is protect
    assert instance.inputs["settings"]["deletionProtectionEnabled"] is protect
    assert instance.inputs["settings"]["retainBackupsOnDelete"] is protect


def test_the_database_and_its_user_go_with_the_instance(made):
    instance = made.one("sql/databaseInstance:DatabaseInstance")
    for one in (made.one("sql/database:Database"), made.one("sql/user:User")):
        assert one.deleted_with == instance.urn
        assert one.inputs["deletionPolicy"] == "ABANDON"
        assert one.inputs["name"] == "tracking"


def test_who_connects_and_who_changes_it_is_written_down(made):
    settings = made.one("sql/databaseInstance:DatabaseInstance").inputs["settings"]
    assert {flag["name"]: flag["value"] for flag in settings["databaseFlags"]} == {
        "log_connections": "on",
        "log_disconnections": "on",
    }
    asked = made.one("projects/iAMAuditConfig:IAMAuditConfig").inputs
    assert asked["service"] == "cloudsql.googleapis.com"
    assert {one["logType"] for one in asked["auditLogConfigs"]} == {"ADMIN_READ", "DATA_READ", "DATA_WRITE"}
