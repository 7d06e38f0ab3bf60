"""Alertmanager's role: it may publish to the stack's topic under its key, and do nothing else."""

from __future__ import annotations

import pulumi_aws as aws
import pytest

from infra.aws.alertmanager import Alertmanager, AlertmanagerArgs
from infra.aws.keys import Keys, KeysArgs
from localcloud.alert_delivery import Topic, lacks_for_role
from localcloud.permissions.iam_policies import statements

NAME = "india-ai-infra-unit"
TOPIC = "arn:aws:sns:ap-south-1:111122223333:alerts"


@pytest.fixture(scope="module")
def made(deploy, account, internal):
    def program():
        keys = Keys("keys", KeysArgs(account, internal, NAME, trail_name=NAME))
        cluster = aws.eks.Cluster(
            "cluster", role_arn="arn:aws:iam::111122223333:role/eks", vpc_config={"subnet_ids": []}
        )
        sender = Alertmanager("alertmanager", AlertmanagerArgs(account, cluster, NAME, TOPIC, keys.logs))
        return {"receivers": sender.receivers, "key": keys.logs}

    return deploy(program)


def test_it_sends_to_the_topic_in_the_topics_region(made):
    (topic,) = made.result["receivers"]["sns_configs"]
    assert topic == {"topic_arn": TOPIC, "sigv4": {"region": "ap-south-1"}}


def test_its_pods_take_the_role(made):
    association = made.one("eks/podIdentityAssociation:PodIdentityAssociation").inputs
    assert (association["namespace"], association["serviceAccount"]) == ("monitoring", "alertmanager")
    trust = made.one("iam/role:Role").policy("assumeRolePolicy")["Assume"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}


def test_its_role_and_the_topics_key_let_it_publish_together(made):
    role = statements(made.one("iam/rolePolicy:RolePolicy").inputs["policy"])
    key = statements(made.one("kms/key:Key", "keys-logs").inputs["policy"])
    topic = Topic(TOPIC, [], key, made.result["key"], ["email:oncall@example.in"])
    assert lacks_for_role(topic, role) == ""
    lacks = f"kms:Decrypt on {made.result['key']}: no statement of the"
    assert lacks_for_role(topic, role[:1]).startswith(f"{lacks} policy of its role allows it")
    without = [one for one in key if one["Sid"] != "AlertsThroughSns"]
    refused = lacks_for_role(Topic(TOPIC, [], without, made.result["key"], []), role)
    assert refused.startswith(f"{lacks} key policy allows it"), "IAM alone gives no use of a customer key"


def test_it_may_do_nothing_else(made):
    said = made.one("iam/rolePolicy:RolePolicy").policy()
    assert {name: one["Action"] for name, one in said.items()} == {
        "SendAlerts": ["sns:Publish"],
        "UnderTheTopicsKey": ["kms:Decrypt", "kms:GenerateDataKey*"],
    }
    assert said["SendAlerts"]["Resource"] == TOPIC
