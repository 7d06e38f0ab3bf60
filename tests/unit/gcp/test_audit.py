"""Audit: reads and writes of data are written down, kept in India for a year, and people are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import localcloud
from infra import interfaces
from infra.gcp.audit import ALERTS, Audit, AuditArgs
from localcloud.log_filters import matches

ENTRIES = json.loads((Path(localcloud.__file__).parent / "data" / "google_log_entries.json").read_text())


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
    identities = made.of("projects/serviceIdentity:ServiceIdentity")
    archive, publisher = made.one("BucketIAMMember"), made.one("TopicIAMMember")
    for grant, service in ((archive, "logging"), (publisher, "monitoring")):
        assert identities[f"audit-{service}"].inputs["service"] == f"{service}.googleapis.com"
        assert identities[f"audit-{service}"].urn in grant.depends_on
    assert archive.urn in made.one("projectSink:ProjectSink", "audit-archive").depends_on
    # The channel does not wait for the grant: the first one of a project makes the agent too.
    channel = made.one("NotificationChannel", "audit-topic")
    assert publisher.urn not in channel.depends_on
    assert channel.urn in publisher.depends_on


def test_alerts_go_to_a_topic_kept_in_the_region_and_by_mail(made):
    topic = made.one("pubsub/topic:Topic").inputs
    # Google tells nobody from where Monitoring publishes: enforced in transit, the region would refuse it.
    assert topic["messageStoragePolicy"] == {"allowedPersistenceRegions": ["asia-south1"]}
    assert topic["kmsKeyName"].endswith("/cryptoKeys/logs")
    channels = made.of("notificationChannel:NotificationChannel")
    assert {channel.inputs["type"] for channel in channels.values()} == {"pubsub", "email"}
    policies = made.of("alertPolicy:AlertPolicy")
    assert set(policies) == {f"audit-{alert}" for alert in ALERTS}
    for policy in policies.values():
        assert len(policy.inputs["notificationChannels"]) == 2
        assert policy.inputs["alertStrategy"]["notificationRateLimit"] == {"period": "300s"}


def test_an_alert_that_nobody_fetches_at_once_is_kept(made):
    kept = made.one("pubsub/subscription:Subscription")
    assert kept.inputs["topic"] == made.result["topic"]
    assert kept.inputs["messageRetentionDuration"] == f"{31 * 86_400}s"
    assert kept.inputs["expirationPolicy"] == {"ttl": ""}, "it stays, however long nobody fetches"


def test_without_addresses_alerts_still_reach_the_topic(build):
    made = build()
    assert list(made.of("notificationChannel:NotificationChannel")) == ["audit-topic"]


@pytest.mark.parametrize("what", ENTRIES)
def test_an_entry_that_google_writes_fires_its_alert_and_no_other(what):
    told = ENTRIES[what]
    fired = {name for name, alert in ALERTS.items() if matches(alert.filter, told["entry"])}
    assert fired == ({told["alert"]} if told["alert"] else set()), told["source"]


def test_every_alert_is_fired_by_some_recorded_entry():
    assert {told["alert"] for told in ENTRIES.values()} - {None} == set(ALERTS)
