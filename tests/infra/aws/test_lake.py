"""The lake: every bucket private, under its key, logged, and kept neither too short nor for ever."""

from __future__ import annotations

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.lake import Lake, LakeArgs
from infra.contracts.governance import DATA, DataGovernance, lifecycle

LAKE_KEY = "arn:aws:kms:ap-south-1:111122223333:key/lake"
LOGS_KEY = "arn:aws:kms:ap-south-1:111122223333:key/logs"
KEPT = (*DATA, "audit")
ALL = (*KEPT, "access-logs")


@pytest.fixture(scope="module")
def build(deploy, account, personal):
    def run(governance=personal, **more):
        def program():
            keys = {
                "lake_key_arn": pulumi.Output.from_input(LAKE_KEY),
                "logs_key_arn": pulumi.Output.from_input(LOGS_KEY),
            }
            lake = Lake("lake", LakeArgs(account, governance, trail_name="unit", **keys, **more))
            return {role: vars(bucket) for role, bucket in lake.lake.buckets.items()}

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


def test_there_is_a_bucket_for_each_role(made):
    assert set(made.of("s3/bucket:Bucket")) == {f"lake-{role}" for role in ALL}
    assert tuple(made.result) == KEPT
    raw = made.result["raw"]
    assert raw["uri"] == f"s3://{raw['name']}"
    assert raw["arn_or_id"] == f"arn:aws:s3:::{raw['name']}"


@pytest.mark.parametrize("role", ALL)
def test_a_bucket_is_private_versioned_and_without_acls(made, role):
    name = f"lake-{role}"
    closed = made.one("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", name).inputs
    for lid in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
        assert closed[lid] is True
    owned = made.one("s3/bucketOwnershipControls:BucketOwnershipControls", name).inputs
    assert owned["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    versioned = made.one("s3/bucketVersioning:BucketVersioning", name).inputs
    assert versioned["versioningConfiguration"] == {"status": "Enabled"}


@pytest.mark.parametrize(
    ("role", "key"), [*((role, LAKE_KEY) for role in DATA), ("audit", LOGS_KEY), ("access-logs", None)]
)
def test_a_bucket_is_under_its_key(made, role, key):
    name = f"lake-{role}"
    (rule,) = made.one(
        "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", name
    ).inputs["rules"]
    default = rule["applyServerSideEncryptionByDefault"]
    said = made.one("s3/bucketPolicy:BucketPolicy", name).policy()
    if key is None:
        assert default == {"sseAlgorithm": "AES256"}, "S3 delivers no access logs to SSE-KMS"
        assert "OnlyThisKey" not in said
        return
    assert default == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}
    assert rule["bucketKeyEnabled"] is True
    assert said["OnlyThisKey"]["Condition"]["ArnNotEquals"] == {
        "s3:x-amz-server-side-encryption-aws-kms-key-id": key
    }


