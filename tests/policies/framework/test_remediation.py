"""What a remediation fills in, through the real servicer: only what is missing, and only where somebody asks for it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY

from policies.framework.remediation import PropertyPatch, patched
from policies.framework.unknowns import leaves
from policies.pack import CONTROLS
from policies.readers import locations
from policies.runner import offline as shown
from tests.policies.harness import UNKNOWN, Shown, failures, fixtures, put, remediated, run

MENDING = {control.id: control.policy_name for control in CONTROLS if control.remediate}
EVERYTHING = dict.fromkeys(MENDING.values(), "remediate")
MUMBAI = {"region": "asia-south1"}
DELHI = "asia-south2"
SNAPSHOT, TOPIC = "gcp:compute/snapshot:Snapshot", "gcp:pubsub/topic:Topic"
SQL, KEY, GOOGLE_KEY = (
    "gcp:sql/databaseInstance:DatabaseInstance",
    "aws:kms/key:Key",
    "gcp:kms/cryptoKey:CryptoKey",
)
BLOCK, GCS = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "gcp:storage/bucket:Bucket"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LOG_BUCKET, LOG_GROUP = (
    "gcp:logging/projectBucketConfig:ProjectBucketConfig",
    "aws:cloudwatch/logGroup:LogGroup",
)
SCHEDULE, TEMPLATE = "gcp:compute/resourcePolicy:ResourcePolicy", "aws:ec2/launchTemplate:LaunchTemplate"
POD = "kubernetes:core/v1:Pod"
IN_DELHI = f"projects/p/zones/{DELHI}-a/disks/d"
OFF = {
    "blockPublicAcls": True,
    "blockPublicPolicy": True,
    "ignorePublicAcls": True,
    "restrictPublicBuckets": True,
}
ABORT = {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}}
OLD = {"status": "Enabled", "filter": {}, "noncurrentVersionExpiration": {"noncurrentDays": 30}}
TEN_DAYS = {"action": {"type": "SetStorageClass"}, "condition": {"age": 10}}
VLLM = {"name": "VLLM_NO_USAGE_STATS", "value": "1"}
HUB = {"name": "HF_HUB_DISABLE_TELEMETRY", "value": "1"}
PORT = {"name": "PORT", "value": "80"}


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"image": "nginx"}, {"image": "vllm/vllm-openai:v0.11", **container}]}}


# Control, type, what is written, and what is added where.
MENDED = [
    ("DPDP-RES-07", SNAPSHOT, {}, {("storageLocations",): ["asia-south1"]}),
    ("DPDP-RES-07", SNAPSHOT, {"zone": f"{DELHI}-a"}, {("storageLocations",): [DELHI]}),
    ("DPDP-RES-07", SNAPSHOT, {"sourceDisk": IN_DELHI}, {("storageLocations",): [DELHI]}),
    ("DPDP-RES-07", SNAPSHOT, {"sourceDisk": "d"}, {("storageLocations",): ["asia-south1"]}),
    ("DPDP-RES-07", "gcp:compute/image:Image", {"sourceDisk": IN_DELHI}, {("storageLocations",): [DELHI]}),
    ("DPDP-RES-07", "gcp:compute/machineImage:MachineImage", {}, {("storageLocations",): ["asia-south1"]}),
    ("DPDP-RES-07", SCHEDULE, {"region": DELHI, "snapshotSchedulePolicy": {}},
     {("snapshotSchedulePolicy", "snapshotProperties", "storageLocations"): DELHI}),
    ("DPDP-RES-07", SQL, {"region": DELHI, "settings": {"backupConfiguration": {"enabled": True}}},
     {("settings", "backupConfiguration", "location"): DELHI}),
    ("DPDP-RES-07", TOPIC, {}, {("messageStoragePolicy", "allowedPersistenceRegions"): ["asia-south1"],
     ("messageStoragePolicy", "enforceInTransit"): True}),
    ("DPDP-ENC-05", KEY, {}, {("enableKeyRotation",): True}),
    ("DPDP-ENC-05", KEY, {"deletionWindowInDays": 30}, {("enableKeyRotation",): True}),
    ("DPDP-ENC-05", GOOGLE_KEY, {}, {("rotationPeriod",): "7776000s"}),
    ("DPDP-ACC-01", BLOCK, {}, {(name,): True for name in OFF}),
    ("DPDP-ACC-01", BLOCK, {"blockPublicAcls": True, "blockPublicPolicy": None}, {(name,): True for name in OFF}),
    ("DPDP-ACC-01", "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock", {}, {(name,): True for name in OFF}),
    ("DPDP-ACC-01", GCS, {}, {("publicAccessPrevention",): "enforced", ("uniformBucketLevelAccess",): True}),
    ("DPDP-ACC-06", TEMPLATE, {}, {("metadataOptions", "httpTokens"): "required"}),
    ("DPDP-ACC-06", "aws:ec2/instance:Instance", {"metadataOptions": {"httpEndpoint": "enabled"}},
     {("metadataOptions", "httpTokens"): "required"}),
    ("DPDP-ACC-06", "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults", {}, {("httpTokens",): "required"}),
    ("DPDP-LOG-03", LOG_BUCKET, {"bucketId": "_Default"}, {("retentionDays",): 365}),
    ("DPDP-RET-03", LIFECYCLE, {"rules": [{"status": "Enabled", "prefix": "tmp/"}, OLD]},
     {("rules", 1, "abortIncompleteMultipartUpload"): {"daysAfterInitiation": 7}}),
    ("DPDP-RET-03", GCS, {}, {("lifecycleRules",): [ABORT]}),
    ("DPDP-RET-03", GCS, {"lifecycleRules": [TEN_DAYS]}, {("lifecycleRules", 1): ABORT}),
    ("DPDP-K8S-06", POD, pod(), {("spec", "containers", 1, "env"): [VLLM, HUB]}),
    ("DPDP-K8S-06", POD, pod(env=[PORT, VLLM]), {("spec", "containers", 1, "env", 2): HUB}),
]  # fmt: skip
# Nothing is added: a choice, somebody's word, another place, or not known.
LEFT = [
    ("DPDP-RES-07", SNAPSHOT, {"zone": "us-central1-a"}, MUMBAI),
    ("DPDP-RES-07", SNAPSHOT, {"sourceDisk": "projects/p/zones/us-central1-a/disks/d"}, MUMBAI),
    ("DPDP-RES-07", SNAPSHOT, {"zone": f"{DELHI}-a", "sourceDisk": "zones/us-central1-a/disks/d"}, MUMBAI),
    ("DPDP-RES-07", SNAPSHOT, {"zone": UNKNOWN}, MUMBAI),
    ("DPDP-RES-07", SNAPSHOT, {"sourceDisk": UNKNOWN}, MUMBAI),
    ("DPDP-RES-07", SNAPSHOT, {"storageLocations": ["us"]}, MUMBAI),
    ("DPDP-RES-07", SNAPSHOT, {}, {"region": "us-central1"}),
    ("DPDP-RES-07", SNAPSHOT, {}, {"region": UNKNOWN}),
    ("DPDP-RES-07", SNAPSHOT, {}, {}),
    ("DPDP-RES-07", SNAPSHOT, {}, None),
    ("DPDP-RES-07", SCHEDULE, {"groupPlacementPolicy": {}}, MUMBAI),
    ("DPDP-RES-07", SQL, {"settings": {"tier": "t"}}, MUMBAI),
    ("DPDP-RES-07", SQL, {"settings": {"backupConfiguration": {"enabled": False}}}, MUMBAI),
    ("DPDP-RES-07", SQL, {"settings": {"backupConfiguration": UNKNOWN}}, MUMBAI),
    ("DPDP-RES-07", TOPIC, {"messageStoragePolicy": {"allowedPersistenceRegions": ["us-east1"]}}, MUMBAI),
    ("DPDP-ENC-05", GOOGLE_KEY, {"purpose": "ASYMMETRIC_SIGN"}, MUMBAI),
    ("DPDP-ENC-05", GOOGLE_KEY, {"purpose": UNKNOWN}, MUMBAI),
    ("DPDP-ENC-05", GOOGLE_KEY, {"importOnly": True}, MUMBAI),
    ("DPDP-ENC-05", GOOGLE_KEY, {"versionTemplate": {"protectionLevel": "EXTERNAL"}}, MUMBAI),
    ("DPDP-ENC-05", KEY, {"deletionWindowInDays": 7, "keyUsage": "SIGN_VERIFY"}, None),
    ("DPDP-ENC-05", KEY, {"deletionWindowInDays": 7, "customKeyStoreId": "cks-1"}, None),
    ("DPDP-LOG-03", LOG_GROUP, {}, None),
    ("DPDP-LOG-03", LOG_GROUP, {"retentionInDays": 30}, None),
    ("DPDP-LOG-03", LOG_BUCKET, {"bucketId": "_Required"}, None),
    ("DPDP-LOG-03", LOG_BUCKET, {"bucketId": UNKNOWN}, None),
    ("DPDP-RET-03", LIFECYCLE, {"rules": [{"status": "Enabled", "filter": {"prefix": "tmp/"}}]}, None),
    ("DPDP-RET-03", LIFECYCLE, {"rules": [{"status": "Enabled", "filter": UNKNOWN}]}, None),
    ("DPDP-RET-03", GCS, {"lifecycleRules": [UNKNOWN]}, None),
    ("DPDP-K8S-06", POD, pod(env=UNKNOWN), None),
    ("DPDP-K8S-06", POD, pod(envFrom=[{"configMapRef": {"name": "c"}}]), None),
    ("DPDP-K8S-06", POD, pod(env=[{"name": "DO_NOT_TRACK", "value": "0"}]), None),
    ("DPDP-K8S-06", "kubernetes:helm.sh/v3:Release", {"values": pod()["spec"]}, None),
]


@pytest.mark.parametrize(("control", "kind", "props", "added"), MENDED)
def test_what_is_missing_is_filled_in_and_then_passes(
    control: str, kind: str, props: dict[str, Any], added: Mapping[tuple[Any, ...], Any]
) -> None:
    config = {MENDING[control]: "remediate"}
    before = of(kind, props)
    assert failures(run(before, config=config), control)
    after = remediated(before, config)
    expected = props
    for path, value in added.items():
        expected = put(expected, path, value)
    assert after == expected
    mended = of(kind, after)
    assert not [one for one in failures(run(mended, config=config), control) if "old versions" not in one]
    assert remediated(mended, config) == after


@pytest.mark.parametrize(("control", "kind", "props", "provider"), LEFT)
def test_where_there_is_a_choice_nothing_is_filled_in(
    control: str, kind: str, props: dict[str, Any], provider: dict[str, Any] | None
) -> None:
    assert remediated(Shown(kind, props, provider=provider), {MENDING[control]: "remediate"}) == props


def test_settings_bound_what_is_filled_in() -> None:
    def after(resource: Shown, control: str, **settings: int) -> dict[str, Any]:
        return remediated(resource, {MENDING[control]: {"enforcementLevel": "remediate", **settings}})

    assert after(Shown(GOOGLE_KEY, {}), "DPDP-ENC-05", gcpRotationDays=30) == {"rotationPeriod": "2592000s"}
    assert after(Shown(GOOGLE_KEY, {}), "DPDP-ENC-05", gcpRotationDays=365) == {"rotationPeriod": "7776000s"}
    bucket = {"bucketId": "b"}
    assert after(Shown(LOG_BUCKET, bucket), "DPDP-LOG-03", minimumDays=400) == {
        **bucket,
        "retentionDays": 400,
    }


def of(kind: str, props: dict[str, Any]) -> Shown:
    return Shown(kind, props, provider=MUMBAI if kind.startswith("gcp:") else None)


def cases() -> Iterator[Any]:
    """Every fixture of these controls, as it is good, bad, absent and unknown at each level of its path."""
    for control in MENDING:
        for number, row in enumerate(fixtures()[control]):
            path, props = row["path"], row.get("props", {})
            unknown = [put(props, path[:length], UNKNOWN) for length in range(1, len(path) + 1)]
            written = [put(props, path, value) for value in (*row["good"], *row["bad"])]
            for index, shape in enumerate([props, *written, *unknown]):
                yield pytest.param(row["type"], shape, id=f"{control}-{number}-{index}")


@pytest.mark.parametrize(("kind", "props"), list(cases()))
def test_nothing_that_was_there_is_changed_and_no_place_added_but_its_own(
    kind: str, props: dict[str, Any]
) -> None:
    given = copy.deepcopy(props)
    assert remediated(of(kind, props), {}) == props, "at the controls' own levels nothing is filled in"
    after = remediated(of(kind, props), EVERYTHING)
    assert props == given
    assert kept(props, after)
    before = [str(leaf.value) for leaf in leaves(props)]
    places = [text for leaf in leaves(after) if locations.looks_like_a_place(text := str(leaf.value))]
    assert {one for one in places if one not in before} <= {"asia-south1"}


def kept(before: Any, after: Any) -> bool:
    """Whether all that was there still is, and stands where it stood."""
    if before is None:
        return True
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in after and kept(value, after[key]) for key, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) <= len(after) and all(map(kept, before, after))
    return before == after and isinstance(before, bool) == isinstance(after, bool)


def test_two_policies_fill_in_one_resource() -> None:
    """The second is given what the first made of it, unknown values among it."""
    given = {"name": UNKNOWN, "encryption": {"defaultKmsKeyName": UNKNOWN}}
    changes = shown.remediate(of(GCS, given).shown, EVERYTHING).remediations
    assert [one.policyName for one in changes] == [MENDING["DPDP-ACC-01"], MENDING["DPDP-RET-03"]]
    after = remediated(of(GCS, given), EVERYTHING)
    assert after == {
        **given, "publicAccessPrevention": "enforced", "uniformBucketLevelAccess": True, "lifecycleRules": [ABORT],
    }  # fmt: skip


def test_a_secret_stays_one_and_a_secret_block_is_left() -> None:
    secret = {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": "s"}
    block = {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": {"httpEndpoint": "enabled"}}
    assert remediated(of(KEY, {"policy": secret}), EVERYTHING)["policy"] == secret
    assert remediated(of(TEMPLATE, {"userData": secret}), EVERYTHING)["userData"] == secret
    hidden = {"metadataOptions": block}
    assert remediated(of(TEMPLATE, hidden), EVERYTHING) == hidden


@pytest.mark.parametrize("kind", sorted({kind for _, kind, *_ in MENDED}))
@pytest.mark.parametrize("odd", [5, "x", [], [1, [2]], {"a": [None]}, [{}, {}]])
def test_odd_input_breaks_nothing(kind: str, odd: Any) -> None:
    names = (
        "rules",
        "lifecycleRules",
        "settings",
        "metadataOptions",
        "spec",
        "snapshotSchedulePolicy",
        "zone",
    )
    props: dict[str, Any] = dict.fromkeys(
        (*names, "messageStoragePolicy", "purpose", "bucketId", "versionTemplate"), odd
    )
    assert kept(props, remediated(of(kind, props), EVERYTHING))


TREES = st.recursive(
    st.sampled_from([None, "", 0, UNKNOWN, "us-east-1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)
PATHS = st.lists(st.sampled_from(["a", "b", 0, 1, 2]), min_size=1, max_size=4).map(tuple)


@given(st.dictionaries(st.sampled_from("ab"), TREES, max_size=2), st.lists(PATHS, max_size=3))
def test_a_fill_changes_nothing_whatever_it_says(props: dict[str, Any], paths: list[Any]) -> None:
    given = copy.deepcopy(props)
    after = patched(props, [PropertyPatch(path, "filled") for path in paths])
    assert props == given
    assert kept(props, after)
