"""Karpenter's place in AWS: what it hears, what it may do, and what its nodes are."""

import json

import pulumi_aws as aws
import pytest

from infra.aws.interruption import RULES
from infra.aws.karpenter import Karpenter, KarpenterArgs
from localcloud.permissions.iam_policies import Policies, Request, judge, statements

NAME = "india-ai-infra-unit"


@pytest.fixture
def recorded(deploy, account, personal):
    def program():
        cluster = aws.eks.Cluster("cluster", name=NAME, role_arn="r", vpc_config={"subnet_ids": []})
        made = Karpenter("karpenter", KarpenterArgs(account, personal, cluster, NAME))
        return {"queue": made.queue_name, "profile": made.instance_profile}

    return deploy(program)


def test_five_rules_lead_to_the_queue(recorded):
    queue = recorded.one("sqs/queue:Queue")
    rules = recorded.of("eventRule:EventRule")
    targets = recorded.of("eventTarget:EventTarget")
    heard = {json.loads(rule.inputs["eventPattern"])["detail-type"][0] for rule in rules.values()}
    assert heard == {detail_type for _, detail_type in RULES.values()}
    assert len(rules) == len(targets) == 5
    assert len({target.inputs["arn"] for target in targets.values()}) == 1
    assert {target.inputs["rule"] for target in targets.values()} == {
        rule.inputs["name"] for rule in rules.values()
    }
    assert queue.inputs["messageRetentionSeconds"] == 300
    assert queue.inputs["sqsManagedSseEnabled"] is True


def test_only_this_clusters_rules_write_to_the_queue_and_only_over_tls(recorded):
    policy = recorded.one("queuePolicy:QueuePolicy").policy()
    allowed, denied = policy["RulesOfThisCluster"], policy["DenyHTTP"]
    assert allowed["Condition"]["ArnLike"]["aws:SourceArn"].endswith(f":rule/{NAME}-*")
    assert all(rule.inputs["name"].startswith(f"{NAME}-") for rule in recorded.of("EventRule").values())
    assert denied["Effect"] == "Deny"
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_what_it_changes_is_its_own_clusters(recorded):
    statements = recorded.one("rolePolicy:RolePolicy", "karpenter-nodes").policy()
    for sid in ("StartFromOwnTemplates", "TagOwnInstances", "EndOwn"):
        assert statements[sid]["Condition"]["StringEquals"] == {
            f"aws:ResourceTag/kubernetes.io/cluster/{NAME}": "owned"
        }
    for sid in ("StartTagged", "TagAtStart"):
        asked = statements[sid]["Condition"]["StringEquals"]
        assert asked[f"aws:RequestTag/kubernetes.io/cluster/{NAME}"] == "owned"
    assert statements["GiveNodesTheirRole"]["Action"] == ["iam:PassRole"]
    assert "karpenter-nodes" in statements["GiveNodesTheirRole"]["Resource"]


def test_the_first_spot_node_of_an_account_makes_spots_role_and_no_other(recorded):
    account = "111122223333"
    held = {
        found.name: statements(found.inputs["policy"])
        for found in recorded.of("rolePolicy:RolePolicy").values()
    }

    def may_make(service: str, role: str) -> bool:
        arn = f"arn:aws:iam::{account}:role/aws-service-role/{service}/{role}"
        caller = f"arn:aws:iam::{account}:role/karpenter-controller"
        asked = Request("iam:CreateServiceLinkedRole", arn, caller, {"iam:AWSServiceName": service})
        return judge(asked, Policies(held)).allowed

    assert may_make("spot.amazonaws.com", "AWSServiceRoleForEC2Spot")
    assert not may_make("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling")


def test_nothing_is_allowed_wholesale(recorded):
    for found in recorded.of("rolePolicy:RolePolicy").values():
        for sid, statement in found.policy().items():
            assert not any("*" in action for action in statement["Action"]), sid
            reads = all(
                action.split(":")[1].startswith(("Describe", "Get", "List")) for action in statement["Action"]
            )
            assert statement["Resource"] != "*" or reads, sid


def test_policies_fit_into_the_role(recorded):
    inline = [found.inputs["policy"] for found in recorded.of("rolePolicy:RolePolicy").values()]
    assert sum(map(len, inline)) < 10_240, "IAM's limit of a role's inline policies"


def test_the_controller_is_a_pod_of_the_charts_namespace(recorded):
    association = recorded.one("podIdentityAssociation:PodIdentityAssociation").inputs
    assert (association["namespace"], association["serviceAccount"]) == ("kube-system", "karpenter")


def test_its_nodes_may_join_with_a_profile_that_is_known_beforehand(recorded):
    profile = recorded.one("instanceProfile:InstanceProfile").inputs
    entry = recorded.one("accessEntry:AccessEntry")
    assert profile["name"] == recorded.result["profile"] == f"{NAME}-karpenter"
    assert entry.inputs["type"] == "EC2_LINUX"
    assert entry.inputs["principalArn"].endswith(f"role/{profile['role']}")
    assert entry.deleted_with == recorded.one("eks/cluster:Cluster").urn
