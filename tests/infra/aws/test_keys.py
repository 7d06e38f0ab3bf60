"""The keys: who may use each, and that none leaves its region or goes by mistake."""

from __future__ import annotations

import pytest

from infra.aws.keys import ADMINISTRATION, Keys, KeysArgs


@pytest.fixture(scope="module")
def made(deploy, account, personal):
    def program():
        keys = Keys(
            "keys", KeysArgs(account, personal, "india-ai-infra-unit", "unit", audit_bucket="lake-audit-*")
        )
        return {"lake": keys.lake, "cluster": keys.cluster, "logs": keys.logs}

    return deploy(program)


def test_keys_rotate_stay_in_the_region_and_go_slowly(made):
    keys = made.of("kms/key:Key")
    assert set(keys) == {"keys-lake", "keys-cluster", "keys-logs"}
    for key in keys.values():
        assert key.inputs["enableKeyRotation"] is True
        assert key.inputs["multiRegion"] is False
        assert key.inputs["deletionWindowInDays"] == 30
        assert key.inputs["tags"]["dpdp:data-class"] == "personal"
        assert key.protect


def test_each_key_has_an_alias(made):
    names = {alias.inputs["name"] for alias in made.of("kms/alias:Alias").values()}
    assert names == {f"alias/india-ai-infra-unit-{use}" for use in ("lake", "cluster", "logs")}


def test_administrators_manage_keys_but_do_not_use_them(made, account_id):
    for key in made.of("kms/key:Key").values():
        admin = key.policy()["AdministrationThroughIam"]
        assert admin["Principal"] == {"AWS": f"arn:aws:iam::{account_id}:root"}
        assert not {"kms:*", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*"} & set(admin["Action"])
        assert "kms:PutKeyPolicy" in admin["Action"] or "kms:Put*" in ADMINISTRATION


def test_the_lake_is_used_through_s3_alone(made, account_id):
    said = made.one("kms/key:Key", "keys-lake").policy()
    assert set(said) == {"AdministrationThroughIam", "LakeRolesThroughS3"}
    assert said["LakeRolesThroughS3"]["Condition"]["StringEquals"] == {
        "kms:ViaService": "s3.ap-south-1.amazonaws.com",
        "kms:CallerAccount": account_id,
    }


def test_services_use_the_logs_key_for_this_account_only(made, account_id):
    said = made.one("kms/key:Key", "keys-logs").policy()
    assert said["CloudWatchLogs"]["Principal"] == {"Service": "logs.ap-south-1.amazonaws.com"}
    assert said["CloudWatchLogs"]["Condition"]["ArnLike"] == {
        "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:ap-south-1:{account_id}:log-group:*"
    }
    assert said["CloudTrail"]["Condition"]["StringEquals"] == {
        "aws:SourceArn": f"arn:aws:cloudtrail:ap-south-1:{account_id}:trail/unit"
    }
    for service in ("CloudWatchLogs", "CloudTrail", "AlertsThroughEventBridge"):
        assert said[service]["Condition"], service


def test_evidence_may_be_put_under_the_logs_key_in_the_audit_bucket_alone(made, account_id):
    statements = made.one("kms/key:Key", "keys-logs").policy()
    assert statements["EvidenceThroughS3"] == {
        "Sid": "EvidenceThroughS3",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
        "Action": ["kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:ViaService": "s3.ap-south-1.amazonaws.com",
                "kms:CallerAccount": account_id,
            },
            "StringLike": {
                "kms:EncryptionContext:aws:s3:arn": [
                    "arn:aws:s3:::lake-audit-*",
                    "arn:aws:s3:::lake-audit-*/*",
                ]
            },
        },
    }
    assert statements["AuditorsThroughS3"]["Action"] == ["kms:Decrypt", "kms:DescribeKey"]


def test_a_wildcard_principal_is_bound_to_the_account(made, account_id):
    for key in made.of("kms/key:Key").values():
        for said in key.policy().values():
            if said["Principal"] in ("*", {"AWS": "*"}):
                assert said["Condition"]["StringEquals"]["kms:CallerAccount"] == account_id
                assert "kms:ViaService" in said["Condition"]["StringEquals"]


def test_keys_that_hold_nothing_dear_can_go(deploy, account, personal):
    made = deploy(lambda: Keys("keys", KeysArgs(account, personal, "a", "t", protect=False)) and None)
    assert not any(key.protect for key in made.of("kms/key:Key").values())
