"""What only the whole stack can show: what belongs to a bucket, and where an unknown value comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.policies.harness import UNKNOWN, UNRESOLVED, Shown, failures, unresolved
from tests.policies.harness import run as run_all

KEY = Shown("aws:kms/key:Key", {"multiRegion": False}, "key")
BUCKET = Shown("aws:s3/bucket:Bucket", {"bucket": "lake", "tags": {"dpdp:data-class": "personal"}}, "bucket")
JUDGED = ("DPDP-RES-", "DPDP-ENC-01]", "DPDP-ACC-01]", "DPDP-GOV-01]")
ALL_ON: dict[str, Any] = dict.fromkeys(
    ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
)
PUBLIC = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})


def run(*resources: Shown) -> list[Any]:
    """What the controls of this file say; a bucket that pleases them may displease others."""
    return [one for one in run_all(*resources) if any(f"[{control}" in one.message for control in JUDGED)]


def block(bucket: Any, sources: dict[str, list[str]] | None = None, **switches: Any) -> Shown:
    return Shown(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {"bucket": bucket} | ALL_ON | switches,
        "block",
        sources=sources or {},
    )


def encryption(bucket: Any, key: Any = "k", sources: dict[str, list[str]] | None = None) -> Shown:
    default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}
    return Shown(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        {
            "bucket": bucket,
            "rules": [{"applyServerSideEncryptionByDefault": default, "bucketKeyEnabled": True}],
        },
        "encryption",
        sources=sources or {},
    )


def policy(document: Any, bucket: Any = "lake") -> Shown:
    return Shown("aws:s3/bucketPolicy:BucketPolicy", {"bucket": bucket, "policy": document}, "policy")


FROM_BUCKET = {"bucket": [BUCKET.urn]}


@pytest.mark.parametrize(("bucket", "sources"), [("lake", {}), (UNKNOWN, FROM_BUCKET), ("lake", FROM_BUCKET)])
def test_a_bucket_is_joined_by_name_or_by_dependency(bucket: Any, sources: dict[str, list[str]]) -> None:
    diagnostics = run(BUCKET, block(bucket, sources), encryption(bucket, "k", sources))
    assert not diagnostics


def test_a_bucket_alone_lacks_both() -> None:
    diagnostics = run(BUCKET)
    assert [one.urn for one in diagnostics] == [BUCKET.urn, BUCKET.urn]
    assert failures(diagnostics, "DPDP-ENC-01")
    assert failures(diagnostics, "DPDP-ACC-01")


@pytest.mark.parametrize("bucket", ["another", UNKNOWN, None, 7, ["lake"]])
def test_what_belongs_to_another_bucket_does_not_count(bucket: Any) -> None:
    diagnostics = run(BUCKET, block(bucket), encryption(bucket))
    assert failures(diagnostics, "DPDP-ENC-01")
    assert failures(diagnostics, "DPDP-ACC-01")


def test_two_buckets_without_names_are_not_joined_to_everything() -> None:
    nameless = Shown(BUCKET.type, {"tags": BUCKET.props["tags"]}, "nameless")
    diagnostics = run(nameless, block(None), encryption(None))
    assert failures(diagnostics, "DPDP-ACC-01")
    assert failures(diagnostics, "DPDP-ENC-01")


def test_encryption_written_inside_the_bucket_counts_only_with_kms() -> None:
    def inline(algorithm: str) -> Shown:
        rule = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": algorithm}}
        return Shown(
            BUCKET.type, BUCKET.props | {"serverSideEncryptionConfiguration": {"rule": rule}}, "bucket"
        )

    assert not failures(run(inline("aws:kms")), "DPDP-ENC-01")
    assert failures(run(inline("AES256")), "DPDP-ENC-01")


def _under_s3s_own_key(sources: dict[str, list[str]] | None = None, bucket: Any = "lake") -> Shown:
    rules = [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]
    return Shown(
        encryption("lake").type, {"bucket": bucket, "rules": rules}, "encryption", sources=sources or {}
    )


def _logging(target: Any, sources: dict[str, list[str]] | None = None) -> Shown:
    return Shown(
        "aws:s3/bucketLogging:BucketLogging",
        {"bucket": "data", "targetBucket": target, "targetPrefix": "data/"},
        "logging",
        sources=sources or {},
    )


def test_s3s_own_key_will_do_only_where_access_logs_are_delivered() -> None:
    plain = _under_s3s_own_key()
    assert failures(run(BUCKET, block("lake"), plain), "DPDP-ENC-01")
    assert failures(run(BUCKET, block("lake"), plain, _logging("another")), "DPDP-ENC-01")
    assert not failures(run(BUCKET, block("lake"), plain, _logging("lake")), "DPDP-ENC-01")


def test_a_receiver_of_access_logs_is_known_by_what_its_name_comes_from() -> None:
    through_policy = Shown(
        "aws:s3/bucketPolicy:BucketPolicy", {"bucket": UNKNOWN}, "policy", sources=FROM_BUCKET
    )
    logs = _logging(UNKNOWN, {"targetBucket": [through_policy.urn]})
    unknown = _under_s3s_own_key(FROM_BUCKET, UNKNOWN)
    found = run(BUCKET, block("lake"), unknown, through_policy, logs)
    assert not failures(found, "DPDP-ENC-01")
    assert failures(run(BUCKET, block("lake"), unknown, through_policy), "DPDP-ENC-01")


def test_a_block_of_the_account_covers_every_bucket() -> None:
    account = Shown("aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock", dict(ALL_ON), "account")
    assert not failures(run(BUCKET, account), "DPDP-ACC-01")


def test_an_unknown_key_is_settled_by_a_key_of_the_stack() -> None:
    configuration = encryption("lake", UNKNOWN, {"rules": [KEY.urn]})
    diagnostics = run(KEY, BUCKET, block("lake"), configuration)
    assert not diagnostics


@pytest.mark.parametrize(
    "source",
    [
        Shown("aws:ssm/parameter:Parameter", {}, "parameter"),
        Shown("pulumi:pulumi:StackReference", {}, "network"),
        Shown("random:index/randomString:RandomString", {}, "random"),
    ],
)
def test_an_unknown_key_from_anywhere_else_stays_unresolved(source: Shown) -> None:
    for sources in ([source.urn], [KEY.urn, source.urn], []):
        diagnostics = run(KEY, source, BUCKET, block("lake"), encryption("lake", UNKNOWN, {"rules": sources}))
        for control in ("DPDP-ENC-01", "DPDP-RES-08"):
            assert unresolved(diagnostics, control)
        assert {one.policyName for one in diagnostics} == {UNRESOLVED}


def test_an_unknown_bucket_policy_is_settled_by_the_block_and_by_nothing_less() -> None:
    complete = run(BUCKET, block("lake"), encryption("lake"), policy(UNKNOWN))
    assert not unresolved(complete, "DPDP-ACC-01")
    for weaker in (
        block("lake", blockPublicPolicy=False),
        block("lake", restrictPublicBuckets=UNKNOWN),
        block("other"),
    ):
        assert unresolved(run(BUCKET, weaker, encryption("lake"), policy(UNKNOWN)), "DPDP-ACC-01")


def test_a_known_public_policy_fails_with_the_block_too() -> None:
    assert failures(run(BUCKET, block("lake"), encryption("lake"), policy(PUBLIC)), "DPDP-ACC-01")


def test_the_second_look_at_a_resource_replaces_the_first() -> None:
    """A preview and the update that follows may share one process: what was unknown then is known now."""
    from policies.framework.run_state import RunState
    from policies.framework.unknowns import Unknown

    run_state = RunState()
    run_state.set_unknowns("DPDP-RES-01", "urn", [Unknown(("region",))])
    run_state.set_unknowns("DPDP-RES-01", "urn", [])
    assert run_state.unknowns("DPDP-RES-01") == []
