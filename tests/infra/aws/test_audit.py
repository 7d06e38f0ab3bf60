"""Audit: the trail sees the lake, GuardDuty leaves nothing behind, and people are told."""

from __future__ import annotations

import json

import pulumi
import pytest

from infra import contracts
from infra.aws.audit import ALERTS, Audit, AuditArgs
from infra.contracts.governance import DATA

KEY = "arn:aws:kms:ap-south-1:111122223333:key/logs"


def _lake() -> contracts.Lake:
    out = pulumi.Output.from_input
    return contracts.Lake(
        {
            role: contracts.Bucket(out(role), out(f"s3://{role}"), out(f"arn:aws:s3:::{role}"), out(KEY))
            for role in (*DATA, "audit")
        }
    )


@pytest.fixture(scope="module")
def build(deploy, account, personal):
    def run(**more):
        def program():
            audit = Audit("audit", AuditArgs(account, personal, _lake(), KEY, "unit", **more))
            return {"trail": audit.trail_arn, "topic": audit.topic_arn, "detector": audit.detector_id}

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


def test_the_trail_covers_all_regions_and_is_encrypted_and_validated(made):
    trail = made.one("cloudtrail/trail:Trail").inputs
    assert trail["name"] == "unit", "the bucket's and the key's policies name it"
    assert trail["s3BucketName"] == "audit"
    assert trail["kmsKeyId"] == KEY
    for on in (
        "isMultiRegionTrail",
        "enableLogFileValidation",
        "enableLogging",
        "includeGlobalServiceEvents",
    ):
        assert trail[on] is True


def test_the_trail_sees_each_object_of_the_lake_and_not_its_own_logs(made):
    selectors = made.one("cloudtrail/trail:Trail").inputs["advancedEventSelectors"]
    fields = [{field["field"]: field for field in one["fieldSelectors"]} for one in selectors]
    assert {one["eventCategory"]["equals"][0] for one in fields} == {"Management", "Data"}
    data = next(one for one in fields if one["eventCategory"]["equals"] == ["Data"])
    assert data["resources.type"]["equals"] == ["AWS::S3::Object"]
    assert data["resources.ARN"]["startsWiths"] == [f"arn:aws:s3:::{role}/" for role in DATA]
    assert "readOnly" not in data, "reads and writes"


def test_the_trail_sees_the_copy_of_the_lake_in_the_other_region(build):
    out = pulumi.Output.from_input
    copy = {
        role: contracts.Bucket(
            out(role), out(f"s3://copy-{role}"), out(f"arn:aws:s3:::copy-{role}"), out(KEY)
        )
        for role in DATA
    }
    selectors = (
        build(copy=contracts.Lake(copy)).one("cloudtrail/trail:Trail").inputs["advancedEventSelectors"]
    )
    seen = selectors[1]["fieldSelectors"][2]["startsWiths"]
    assert seen == [f"arn:aws:s3:::{name}{role}/" for name in ("", "copy-") for role in DATA]


def test_guardduty_watches_but_installs_nothing_itself(made):
    assert made.one("guardduty/detector:Detector").inputs["enable"] is True
    features = {
        found.inputs["name"]: found.inputs
        for found in made.of("guardduty/detectorFeature:DetectorFeature").values()
    }
    assert set(features) == {
        "S3_DATA_EVENTS",
        "EKS_AUDIT_LOGS",
        "EBS_MALWARE_PROTECTION",
        "RUNTIME_MONITORING",
    }
    assert all(feature["status"] == "ENABLED" for feature in features.values())
    agents = {
        one["name"]: one["status"] for one in features["RUNTIME_MONITORING"]["additionalConfigurations"]
    }
    assert agents["EKS_ADDON_MANAGEMENT"] == "DISABLED", "it would leave an endpoint behind in the VPC"
    assert made.result["detector"]


def test_guardduty_can_be_left_to_another_stack(build):
    made = build(guardduty=False)
    assert not made.of("guardduty/detector:Detector")
    assert made.result["detector"] is None
    assert set(made.of("cloudwatch/eventRule:EventRule")) == {"audit-findings", "audit-spot"}


def test_alerts_reach_an_encrypted_topic(made):
    topic = made.one("sns/topic:Topic")
    assert topic.inputs["kmsMasterKeyId"] == KEY
    policy = made.one("sns/topicPolicy:TopicPolicy")
    said = policy.policy()
    assert said["EventRules"]["Principal"] == {"Service": "events.amazonaws.com"}
    assert "Condition" not in said["EventRules"], "EventBridge's messages would be dropped"
    assert said["NoPlainHttp"]["Effect"] == "Deny"
    for target in made.of("cloudwatch/eventTarget:EventTarget").values():
        assert target.inputs["arn"] == made.result["topic"]
        assert policy.urn in target.depends_on


def test_the_rules_match_findings_from_medium_up_and_spot_notices(made):
    rules = made.of("cloudwatch/eventRule:EventRule")
    findings = json.loads(rules["audit-findings"].inputs["eventPattern"])
    assert findings["source"] == ["aws.guardduty"]
    assert findings["detail"]["severity"] == [{"numeric": [">=", 4]}]
    spot = json.loads(rules["audit-spot"].inputs["eventPattern"])
    assert spot["detail-type"] == ["EC2 Spot Instance Interruption Warning"]


@pytest.mark.parametrize("alert", ALERTS)
def test_a_mail_has_every_fact_that_its_words_need(made, alert):
    transformer = made.one("cloudwatch/eventTarget:EventTarget", f"audit-{alert}").inputs["inputTransformer"]
    words = json.loads(transformer["inputTemplate"])
    assert all(f"<{fact}>" in words for fact in transformer["inputPaths"])
    assert words.count("<") == len(transformer["inputPaths"])


def test_each_address_is_subscribed(build):
    made = build(alert_emails=["oncall@example.in", "dpo@example.in"])
    found = made.of("sns/topicSubscription:TopicSubscription")
    assert {one.inputs["endpoint"] for one in found.values()} == {"oncall@example.in", "dpo@example.in"}
    assert {one.inputs["protocol"] for one in found.values()} == {"email"}
    assert {one.inputs["topic"] for one in found.values()} == {made.result["topic"]}
