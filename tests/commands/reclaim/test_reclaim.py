"""The parts of `make reclaim` that need no cluster: the notice, the choice of a node, what a job loses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from commands.reclaim import command as reclaim
from commands.reclaim import interruption
from commands.reclaim.interruption import NoticeLostError, Pod, SpotNode, Timeline
from commands.stacks import settings_of
from infra.settings.stack import Settings

pytestmark = pytest.mark.slow

REGION, QUEUE = "ap-south-1", "india-ai-infra-dev"
NODE = SpotNode("kwok-train-1", "train", "g6e.12xlarge", "ap-south-1a", "i-0abc", "", "train-x", {}, [])
GUARDED = Pod("u1", "training", "llama-0", "Job/training/llama", NODE.name, 4, 110, True, False, True, "")


def client(service: str) -> Any:
    keys = {"aws_access_key_id": "unit", "aws_secret_access_key": "unit"}
    return boto3.client(service, region_name=REGION, **keys)


@pytest.fixture
def queue() -> Iterator[str]:
    with mock_aws():
        yield client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]


@pytest.fixture
def rule(queue: str) -> None:
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    pattern = {"source": ["aws.ec2"], "detail-type": [interruption.DETAIL_TYPE]}
    client("events").put_rule(Name=f"{QUEUE}-spot", EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule=f"{QUEUE}-spot", Targets=[{"Id": "karpenter", "Arn": arn}])


@pytest.fixture(scope="module")
def settings() -> Settings:
    return settings_of("dev")


def test_the_notice_is_ec2s():
    said = interruption.entry(NODE, REGION)
    assert (said["Source"], said["DetailType"]) == ("aws.ec2", "EC2 Spot Instance Interruption Warning")
    assert said["Resources"] == ["arn:aws:ec2:ap-south-1a:instance/i-0abc"]
    assert json.loads(said["Detail"]) == {"instance-id": "i-0abc", "instance-action": "terminate"}


def test_the_notice_comes_through_the_rule_and_older_ones_are_passed_over(queue: str, rule: None):
    client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps({"id": "of an earlier reclaim"}))
    assert interruption.give_notice(NODE, REGION, QUEUE, client)
    left = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=left)["Attributes"]
    assert set(counts.values()) == {"0"}  # all were read to their end, as Karpenter does


def test_without_the_rule_the_notice_is_lost(queue: str):
    with pytest.raises(NoticeLostError, match=f"its rule {QUEUE}-spot, or the target, is missing"):
        interruption.give_notice(NODE, REGION, QUEUE, client)


def test_where_moto_cannot_deliver_the_rule_is_asked_for(queue: str, rule: None):
    notice = interruption.entry(NODE, REGION)
    event = interruption._delivered(notice, QUEUE, queue, client("sqs"), client("events"))
    (message,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(message["Body"])
    assert (body["id"], body["detail-type"]) == (event, interruption.DETAIL_TYPE)
    assert body["detail"]["instance-id"] == "i-0abc"


def test_where_moto_cannot_deliver_a_missing_rule_is_told(queue: str):
    with pytest.raises(NoticeLostError, match="no rule sends the notice to the queue"):
        interruption._delivered(
            interruption.entry(NODE, REGION), QUEUE, queue, client("sqs"), client("events")
        )


def test_without_the_queue_it_is_named(queue: str):
    with pytest.raises(NoticeLostError, match="there is no interruption queue other"):
        interruption.give_notice(NODE, REGION, "other", client)


def test_an_instance_is_ec2s_or_made_of_the_nodes_name():
    assert interruption.instance_of("aws:///ap-south-1a/i-0123", "node") == "i-0123"
    made = interruption.instance_of("kwok://kwok-serve-1", "kwok-serve-1")
    assert made == interruption.instance_of("", "kwok-serve-1")
    assert made.startswith("i-") and len(made) == 19


def test_a_node_is_chosen_by_its_name_or_its_beginning():
    there = [NODE, replace(NODE, name="kwok-train-12"), replace(NODE, name="kwok-serve-1")]
    assert reclaim.choose("kwok-train-1", there) is NODE  # a whole name wins over a beginning
    assert reclaim.choose("kwok-s", there).name == "kwok-serve-1"


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("kwok-t", "NODE=kwok-t begins several: kwok-train-1, kwok-train-2"),
        ("kwok-tarin-1", "is no spot node of this cluster; .*the nearest is kwok-train-1"),
    ],
)
def test_a_name_that_means_no_node_is_refused(wanted: str, why: str):
    with pytest.raises(reclaim.CannotReclaimError, match=why):
        reclaim.choose(wanted, [NODE, replace(NODE, name="kwok-train-2")])
    with pytest.raises(reclaim.CannotReclaimError, match="no spot node runs"):
        reclaim.choose(wanted, [])


def lost(timeline: Timeline, settings: Settings, node: SpotNode = NODE) -> list[str]:
    return reclaim.lost(timeline, settings, REGION, node, 120)


def test_a_job_that_was_told_loses_its_step(settings: Settings):
    timeline = Timeline([replace(GUARDED, guarded=False)], notified={"u1": 15.0})
    assert lost(timeline, settings) == [
        "Job/training/llama: told 15 s after the notice, with 105 s to save and leave (its pods ask for 110); "
        "it loses the step it was in, and waits for its new machine"
    ]


def test_a_job_that_was_not_told_loses_all_since_its_checkpoint(settings: Settings):
    timeline = Timeline([GUARDED], notified={"u1": 120.0})
    (line,) = lost(timeline, settings)
    assert "karpenter.sh/do-not-disrupt" in line
    assert "1 h as the pool says, ₹" in line
    (in_a_group,) = lost(timeline, settings, replace(NODE, claim="", group="train"))
    assert "a disruption budget forbade it" in in_a_group


def test_a_deployment_moves_and_a_bare_pod_is_lost(settings: Settings):
    served = replace(GUARDED, uid="u2", owner="ReplicaSet/serving/vllm-1")
    bare = replace(GUARDED, uid="u3", owner="", name="notebook")
    timeline = Timeline([served, bare], notified={"u2": 1.0, "u3": 1.0}, back_after=9.4)
    moved, gone = lost(timeline, settings)
    assert moved == "ReplicaSet/serving/vllm-1: 1 pods moved, back after 9 s; its other replicas served on"
    assert gone == "pod training/notebook: lost, for nobody makes a bare pod again"
