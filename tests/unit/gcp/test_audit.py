"""Audit: reads and writes of data are written down, kept in India for a year, and people are told."""

from __future__ import annotations

import pytest

from infra import interfaces
from infra.gcp.audit import ALERTS, Audit, AuditArgs


@pytest.fixture(scope="module")
def build(deploy, project, personal, bucket, key):
    def run(**more):
        def program():
            lake = interfaces.Lake({"audit": bucket("audit")})
            audit = Audit("audit", AuditArgs(project, personal, lake, key("logs"), "unit", **more))
            return {"bucket": audit.log_bucket, "topic": audit.topic}

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


@pytest.mark.parametrize(("asked", "kept"), [(365, 730), (1000, 1000), (3650, 3650)])
def test_logs_stay_in_the_region_under_a_key_and_long_enough(build, asked, kept):
    made = build(log_days=asked)
    bucket = made.one("projectBucketConfig:ProjectBucketConfig").inputs
    assert bucket["location"] == "asia-south1"
    assert bucket["retentionDays"] == kept
    assert bucket["cmekSettings"]["kmsKeyName"].endswith("/cryptoKeys/logs")
    sinks = {sink.inputs["destination"] for sink in made.of("projectSink:ProjectSink").values()}
    assert sinks == {
        "logging.googleapis.com/projects/unit-project/locations/asia-south1/buckets/unit-audit",
        "storage.googleapis.com/audit",
    }


def test_the_archive_is_written_by_the_logging_agent_alone(made):
    grant = made.one("BucketIAMMember").inputs
    assert grant["role"] == "roles/storage.objectCreator"
    assert grant["member"] == "serviceAccount:service-123456789012@gcp-sa-logging.iam.gserviceaccount.com"


def test_alerts_go_to_a_topic_in_the_region_and_by_mail(made):
    topic = made.one("pubsub/topic:Topic").inputs
    assert topic["messageStoragePolicy"] == {
        "allowedPersistenceRegions": ["asia-south1"],
        "enforceInTransit": True,
    }
    assert topic["kmsKeyName"].endswith("/cryptoKeys/logs")
    channels = made.of("notificationChannel:NotificationChannel")
    assert {channel.inputs["type"] for channel in channels.values()} == {"pubsub", "email"}
    policies = made.of("alertPolicy:AlertPolicy")
    assert set(policies) == {f"audit-{alert}" for alert in ALERTS}
    for policy in policies.values():
        assert len(policy.inputs["notificationChannels"]) == 2
        assert policy.inputs["alertStrategy"]["notificationRateLimit"] == {"period": "300s"}


def test_without_addresses_alerts_still_reach_the_topic(build):
    made = build()
    assert list(made.of("notificationChannel:NotificationChannel")) == ["audit-topic"]
