"""`make reclaim` on real Karpenter: budgets are kept, jobs come back, and one that forbids disruption is never told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import typer

from commands.reclaim import command as reclaim
from commands.reclaim import interruption
from commands.stacks import settings_of
from infra.settings.stack import Settings
from localcloud.kubernetes import clusters, karpenter, nodes
from localcloud.kubernetes.api import Api
from localcloud.kubernetes.crds import install
from tests.e2e.waiting import wait

pytestmark = pytest.mark.e2e

STACK, REGION = "dev", "ap-south-1"
NAME = f"india-ai-infra-{STACK}"
TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
SHORT = 3.0  # seconds of notice, for a machine that nothing leaves in time
ZONES = {"aps1-az1": "ap-south-1a", "aps1-az2": "ap-south-1c", "aps1-az3": "ap-south-1b"}


@pytest.fixture(scope="module")
def settings() -> Settings:
    return settings_of(STACK)


@pytest.fixture(scope="module")
def access(environment: dict[str, str]) -> Iterator[clusters.ClusterAccess]:
    access = clusters.start(NAME, REGION)
    try:
        remove_queue = interruption_queue(environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
        install(access.api(), "karpenter")
        karpenter.start(NAME, ZONES)
        for pool in ("serve", "train"):
            access.api().apply(node_pool(pool))
        yield access
        remove_queue()
    finally:
        clusters.stop(NAME)


@pytest.fixture(scope="module")
def api(access: clusters.ClusterAccess) -> Api:
    return access.api()


def interruption_queue(endpoint: str) -> Callable[[], None]:
    """As infra/aws/interruption.py makes it; what it returns removes it: other tests bring up a stack of this name."""
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    sqs, events = (
        boto3.client(service, region_name=REGION, endpoint_url=endpoint, **keys)
        for service in ("sqs", "events")
    )
    url = sqs.create_queue(QueueName=NAME)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]}
    events.put_rule(Name=f"{NAME}-spot", EventPattern=json.dumps(pattern))
    events.put_targets(Rule=f"{NAME}-spot", Targets=[{"Id": "karpenter", "Arn": arn}])

    def remove() -> None:
        events.remove_targets(Rule=f"{NAME}-spot", Ids=["karpenter"])
        events.delete_rule(Name=f"{NAME}-spot")
        sqs.delete_queue(QueueUrl=url)

    return remove


def node_pool(name: str) -> dict[str, Any]:
    wanted = {"node.kubernetes.io/instance-type": ["g6.12xlarge"], "karpenter.sh/capacity-type": ["spot"]}
    template = {
        "metadata": {"labels": {"india-ai-infra/pool": name}},
        "spec": {
            "nodeClassRef": karpenter.NODE_CLASS,
            "taints": [TAINT],
            "requirements": [{"key": k, "operator": "In", "values": v} for k, v in wanted.items()],
        },
    }
    kind = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": name}}
    disruption = {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never"}
    return {**kind, "spec": {"template": template, "disruption": disruption}}


def pod(pool: str, gpus: int) -> dict[str, Any]:
    return {
        "nodeSelector": {"india-ai-infra/pool": pool},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "terminationGracePeriodSeconds": 110,
        "containers": [
            {"name": "main", "image": "played", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}
        ],
    }


def job(name: str, pool: str, gpus: int, **annotations: str) -> dict[str, Any]:
    template = {
        "metadata": {"annotations": annotations},
        "spec": {**pod(pool, gpus), "restartPolicy": "Never"},
    }
    ignore = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    spec = {
        "completionMode": "Indexed",
        "completions": 2,
        "parallelism": 2,
        "podFailurePolicy": {"rules": [ignore]},
        "template": template,
    }
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


def serve(api: Api) -> None:
    labels = {"app": "vllm"}
    meta = {"name": "vllm", "namespace": "default"}
    template = {"metadata": {"labels": labels}, "spec": pod("serve", 1)}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    api.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec})
    budget = {"minAvailable": 1, "selector": {"matchLabels": labels}}
    api.apply({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": budget})


def running(api: Api, count: int) -> list[interruption.Pod]:
    def found() -> list[interruption.Pod]:
        pods = [one for one in interruption.pods_of(api) if one.running]
        return pods if len(pods) == count else []

    return wait(found, 120, f"{count} pods that run")


def take(
    access: clusters.ClusterAccess, settings: Settings, pool: str, notice: float = 120
) -> tuple[interruption.Timeline, list[str]]:
    there = interruption.spot_nodes(access.api())
    node = next(node for node in there if node.pool == pool)
    timeline = reclaim.interrupt(access, node, settings, notice)
    return timeline, reclaim.lost(timeline, settings, REGION, node, notice)


def at(timeline: interruption.Timeline, what: str) -> float:
    return next(seconds for seconds, said in timeline.events if what in said)


def test_a_replica_leaves_only_when_another_serves(
    access: clusters.ClusterAccess, api: Api, settings: Settings, capsys
):
    serve(api)
    running(api, 2)
    timeline, (line,) = take(access, settings, "serve")
    assert timeline.back_after
    assert at(timeline, "tainted karpenter.sh/disrupted") <= at(timeline, "first pod evicted")
    # Both stood on one machine, and the budget keeps one: the second goes once the first is back elsewhere.
    assert max(timeline.notified.values()) > at(timeline, "a new node joins: g6.12xlarge spot in ap-south-1")
    assert at(timeline, "the node is gone") <= at(timeline, "every pod is back") < 40
    assert "2 pods moved, back after" in line
    assert "message " in capsys.readouterr().out  # the notice came through EventBridge's rule


def test_a_job_is_told_and_comes_back_whole(access: clusters.ClusterAccess, api: Api, settings: Settings):
    api.apply(job("told", "train", 4))
    running(api, 4)
    timeline, (line,) = take(access, settings, "train")
    assert timeline.back_after
    assert line.startswith("Job/default/told: told ")
    assert "with 110 s to save" in line
    assert api.list("batch/v1", "Job")[0]["status"].get("failed", 0) == 0
    api.delete(job("told", "train", 4), "Background")
    running(api, 2)


def test_a_job_that_forbids_disruption_is_never_told(
    access: clusters.ClusterAccess, api: Api, settings: Settings
):
    guarded = job("guarded", "train", 4, **{"karpenter.sh/do-not-disrupt": "true"})
    api.apply(guarded)
    running(api, 4)
    timeline, (line,) = take(access, settings, "train", SHORT)
    assert at(timeline, "EC2 takes the machine (played); pods on it that were never told: 1") >= SHORT
    assert timeline.back_after  # the machine's end is not counted against the job
    assert "never told" in line and "do-not-disrupt" in line
    api.delete(guarded, "Background")
    running(api, 2)


def test_a_managed_group_brings_another_node(access: clusters.ClusterAccess, api: Api, settings: Settings):
    labels = {"india-ai-infra/pool": "fabric"}
    nodes.add_nodes(NAME, "fabric", REGION, "p5.48xlarge", "ap-south-1a", 2, "SPOT", labels, [TAINT])
    api.apply(job("fabric", "fabric", 8))
    running(api, 4)
    timeline, (line,) = take(access, settings, "fabric")
    assert at(timeline, "a new node joins: p5.48xlarge spot in ap-south-1a, ₹") >= at(
        timeline, "the node is gone"
    )
    assert timeline.back_after
    assert line.startswith("Job/default/fabric: told ")
    assert sum(node.pool == "fabric" for node in interruption.spot_nodes(api)) == 2


def test_without_a_name_it_lists_and_with_a_wrong_one_it_refuses(
    access: clusters.ClusterAccess, api: Api, capsys
):
    nodes.add_nodes(NAME, "system", REGION, "m6a.xlarge", "ap-south-1a", 1, "on-demand")
    (system,) = [n["metadata"]["name"] for n in api.list("v1", "Node", labelSelector="!india-ai-infra/pool")]
    reclaim.reclaim("", STACK)
    listed = capsys.readouterr().out
    assert "p5.48xlarge" in listed and system not in listed
    for wrong, why in ((system, "is no spot node"), ("nothing-like-it", "is no spot node")):
        with pytest.raises(typer.Exit):
            reclaim.reclaim(wrong, STACK)
        assert why in " ".join(capsys.readouterr().out.split())


def test_a_stack_that_is_not_up_is_named(environment: dict[str, str], capsys):
    with pytest.raises(typer.Exit):
        reclaim.reclaim("", "prod")
    assert "prod is not up" in capsys.readouterr().out
