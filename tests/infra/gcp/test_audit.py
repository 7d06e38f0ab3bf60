"""Audit: reads and writes of data are written down, kept in India for a year, and people are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import commands.alarm
from infra import contracts
from infra.gcp.audit import ALERTS, Audit, AuditArgs
from localcloud.log_filters import matches

ENTRIES = json.loads((Path(commands.alarm.__file__).parent / "data" / "google_log_entries.json").read_text())


@pytest.fixture(scope="module")
def build(deploy, project, personal, bucket, key):
    def run(**more):
        def program():
            lake = contracts.Lake({"audit": bucket("audit")})
            audit = Audit("audit", AuditArgs(project, personal, lake, key("logs"), "unit", **more))
            return {"bucket": audit.log_bucket}

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build(alert_emails=["soc@example.in"])


def test_reads_and_writes_of_data_are_written_down(made):
    audited = {found.inputs["service"]: found.inputs for found in made.of("IAMAuditConfig").values()}
    assert set(audited) == {"storage.googleapis.com", "cloudkms.googleapis.com", "container.googleapis.com"}
    for config in audited.values():
        assert {log["logType"] for log in config["auditLogConfigs"]} == {
            "ADMIN_READ",
            "DATA_READ",
            "DATA_WRITE",
        }
        assert not any("exemptedMembers" in log for log in config["auditLogConfigs"])


LOG_BUCKET = "projects/unit-project/locations/asia-south1/buckets/unit-audit-a1b2c3"


@pytest.mark.parametrize(("asked", "kept"), [(365, 730), (1000, 1000), (3650, 3650)])
def test_logs_stay_in_the_region_under_a_key_and_long_enough(build, asked, kept):
    made = build(log_days=asked)
    bucket = made.one("projectBucketConfig:ProjectBucketConfig").inputs
    assert bucket["location"] == "asia-south1"
    assert bucket["retentionDays"] == kept
    assert bucket["cmekSettings"]["kmsKeyName"].endswith("/cryptoKeys/logs")
    assert made.result["bucket"] == LOG_BUCKET


def test_every_log_goes_to_the_region_once_and_none_to_global(made):
    sinks = {sink.name: sink.inputs for sink in made.of("projectSink:ProjectSink").values()}
    assert {name: sink["destination"] for name, sink in sinks.items()} == {
        "audit": f"logging.googleapis.com/{LOG_BUCKET}",
        "audit-archive": "storage.googleapis.com/audit",
    }
    assert sinks["audit"]["name"] == "_Default"
    for told in ENTRIES.values():
        assert matches(sinks["audit"]["filter"], told["entry"])


def test_a_second_stack_of_a_project_leaves_its_default_sink_alone(build):
    sinks = build(default_sink=False).of("projectSink:ProjectSink")
    assert not any("name" in sink.inputs for sink in sinks.values())
    kept = {name for name, told in ENTRIES.items() if matches(sinks["audit"].inputs["filter"], told["entry"])}
    assert kept == set(ENTRIES) - {"a container says something"}


def test_a_deleted_log_bucket_does_not_hold_the_name_of_the_next(made):
    end = made.one("randomId:RandomId")
    assert end.urn in made.one("projectBucketConfig:ProjectBucketConfig").depends_on
    assert end.inputs["keepers"] == {"region": "asia-south1"}


def test_the_archive_is_written_by_the_logging_agent_alone(made):
    grant = made.one("BucketIAMMember").inputs
    assert grant["role"] == "roles/storage.objectCreator"
    assert grant["member"] == "serviceAccount:service-123456789012@gcp-sa-logging.iam.gserviceaccount.com"


def test_an_agent_is_made_before_its_grant_and_what_acts_as_it_comes_after(made):
    agent, grant = made.one("ServiceIdentity"), made.one("BucketIAMMember")
    assert agent.inputs["service"] == "logging.googleapis.com"
    assert agent.urn in grant.depends_on
    assert grant.urn in made.one("projectSink:ProjectSink", "audit-archive").depends_on


def test_alerts_are_mailed(made):
    (mail,) = made.of("notificationChannel:NotificationChannel").values()
    assert mail.inputs["type"] == "email"
    assert mail.inputs["labels"] == {"email_address": "soc@example.in"}
    policies = made.of("alertPolicy:AlertPolicy")
    assert set(policies) == {f"audit-{alert}" for alert in ALERTS}
    for policy in policies.values():
        assert mail.urn in policy.depends_on
        assert len(policy.inputs["notificationChannels"]) == 1
        assert policy.inputs["alertStrategy"]["notificationRateLimit"] == {"period": "300s"}


def test_nothing_is_published_where_nobody_listens(made):
    # What is published to a topic without a subscription is dropped.
    assert bool(made.of("pubsub/topic:Topic")) is bool(made.of("pubsub/subscription:Subscription"))


def test_without_addresses_alerts_are_incidents_only(build):
    made = build()
    assert not made.of("notificationChannel:NotificationChannel")
    assert all(
        policy.inputs["notificationChannels"] == [] for policy in made.of("alertPolicy:AlertPolicy").values()
    )
    assert set(made.of("alertPolicy:AlertPolicy")) == {f"audit-{alert}" for alert in ALERTS}


@pytest.mark.parametrize("what", ENTRIES)
def test_an_entry_that_google_writes_fires_its_alert_and_no_other(what):
    told = ENTRIES[what]
    fired = {name for name, alert in ALERTS.items() if matches(alert.filter, told["entry"])}
    assert fired == ({told["alert"]} if told["alert"] else set()), told["source"]


def test_every_alert_is_fired_by_some_recorded_entry():
    assert {told["alert"] for told in ENTRIES.values()} - {None} == set(ALERTS)


def test_a_finding_of_another_cluster_is_told_by_its_own_stack(made):
    policies = made.of("alertPolicy:AlertPolicy")
    filters = {
        name: policy.inputs["conditions"][0]["conditionMatchedLog"]["filter"]
        for name, policy in policies.items()
    }
    recorded = json.dumps(ENTRIES["a pod is found to be dangerous"]["entry"])

    def of(cluster, location):
        return json.loads(recorded.replace("CLUSTER", cluster).replace("LOCATION", location))

    found = filters["audit-findings"]
    assert matches(found, of("unit", "asia-south1"))
    assert not matches(found, of("unit-2", "asia-south1"))
    assert not matches(found, of("unit", "asia-south2"))
    assert all(
        filters[f"audit-{name}"] == alert.filter for name, alert in ALERTS.items() if name != "findings"
    )
