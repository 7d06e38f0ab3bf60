"""Every row of the local cloud's AWS table, against a moto of its own: make, look, change, remove."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra.contracts.labels import EKS_NODE_GROUP
from localcloud.providers.aws import table as aws_table
from localcloud.providers.protocol import Values
from tests.localcloud.providers.aws.steps import STEPS
from tests.localcloud.providers.aws.world import DEFAULT_TAGS, REGION, Played, Step, World, census, own

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def census_before(world: World) -> dict[str, Any]:
    return census()


@pytest.fixture(scope="module")
def full(world: World, census_before: dict[str, Any]) -> World:
    """A world with one of everything."""
    for token, name, inputs, _ in STEPS:
        world.make(token, name, inputs)
    return world


def names(steps: list[Step]) -> list[str]:
    return [step[1] for step in steps]


def test_every_row_has_a_scenario() -> None:
    assert {step[0] for step in STEPS} == set(aws_table.tokens())


@pytest.mark.parametrize("name", names(STEPS))
def test_a_refresh_right_after_changes_nothing(full: World, name: str) -> None:
    found = full.refresh(name)
    assert found is not None
    made = full.made[name]
    assert found[0] == made.inputs
    assert found[1] == made.outputs
    assert full.aws.check(made.resource, made.inputs, own(made.inputs)) == made.inputs
    assert full.aws.diff(made.resource, made.inputs, made.outputs, made.inputs).changed == []


@pytest.mark.parametrize("name", names([step for step in STEPS if step[3] is not None]))
def test_a_change_in_place_is_seen_by_the_next_refresh(full: World, name: str) -> None:
    change = next(step[3] for step in STEPS if step[1] == name)
    full.change(name, change)
    made = full.made[name]
    found = full.refresh(name)
    assert found is not None
    assert found[0] == made.inputs
    assert found[1] == made.outputs


def test_functions_about_a_vpc_that_exists(full: World) -> None:
    def ask(function: str, **args: Any) -> Values:
        return full.aws.invoke(f"aws:ec2/{function}:{function}", args)

    vpc, subnet = full.made["vpc"], full.made["subnet"]
    assert vpc.id in ask("getVpcs")["ids"]
    about_it = ask("getVpc", id=vpc.id)
    assert about_it["cidrBlock"] == "10.0.0.0/16"
    assert "10.0.0.0/16" in [block["cidrBlock"] for block in about_it["cidrBlockAssociations"]]
    assert about_it["enableDnsSupport"] is True
    assert isinstance(about_it["enableDnsHostnames"], bool)
    assert subnet.id in ask("getSubnets", filters=[{"name": "vpc-id", "values": [vpc.id]}])["ids"]
    found = ask("getSubnet", id=subnet.id)
    assert found["vpcId"] == vpc.id
    assert found["availabilityZoneId"].startswith("aps1-az")
    assert found["availableIpAddressCount"] > 0
    assert found["tags"].items() >= DEFAULT_TAGS.items()
    main = [{"name": "association.main", "values": ["true"]}]
    (table,) = ask("getRouteTables", vpcId=vpc.id, filters=main)["ids"]
    routes = ask("getRouteTable", routeTableId=table)["routes"]
    assert [route["gatewayId"] for route in routes if route["cidrBlock"] == "10.0.0.0/16"] == ["local"]


def test_outputs_that_programs_use(full: World) -> None:
    made = full.made
    vpc, key, cluster = made["vpc"].outputs, made["key"].outputs, made["cluster"].outputs
    assert vpc["defaultSecurityGroupId"] == made["closed"].id
    assert vpc["defaultRouteTableId"].startswith("rtb-")
    assert vpc["tagsAll"] == {**DEFAULT_TAGS, "Name": "new"}
    assert key["keyId"] == made["key"].id
    assert key["arn"].endswith(key["keyId"])
    assert made["alias"].outputs["targetKeyArn"] == key["arn"]
    assert made["raw"].outputs["bucketRegionalDomainName"] == f"raw-of-a-team.s3.{REGION}.amazonaws.com"
    assert cluster["endpoint"] == "https://127.0.0.1:6443"
    assert cluster["certificateAuthority"] == {"data": "Q0E="}
    assert cluster["vpcConfig"]["clusterSecurityGroupId"].startswith("sg-")
    assert cluster["identities"][0]["oidcs"][0]["issuer"].startswith("https://")
    assert made["template"].outputs["latestVersion"] == made["template"].outputs["defaultVersion"] == 2
    assert made["subnet"].outputs["availabilityZone"].startswith(REGION)
    assert re.fullmatch(r"audit-[0-9a-f]{7}", made["audit"].id)
    assert made["audit"].outputs["region"] == REGION


def test_a_changed_notification_of_a_budget_takes_the_old_ones_place(full: World) -> None:
    account = full.made["spend"].outputs["accountId"]
    asked = {"AccountId": account, "BudgetName": "stack"}
    answer = full.aws._calls.api.call("budgets", REGION, "DescribeNotificationsForBudget", asked)
    kinds = [(one["NotificationType"], one["Threshold"]) for one in answer["Notifications"]]
    assert kinds == [("FORECASTED", 100.0)]


def test_a_cluster_and_its_nodes_are_played(full: World, played: Played) -> None:
    assert ("start", "mumbai", REGION) in played
    group = full.made["train"].inputs["nodeGroupName"]
    added = [call for call in played if call[0] == "add"]
    assert [(call[3:7]) for call in added[:2]] == [
        (REGION, "p5.48xlarge", f"{REGION}b", 2),
        (REGION, "p5.48xlarge", f"{REGION}c", 1),
    ] or len({call[5] for call in added[:2]}) == 2
    assert sum(call[6] for call in added[:2]) == 3
    _, cluster, name, region, machine_type, _, _, capacity, labels, taints = added[0]
    assert (cluster, name, region, machine_type, capacity) == ("mumbai", group, REGION, "p5.48xlarge", "spot")
    assert labels[EKS_NODE_GROUP] == group
    assert labels["india-ai-infra/pool"] == "train"
    assert taints[0]["key"] == "nvidia.com/gpu"
    assert added[-1][6] == 1, "the change to one node"


def test_drift_shows_in_the_inputs(full: World) -> None:
    vpc = full.made["vpc"]
    api = full.aws._calls.api
    api.call("ec2", REGION, "ModifyVpcAttribute", {"VpcId": vpc.id, "EnableDnsSupport": {"Value": False}})
    api.call("ec2", REGION, "CreateTags", {"Resources": [vpc.id], "Tags": [{"Key": "by", "Value": "hand"}]})
    found = full.refresh("vpc")
    assert found is not None
    assert found[0]["enableDnsSupport"] is False
    assert found[0]["tags"]["by"] == "hand"
    diff = full.aws.diff(vpc.resource, found[0], found[1], vpc.inputs)
    assert diff.changed == ["enableDnsSupport", "tags"]
    full.aws.update(vpc.resource, found[0], found[1], vpc.inputs)
    again = full.refresh("vpc")
    assert again is not None
    assert again[0] == vpc.inputs


@pytest.mark.parametrize(
    "name", ["runtime", "cni", "to-queue", "secret", "trail", "flow", "lifecycle", "https"]
)
def test_what_was_deleted_behind_our_back_is_gone_and_can_be_deleted_again(full: World, name: str) -> None:
    made = full.made[name]
    step = next(step for step in STEPS if step[1] == name)
    full.aws.delete(made.resource, made.inputs, made.outputs)
    assert full.refresh(name) is None
    full.aws.delete(made.resource, made.inputs, made.outputs)
    full.make(step[0], name, step[2])


def test_a_real_destroy_leaves_nothing(full: World, played: Played, census_before: dict[str, Any]) -> None:
    api = full.aws._calls.api
    for _ in range(2):  # versions of an object, in a bucket that is to be destroyed with what is in it
        api.call("s3", REGION, "PutObject", {"Bucket": full.made["audit"].id, "Key": "trail/1", "Body": b"x"})
    key = full.made["key"].id
    for name in reversed(names(STEPS)):
        full.remove(name)
    assert census() == census_before
    state = api.call("kms", REGION, "DescribeKey", {"KeyId": key})["KeyMetadata"]["KeyState"]
    assert state == "PendingDeletion"
    assert ("stop", "mumbai") in played
