"""The lake: every bucket private, under its key, logged, and kept neither too short nor for ever."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.contracts.governance import DATA, DataGovernance
from infra.gcp import tags
from infra.gcp.lake import Lake, LakeArgs

KEPT = (*DATA, "audit")
DAY = 86_400


@pytest.fixture(scope="module")
def build(deploy, project, personal, key):
    def run(governance=personal, **more):
        def program():
            lake = Lake("lake", LakeArgs(project, governance, key("lake"), key("logs"), **more))
            return {role: vars(bucket) for role, bucket in lake.lake.buckets.items()}

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


def bucket(made, role):
    return made.one("storage/bucket:Bucket", f"lake-{role}").inputs


def test_there_is_a_bucket_for_each_role(made):
    assert set(made.of("storage/bucket:Bucket")) == {f"lake-{role}" for role in KEPT}
    assert tuple(made.result) == KEPT
    assert made.result["raw"]["uri"] == f"gs://{made.result['raw']['name']}"


@pytest.mark.parametrize("role", KEPT)
def test_a_bucket_is_private_and_in_the_region(made, role):
    given = bucket(made, role)
    assert given["uniformBucketLevelAccess"] is True
    assert given["publicAccessPrevention"] == "enforced"
    assert given["location"] == "ASIA-SOUTH1"
    assert "customPlacementConfig" not in given


@pytest.mark.parametrize(("role", "use"), [*((role, "lake") for role in DATA), ("audit", "logs")])
def test_a_bucket_is_under_its_key(made, role, use):
    assert bucket(made, role)["encryption"]["defaultKmsKeyName"].endswith(f"/cryptoKeys/{use}")


def test_data_has_versions_and_logs_can_not_be_altered(made):
    for role in DATA:
        assert bucket(made, role)["versioning"] == {"enabled": True}
        assert "retentionPolicy" not in bucket(made, role)
    kept = bucket(made, "audit")["retentionPolicy"]
    assert int(kept["retentionPeriod"]) == 365 * DAY
    assert kept["isLocked"] is False


def test_objects_versions_and_parts_expire(made, build, internal):
    rules = {
        (rule["action"]["type"], rule["condition"].get("withState")): rule["condition"]
        for rule in bucket(made, "raw")["lifecycleRules"]
    }
    assert rules[("Delete", "LIVE")]["age"] == 730
    assert rules[("Delete", "ARCHIVED")]["daysSinceNoncurrentTime"] == 365, "the floor of personal data"
    assert rules[("AbortIncompleteMultipartUpload", None)]["age"] == 7
    checkpoints = bucket(build(internal), "checkpoints")["lifecycleRules"]
    assert checkpoints[0]["condition"]["age"] == 30


def test_a_version_that_was_deleted_can_be_had_back(made):
    # Whoever may delete an object may delete its versions, unlike on S3.
    for role in KEPT:
        seconds = bucket(made, role)["softDeletePolicy"]["retentionDurationSeconds"]
        least = 7 if role == "checkpoints" else 30  # a run overwrites its checkpoints every hour
        assert least * DAY <= seconds <= 90 * DAY


def test_no_bucket_waits_for_a_grant_to_another_organisation(made):
    # iam.allowedPolicyMemberDomains is on by default: the writer of usage logs is a group of google.com.
    assert not made.of("BucketIAMMember")
    assert not any("logging" in found.inputs for found in made.of("storage/bucket:Bucket").values())


@pytest.mark.parametrize("protect", [True, False])
def test_data_is_kept_or_goes_with_the_stack(build, protect):
    for found in build(protect=protect).of("storage/bucket:Bucket").values():
        assert found.protect is protect
        assert found.inputs["forceDestroy"] is not protect
        assert protect or "retentionPolicy" not in found.inputs, "nothing could go that is held"


def test_two_regions_are_both_in_india_and_logs_stay(build):
    made = build(dual_region=True)
    for role in DATA:
        assert bucket(made, role)["location"] == "IN"
        assert bucket(made, role)["customPlacementConfig"] == {
            "dataLocations": ["ASIA-SOUTH1", "ASIA-SOUTH2"]
        }
    assert bucket(made, "audit")["location"] == "ASIA-SOUTH1"


@given(st.text(max_size=80), st.text(max_size=80), st.integers(1, 3650))
def test_whatever_a_tag_says_is_a_label_that_google_takes(owner, purpose, days):
    labels = tags.labels(DataGovernance("personal", owner, purpose, days), "lake-raw")
    assert labels["dpdp-data-class"] == "personal"
    for key, value in labels.items():
        assert re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", key)
        assert re.fullmatch(r"[a-z0-9_-]{0,63}", value)