@pytest.mark.parametrize("role", ALL)
def test_plain_http_and_other_accounts_are_refused(made, account_id, role):
    policy = made.one("s3/bucketPolicy:BucketPolicy", f"lake-{role}")
    said = policy.policy()
    for refusal in ("NoPlainHttp", "NoOldTls", "NoOtherAccount"):
        assert said[refusal]["Effect"] == "Deny"
        assert said[refusal]["Principal"] == {"AWS": "*"}
        assert said[refusal]["Action"] == ["s3:*"]
        assert [resource.endswith("/*") for resource in said[refusal]["Resource"]] == [False, True]
    assert said["NoPlainHttp"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert said["NoOtherAccount"]["Condition"]["StringNotEquals"] == {"aws:PrincipalAccount": account_id}
    allowed = [grant for grant in said.values() if grant["Effect"] == "Allow"]
    assert all("Service" in grant["Principal"] and grant["Condition"] for grant in allowed)


@pytest.mark.parametrize(
    ("headers", "refused_by"),
    [
        ({}, None),
        ({"kind": "aws:kms", "key": LAKE_KEY}, None),
        ({"kind": "AES256"}, "OnlyKms"),
        ({"kind": "aws:kms:dsse", "key": LAKE_KEY}, "OnlyKms"),
        ({"kind": "aws:kms", "key": "arn:aws:kms:ap-south-1:111122223333:key/other"}, "OnlyThisKey"),
        ({"kind": "aws:kms"}, "NoDefaultKey"),
        ({"customer": "AES256"}, "NoCustomerKeys"),
    ],
)
def test_a_put_with_another_key_is_refused(made, headers, refused_by):
    names = {
        "kind": "s3:x-amz-server-side-encryption",
        "key": "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "customer": "s3:x-amz-server-side-encryption-customer-algorithm",
    }
    request = {names[header]: value for header, value in headers.items()}
    request |= {"aws:SecureTransport": "true", "aws:PrincipalIsAWSService": "false"}
    said = made.one("s3/bucketPolicy:BucketPolicy", "lake-raw").policy()
    hits = {
        sid
        for sid, refusal in said.items()
        if refusal["Action"] == ["s3:PutObject"] and _meets(refusal["Condition"], request)
    }
    assert hits == ({refused_by} if refused_by else set())


def _meets(conditions, request):
    """IAM's own reading: all operators hold, and a negated one holds for a key that is missing."""
    holds = {
        "StringEquals": lambda given, wanted: given == wanted,
        "StringNotEquals": lambda given, wanted: given != wanted,
        "ArnNotEquals": lambda given, wanted: given != wanted,
        "BoolIfExists": lambda given, wanted: given is None or given == wanted,
        "Null": lambda given, wanted: (given is None) == (wanted == "true"),
    }
    return all(
        holds[operator](request.get(key), wanted)
        for operator, tests in conditions.items()
        for key, wanted in tests.items()
    )


def test_the_trail_may_write_to_the_audit_bucket_and_nobody_else(made, account_id):
    said = made.one("s3/bucketPolicy:BucketPolicy", "lake-audit").policy()
    trail = f"arn:aws:cloudtrail:ap-south-1:{account_id}:trail/unit"
    for sid in ("TrailChecks", "TrailWrites"):
        assert said[sid]["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
        assert said[sid]["Condition"]["StringEquals"]["aws:SourceArn"] == trail
    assert said["TrailWrites"]["Resource"].endswith(f"/AWSLogs/{account_id}/*")
    # A digest comes from the service under S3's own key; refusing it would end the trail's validation.
    assert said["OnlyKms"]["Condition"]["BoolIfExists"] == {"aws:PrincipalIsAWSService": "false"}


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_audit_logs_are_locked_for_a_year(build, mode):
    made = build(lock_mode=mode)
    lock = made.one("s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    assert lock.name == "lake-audit"
    assert lock.inputs["rule"]["defaultRetention"] == {"mode": mode, "days": 365}
    locked = {
        name for name, found in made.of("s3/bucket:Bucket").items() if found.inputs["objectLockEnabled"]
    }
    assert locked == {"lake-audit"}, "S3 delivers no access logs to a bucket with Object Lock"
    assert "NoUnlocking" in made.one("s3/bucketPolicy:BucketPolicy", "lake-audit").policy()


def test_every_bucket_logs_its_accesses(made, account_id):
    target = made.one("s3/bucketPolicy:BucketPolicy", "lake-access-logs")
    logging = made.of("s3/bucketLogging:BucketLogging")
    assert set(logging) == {f"lake-{role}" for role in KEPT}, (
        "not itself: each delivery would be logged again"
    )
    for role in KEPT:
        log = logging[f"lake-{role}"]
        assert log.inputs["targetBucket"] == target.inputs["bucket"]
        assert log.inputs["targetPrefix"] == f"{role}/"
        assert target.urn in log.depends_on, "S3 tries the target's policy when logging is turned on"
    delivery = target.policy()["AccessLogDelivery"]
    assert delivery["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert delivery["Condition"]["StringEquals"] == {"aws:SourceAccount": account_id}
    assert delivery["Condition"]["ArnEquals"]["aws:SourceArn"] == [
        made.result[role]["arn_or_id"] for role in KEPT
    ]


@given(
    st.sampled_from(["raw", "curated", "features", "models", "checkpoints", "audit", "access-logs"]),
    st.sampled_from(["personal", "sensitive", "payment"]),
    st.integers(365, 3650),
)
def test_personal_data_has_a_floor_and_a_ceiling(role, data_class, days):
    kept = lifecycle(role, DataGovernance(data_class, "o", "p", days))
    assert kept.days == days
    if role == "checkpoints":
        assert kept.noncurrent_days == 7, "a run overwrites its checkpoints every hour"
    elif role in DATA:
        assert kept.noncurrent_days >= 365, "deleting does not shorten the year"


@given(st.integers(1, 3650))
def test_logs_are_kept_a_year_whatever_the_data(days):
    for role in ("audit", "access-logs"):
        assert lifecycle(role, DataGovernance("public", "o", "p", days)).days == max(days, 365)


def test_checkpoints_go_early_only_if_no_person_is_in_them(personal, internal):
    assert lifecycle("checkpoints", internal).days == 30
    assert lifecycle("checkpoints", personal).days == 730
    assert lifecycle("raw", internal).days == 90


def test_lifecycles_expire_objects_versions_and_parts(made):
    for role in ALL:
        found = made.one("s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", f"lake-{role}")
        rules = {rule["id"]: rule for rule in found.inputs["rules"]}
        assert rules["retention"]["expiration"] == {"days": 730}
        least = 7 if role == "checkpoints" else 30
        assert rules["retention"]["noncurrentVersionExpiration"]["noncurrentDays"] >= least
        assert rules["leftovers"]["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
        tags = made.one("s3/bucket:Bucket", f"lake-{role}").inputs["tags"]
        assert tags["dpdp:retention-days"] == "730"
        versioned = made.one("s3/bucketVersioning:BucketVersioning", f"lake-{role}").urn
        assert versioned in found.depends_on


def test_buckets_say_whose_data_is_in_them_and_why(made):
    for bucket in made.of("s3/bucket:Bucket").values():
        tags = bucket.inputs["tags"]
        assert tags["dpdp:data-class"] == "personal"
        assert tags["dpdp:owner"] == "ml-platform"
        assert tags["dpdp:purpose"] == "credit scoring"


@pytest.mark.parametrize("protect", [True, False])
def test_data_is_kept_or_goes_with_the_stack(build, protect):
    for bucket in build(protect=protect).of("s3/bucket:Bucket").values():
        assert bucket.protect is protect
        assert bucket.inputs["forceDestroy"] is not protect
