"""The lake in two regions: what is replicated where, as whom, and who may use it."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws
import pytest

from infra import contracts
from infra.aws.access import Access, AccessArgs
from infra.aws.iam import Account
from infra.aws.keys import Keys, KeysArgs
from infra.aws.lake import Lake, LakeArgs
from infra.aws.replica import Replica, ReplicaArgs
from infra.contracts.governance import DATA
from tests.workloads.registered import NEEDS


@pytest.fixture(scope="module")
def recorded(deploy, account, personal):
    def program():
        keys = Keys("keys", KeysArgs(account, personal, "stack", "trail"))
        lake = Lake("lake", LakeArgs(account, personal, keys.lake, keys.logs, "trail"))
        there = Account(account.id, "ap-south-2")
        provider = aws.Provider("hyderabad", region="ap-south-2")
        replica = Replica(
            "replica", ReplicaArgs(account, there, personal, lake, keys.lake, "stack", provider)
        )
        access = AccessArgs(
            account,
            lake.lake,
            lake.access_logs,
            "stack",
            replica=replica.lake,
            replica_region="ap-south-2",
            workloads=NEEDS,
        )
        Access("access", access)
        return pulumi.Output.all(*(replica.lake[role].name for role in DATA))

    return deploy(program)


CONFIG = "s3/bucketReplicationConfig:BucketReplicationConfig"


def test_every_data_bucket_is_replicated_both_ways(recorded):
    configs = recorded.of(CONFIG)
    assert set(configs) == {f"replica-{role}-{side}" for role in DATA for side in ("out", "back")}
    for role in DATA:
        out, back = (configs[f"replica-{role}-{side}"].inputs for side in ("out", "back"))
        assert out["rules"][0]["destination"]["bucket"].endswith(back["bucket"])
        assert back["rules"][0]["destination"]["bucket"].endswith(out["bucket"])


def test_what_is_under_a_customer_key_is_replicated_under_that_of_the_other_side(recorded):
    keys = set(recorded.of("kms/key:Key"))
    assert keys == {"keys-lake", "keys-cluster", "keys-logs", "replica-keys-lake"}
    configs = recorded.of(CONFIG)
    used = {
        side: {
            config.inputs["rules"][0]["destination"]["encryptionConfiguration"]["replicaKmsKeyId"]
            for name, config in configs.items()
            if name.endswith(side)
        }
        for side in ("out", "back")
    }
    assert all(len(found) == 1 for found in used.values())
    assert used["out"] != used["back"]
    for config in configs.values():
        criteria = config.inputs["rules"][0]["sourceSelectionCriteria"]
        assert criteria["sseKmsEncryptedObjects"] == {"status": "Enabled"}
        assert criteria["replicaModifications"] == {"status": "Enabled"}


def test_each_side_is_configured_in_its_own_region(recorded):
    hyderabad = recorded.one("pulumi:providers:aws", "hyderabad").urn
    for name, config in recorded.of(CONFIG).items():
        assert config.provider.startswith(hyderabad) == name.endswith("back")
    buckets = recorded.of("s3/bucket:Bucket")
    assert {name for name, b in buckets.items() if b.provider.startswith(hyderabad)} == {
        f"replica-{role}" for role in DATA
    }


def test_it_waits_for_versioning_on_both_sides(recorded):
    versioning = {
        name: found.urn for name, found in recorded.of("s3/bucketVersioning:BucketVersioning").items()
    }
    for role in DATA:
        for side in ("out", "back"):
            needs = recorded.one(CONFIG, f"replica-{role}-{side}").depends_on
            assert {versioning[f"lake-{role}"], versioning[f"replica-{role}"]} <= needs


def test_s3_replicates_through_its_own_service_only(recorded):
    said = recorded.one("iam/rolePolicy:RolePolicy", "replica-replication").policy()
    assert said["KeyHome"]["Condition"]["StringEquals"]["kms:ViaService"] == "s3.ap-south-1.amazonaws.com"
    assert said["KeyReplica"]["Condition"]["StringEquals"]["kms:ViaService"] == "s3.ap-south-2.amazonaws.com"
    assert len(said["Read"]["Resource"]) == 2 * len(DATA)


def test_rights_are_the_same_in_both_places_within_iams_limit(recorded):
    for name, policy in recorded.of("iam/rolePolicy:RolePolicy").items():
        if name.startswith("access-"):
            assert len(policy.inputs["policy"].replace(" ", "")) < 10_240, "IAM takes no more in a role"
    said = recorded.one("iam/rolePolicy:RolePolicy", "access-serving").policy()
    (read,) = [statement for sid, statement in said.items() if sid.startswith("Read")]
    assert len(read["Resource"]) == 2
    (key,) = [statement for sid, statement in said.items() if sid.startswith("Key")]
    assert key["Condition"]["StringEquals"]["kms:ViaService"] == [
        "s3.ap-south-1.amazonaws.com",
        "s3.ap-south-2.amazonaws.com",
    ]
    assert json.dumps(said)


def test_logs_stay_at_home(recorded):
    assert not [name for name in recorded.of("s3/bucket:Bucket") if name.startswith("replica-a")]
    assert isinstance(recorded.result, list)
    assert contracts.Lake
