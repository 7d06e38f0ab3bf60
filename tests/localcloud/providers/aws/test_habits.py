"""AWS' habits: each row of the table is played by the local cloud, in a scenario of its own, against a moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.session import Session

from commands import doctor
from localcloud import databases, spot_role
from localcloud.kubernetes.clusters import ClusterAccess
from localcloud.providers.aws import habits as aws_habits
from localcloud.providers.aws import table as aws_table
from localcloud.providers.aws.api import Api
from localcloud.providers.aws.provider import Aws
from localcloud.providers.protocol import ResourceError, Values
from tests.localcloud.providers.aws.world import REGION, TRUST, World, about

pytestmark = pytest.mark.slow

ROLE = "arn:aws:iam::123456789012:role/nodes"
VPC, SUBNET, CLUSTER = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:eks/cluster:Cluster"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"


def network(world: World, name: str) -> list[str]:
    """A VPC with a subnet in each zone of the region."""
    vpc = world.make(VPC, f"{name}-vpc", {"cidrBlock": "10.0.0.0/16"})
    return [
        world.make(
            SUBNET,
            f"{name}-{zone}",
            {"vpcId": vpc.id, "cidrBlock": f"10.0.{index}.0/24", "availabilityZoneId": zone},
        ).id
        for index, zone in enumerate(("aps1-az1", "aps1-az2", "aps1-az3"))
    ]


def cluster(world: World, name: str, **more: Any) -> Any:
    return world.make(
        CLUSTER,
        name,
        {
            "name": name,
            "version": "1.34",
            "roleArn": ROLE,
            "vpcConfig": {"subnetIds": network(world, name)},
            **more,
        },
    )


def end(world: World, *names: str) -> None:
    for name in names:
        world.remove(name)


def end_network(world: World, name: str) -> None:
    end(world, *(f"{name}-{zone}" for zone in ("aps1-az1", "aps1-az2", "aps1-az3")), f"{name}-vpc")


def an_address_in_two_gateways(world: World) -> None:
    subnets = network(world, "nat")
    eip = world.make("aws:ec2/eip:Eip", "address", {"domain": "vpc"})
    given = {"allocationId": eip.id, "subnetId": subnets[0]}
    world.make("aws:ec2/natGateway:NatGateway", "first", given)
    cards = interfaces(world)
    with pytest.raises(ResourceError, match=r"CreateNatGateway was refused: Resource\.AlreadyAssociated"):
        world.make("aws:ec2/natGateway:NatGateway", "second", given)
    assert interfaces(world) == cards, "what was refused leaves nothing"
    end(world, "first")
    world.make("aws:ec2/natGateway:NatGateway", "second", {**given, "subnetId": subnets[1]})
    end(world, "second", "address")
    end_network(world, "nat")


def interfaces(world: World) -> list[str]:
    found = world.aws._calls.api.call("ec2", REGION, "DescribeNetworkInterfaces", {})["NetworkInterfaces"]
    return sorted(card["NetworkInterfaceId"] for card in found)


def a_sixth_address(world: World) -> None:
    names = [f"address-{index}" for index in range(5)]
    for name in names:
        world.make("aws:ec2/eip:Eip", name, {"domain": "vpc"})
    with pytest.raises(ResourceError, match="AllocateAddress was refused: AddressLimitExceeded"):
        world.make("aws:ec2/eip:Eip", "address-5", {"domain": "vpc"})
    end(world, *names)
    names = [f"net-{index}" for index in range(4)]  # the account's default one is the fifth
    for name in names:
        world.make(VPC, name, {"cidrBlock": "10.0.0.0/16"})
    with pytest.raises(ResourceError, match="CreateVpc was refused: VpcLimitExceeded"):
        world.make(VPC, "net-4", {"cidrBlock": "10.0.0.0/16"})
    end(world, *names)


def a_region_that_is_off(world: World) -> None:
    words = r"InvalidClientTokenId: .*aws account enable-region --region-name ap-south-2"
    with pytest.raises(ResourceError, match=words):
        Aws().configure({"region": "ap-south-2"})
    away = {"cidrBlock": "10.0.0.0/16", "region": "ap-south-2"}
    with pytest.raises(ResourceError, match=words):
        world.aws.check(about(VPC, "away"), {}, away)
    with pytest.raises(ResourceError, match=words):
        world.aws.create(about(VPC, "away"), away)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(aws_habits.ENABLED_REGIONS, "ap-south-2")
        Aws().configure({"region": "ap-south-2"})
        world.make(VPC, "away", away)
        end(world, "away")


def a_secret_made_again(world: World) -> None:
    secret = "aws:secretsmanager/secret:Secret"
    world.make(secret, "token", {"name": "token"})
    end(world, "token")
    with pytest.raises(ResourceError, match=r"InvalidRequestException: .*already scheduled for deletion"):
        world.make(secret, "token", {"name": "token"})
    for _ in range(2):  # without a window its name is free at once
        world.make(secret, "other", {"name": "other", "recoveryWindowInDays": 0})
        end(world, "other")


def a_machine_in_every_zone(world: World) -> None:
    made = cluster(world, "zones")
    subnets = made.inputs["vpcConfig"]["subnetIds"]
    group = {
        "clusterName": "zones",
        "nodeRoleArn": ROLE,
        "subnetIds": subnets,
        "scalingConfig": {"minSize": 0, "maxSize": 1, "desiredSize": 0},
        "instanceTypes": ["g6.xlarge"],  # in two of the three zones
    }
    token = "aws:eks/nodeGroup:NodeGroup"
    with pytest.raises(
        ResourceError, match=r"instance type \(g6\.xlarge\) is not supported in your requested Avail"
    ):
        world.make(token, "everywhere", group)
    with pytest.raises(ResourceError, match=r"x9\.huge is not offered in ap-south-1"):
        world.make(token, "unknown", {**group, "instanceTypes": ["x9.huge"]})
    world.make(token, "two", {**group, "subnetIds": [subnets[0], subnets[2]]})
    end(world, "two", "zones")
    end_network(world, "zones")


def a_group_beside_a_reservation(world: World) -> None:
    made = cluster(world, "held")
    held = {"capacityReservationTarget": {"capacityReservationId": "cr-0123456789abcdef0"}}
    block = {"instanceMarketOptions": {"marketType": "capacity-block"}, "instanceType": "g6.xlarge"}

    def nodes(name: str, **data: Any) -> None:
        template = world.make("aws:ec2/launchTemplate:LaunchTemplate", name, {"name": name, **data})
        group = {
            "clusterName": "held",
            "nodeRoleArn": ROLE,
            "subnetIds": made.inputs["vpcConfig"]["subnetIds"][:1],
            "scalingConfig": {"minSize": 0, "maxSize": 1, "desiredSize": 0},
            "launchTemplate": {"id": template.id, "version": "1"},
        }
        if "instanceType" not in data:
            group["instanceTypes"] = ["g6.xlarge"]
        world.make("aws:eks/nodeGroup:NodeGroup", f"{name}-nodes", group)

    own, named = (
        {"placement": {"groupName": "held-train"}},
        {"placement": {"groupName": "of-the-reservation"}},
    )
    for name, data in {
        "own": {**own, "capacityReservationSpecification": held},
        "block": {**named, **block, "capacityReservationSpecification": held},
    }.items():
        with pytest.raises(ResourceError, match="InsufficientInstanceCapacity"):
            nodes(name, **data)
    nodes("named", **named, capacityReservationSpecification=held)
    nodes("alone", capacityReservationSpecification=held)
    nodes("spot", **own)
    end(world, "named-nodes", "alone-nodes", "spot-nodes", "held")
    end_network(world, "held")


def a_version_up_by_two_and_down(world: World) -> None:
    cluster(world, "minor", version="1.33")
    for refused in ("1.35", "1.32"):
        with pytest.raises(
            ResourceError, match=f"Unsupported Kubernetes minor version update from 1.33 to {refused}"
        ):
            world.change("minor", {"version": refused})
    world.change("minor", {"version": "1.34"})
    end(world, "minor")
    end_network(world, "minor")


def subnets_of_another_vpc(world: World) -> None:
    made = cluster(world, "home")
    there = network(world, "other")
    with pytest.raises(ResourceError, match="the VPC that the cluster was created with"):
        world.change("home", {"vpcConfig": {"subnetIds": there}})
    world.change("home", {"vpcConfig": {"subnetIds": made.inputs["vpcConfig"]["subnetIds"][:2]}})
    end(world, "home")
    end_network(world, "home")
    end_network(world, "other")


def a_protected_cluster(world: World) -> None:
    made = cluster(world, "guarded", deletionProtection=True)
    with pytest.raises(ResourceError, match="DeleteCluster was refused: InvalidRequestException"):
        world.aws.delete(made.resource, made.inputs, made.outputs)
    assert world.refresh("guarded") is not None
    world.change("guarded", {"deletionProtection": False})
    end(world, "guarded")
    end_network(world, "guarded")


def a_log_group_that_eks_made(world: World) -> None:
    name = "/aws/eks/talks/cluster"
    cluster(world, "talks", enabledClusterLogTypes=["audit"])
    with pytest.raises(ResourceError, match="ResourceAlreadyExistsException"):
        world.make(LOG_GROUP, "late", {"name": name})
    group = about(LOG_GROUP, "late", name)
    world.aws.delete(group, {"name": name}, {})
    assert world.aws.read(group, {"name": name}, {}) is not None, "the cluster that logs made it again"
    end(world, "talks")
    world.aws.delete(group, {"name": name}, {})
    assert world.aws.read(group, {"name": name}, {}) is None
    world.make(LOG_GROUP, "early", {"name": name})
    cluster_without_network(world, "talks")
    end(world, "talks")
    end(world, "early")
    end_network(world, "talks")
    assert world.aws.read(group, {"name": name}, {}) is None


def cluster_without_network(world: World, name: str) -> None:
    subnets = [world.made[f"{name}-{zone}"].id for zone in ("aps1-az1", "aps1-az2")]
    given = {"name": name, "roleArn": ROLE, "vpcConfig": {"subnetIds": subnets}}
    world.make(CLUSTER, name, {**given, "enabledClusterLogTypes": ["audit"]})


def a_bucket_of_somebody_else(world: World) -> None:
    bucket = "aws:s3/bucket:Bucket"
    somebody_elses_client(world, "s3").create_bucket(
        Bucket="a-good-name", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    with pytest.raises(ResourceError, match="CreateBucket was refused: BucketAlreadyExists"):
        world.make(bucket, "lake", {"bucket": "a-good-name"})
    world.make(bucket, "ours", {"bucket": "a-better-name"})
    with pytest.raises(ResourceError, match="CreateBucket was refused: BucketAlreadyOwnedByYou"):
        world.make(bucket, "again", {"bucket": "a-better-name"})
    end(world, "ours")


def somebody_elses_client(world: World, service: str) -> Any:
    """A client of another account."""
    url = world.aws._calls.api._client("s3", REGION).meta.endpoint_url
    session = Session()
    sts = session.create_client(
        "sts", region_name=REGION, endpoint_url=url, aws_access_key_id="a", aws_secret_access_key="a"
    )
    there = sts.assume_role(RoleArn="arn:aws:iam::222222222222:role/other", RoleSessionName="other")
    keys = there["Credentials"]
    return session.create_client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def a_day_without_spot(world: World) -> None:
    cluster(world, "spot")
    group = "aws:eks/nodeGroup:NodeGroup"
    given = {
        "clusterName": "spot",
        "nodeRoleArn": ROLE,
        "subnetIds": [world.made["spot-aps1-az1"].id],
        "capacityType": "SPOT",
        "instanceTypes": ["g6.xlarge"],
        "scalingConfig": {"desiredSize": 1, "minSize": 1, "maxSize": 1},
    }
    none = {**given, "scalingConfig": {"desiredSize": 0, "minSize": 0, "maxSize": 1}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(aws_habits.NO_SPOT, "p5.48xlarge, g6.xlarge")
        with pytest.raises(
            ResourceError, match=r"CREATE_FAILED: AsgInstanceLaunchFailures: .*Spot.*g6\.xlarge"
        ):
            world.make(group, "group", {**given, "nodeGroupName": "stands"})
        others = {
            "from-zero": none,
            "on-demand": {**given, "capacityType": "ON_DEMAND"},
            "second-type": {**given, "instanceTypes": ["g6.xlarge", "g6.2xlarge"]},
        }
        for name, inputs in others.items():
            world.make(group, name, {**inputs, "nodeGroupName": name})
            end(world, name)
    world.make(group, "group", {**given, "nodeGroupName": "stands"})
    end(world, "group", "spot")
    end_network(world, "spot")


def spot_in_a_new_account(world: World) -> None:
    cluster(world, "new")
    role = world.make("aws:iam/role:Role", "controller", {"name": "controller", "assumeRolePolicy": TRUST})
    access = ClusterAccess("new", REGION, "https://127.0.0.1:1", "", Path("none"))

    def told(*purchases: str) -> str:
        need = {"key": "karpenter.sh/capacity-type", "operator": "In", "values": list(purchases)}
        return spot_role.refusal(access, {"template": {"spec": {"requirements": [need]}}})

    assert told("on-demand") == ""
    assert "no Pod Identity association" in told("spot", "on-demand")
    identity = {
        "clusterName": "new",
        "namespace": "kube-system",
        "serviceAccount": "karpenter",
        "roleArn": role.arn,
    }
    world.make("aws:eks/podIdentityAssociation:PodIdentityAssociation", "karpenter", identity)
    assert "AuthFailure.ServiceLinkedRoleCreationNotPermitted" in told("spot")
    may = {
        "Effect": "Allow",
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": "*",
        "Condition": {"StringEquals": {"iam:AWSServiceName": "autoscaling.amazonaws.com"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [may]}
    given = {"role": "controller", "name": "nodes", "policy": json.dumps(policy)}
    world.make("aws:iam/rolePolicy:RolePolicy", "nodes", given)
    assert "no statement of the policy nodes of the role controller allows it" in told("spot")
    end(world, "nodes")
    may["Condition"]["StringEquals"]["iam:AWSServiceName"] = "spot.amazonaws.com"
    world.make("aws:iam/rolePolicy:RolePolicy", "nodes", {**given, "policy": json.dumps(policy)})
    assert told("spot") == ""
    with pytest.MonkeyPatch.context() as patch:
        asked = Api.call
        patch.setattr(
            Api, "call", lambda api, *args: {"Roles": []} if args[2] == "ListRoles" else asked(api, *args)
        )
        assert told("spot") == "", "another NodePool was quicker"
    end(world, "nodes")
    assert told("spot") == "", "it is there from now on"
    end(world, "karpenter", "controller", "new")
    end_network(world, "new")


def an_endpoint_where_its_service_is_not(world: World) -> None:
    subnets = network(world, "ends")
    service = "com.amazonaws.ap-south-1.sqs"
    api = world.aws._calls.api
    there = api.call

    def without_the_first_zone(aws: str, region: str, operation: str, params: Values) -> Values:
        told = there(aws, region, operation, params)
        if operation == "DescribeVpcEndpointServices":
            for found in told["ServiceDetails"]:
                found["AvailabilityZones"].remove("ap-south-1a")
        return told

    zones = world.aws._calls.api.call("ec2", REGION, "DescribeSubnets", {"SubnetIds": subnets})["Subnets"]
    lacking = next(subnet["SubnetId"] for subnet in zones if subnet["AvailabilityZone"] == "ap-south-1a")
    others = [subnet for subnet in subnets if subnet != lacking]
    given = {"vpcId": world.made["ends-vpc"].id, "serviceName": service, "vpcEndpointType": "Interface"}
    endpoint = "aws:ec2/vpcEndpoint:VpcEndpoint"
    words = f"InvalidParameter: .*{service} does not support the availability zone of the subnet: {lacking}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "call", without_the_first_zone)
        with pytest.raises(ResourceError, match=f"CreateVpcEndpoint was refused: {words}"):
            world.make(endpoint, "sqs", {**given, "subnetIds": subnets})
        world.make(endpoint, "sqs", {**given, "subnetIds": others})
        with pytest.raises(ResourceError, match=f"ModifyVpcEndpoint was refused: {words}"):
            world.change("sqs", {"subnetIds": subnets})
    end(world, "sqs")
    end_network(world, "ends")


def an_addon_of_another_kubernetes(world: World) -> None:
    cluster(world, "adds")
    addon, given = "aws:eks/addon:Addon", {"clusterName": "adds", "addonName": "kube-proxy"}
    refused = "CreateAddon was refused: InvalidParameterException: Addon "
    with pytest.raises(ResourceError, match=f"{refused}version specified is not supported"):
        world.make(addon, "proxy", {**given, "addonVersion": "v1.35.3-eksbuild.21"})
    with pytest.raises(ResourceError, match=f"{refused}kube-proxi specified is not supported in 1.34"):
        world.make(addon, "proxy", {**given, "addonName": "kube-proxi"})
    world.make(addon, "proxy", {**given, "addonVersion": "v1.34.6-eksbuild.21"})
    with pytest.raises(ResourceError, match="UpdateAddon was refused: InvalidParameterException"):
        world.change("proxy", {"addonVersion": "v1.35.3-eksbuild.21"})
    world.change("adds", {"version": "1.35"})
    world.change("proxy", {"addonVersion": "v1.35.3-eksbuild.21"})
    end(world, "proxy", "adds")
    end_network(world, "adds")


DATABASE, DATABASE_SUBNETS = "aws:rds/instance:Instance", "aws:rds/subnetGroup:SubnetGroup"


def database(world: World, name: str, **more: Any) -> Any:
    given = {
        "identifier": name,
        "engine": "postgres",
        "engineVersion": "17",
        "instanceClass": "db.t4g.small",
        "allocatedStorage": 20,
        "username": "tracking",
        "password": "correct-horse-battery",
        "skipFinalSnapshot": True,
        **more,
    }
    return world.make(DATABASE, name, given)


def a_database_called_otherwise(world: World) -> None:
    for name in ("1-tracking", "tracking--1", "tracking-", "tracking_1", "t" * 64):
        with pytest.raises(ResourceError, match="DBInstanceIdentifier is not a valid identifier"):
            database(world, name)
    database(world, "t" * 63)
    end(world, "t" * 63)


def databases_in_one_zone(world: World) -> None:
    subnets = network(world, "zones")
    given = {"description": "Databases"}
    with pytest.raises(ResourceError, match="DBSubnetGroupDoesNotCoverEnoughAZs"):
        world.make(DATABASE_SUBNETS, "group", {**given, "subnetIds": subnets[:1]})
    world.make(DATABASE_SUBNETS, "group", {**given, "subnetIds": subnets[:2]})
    with pytest.raises(ResourceError, match="DBSubnetGroupDoesNotCoverEnoughAZs"):
        world.change("group", {"subnetIds": subnets[1:2]})
    end(world, "group")
    end_network(world, "zones")


def a_disk_that_shrinks(world: World) -> None:
    with pytest.raises(ResourceError, match="at least 10% greater"):
        database(world, "disk", maxAllocatedStorage=21)
    database(world, "disk", maxAllocatedStorage=22)
    world.change("disk", {"allocatedStorage": 30, "maxAllocatedStorage": 100})
    with pytest.raises(ResourceError, match="Invalid storage size for engine name postgres"):
        world.change("disk", {"allocatedStorage": 20})
    end(world, "disk")


def a_protected_database(world: World) -> None:
    last = {"skipFinalSnapshot": False, "finalSnapshotIdentifier": "kept-last"}
    database(world, "kept", deletionProtection=True, dbName="runs", **last)
    made = world.made["kept"]
    with pytest.raises(ResourceError, match="Cannot delete protected DB Instance"):
        world.aws.delete(made.resource, made.inputs, made.outputs)
    world.change("kept", {"deletionProtection": False, "password": "another-horse-battery"})
    # What pods find behind it lasts as long, and no longer.
    host = made.outputs["address"]
    assert databases.named(host) == databases.Database(host, "runs", "tracking", "another-horse-battery")
    end(world, "kept")
    assert databases.named(host) is None
    found = world.aws._calls.api.call("rds", REGION, "DescribeDBSnapshots", {})["DBSnapshots"]
    assert "kept-last" in [snapshot["DBSnapshotIdentifier"] for snapshot in found]
    database(world, "kept", **last)
    made = world.made["kept"]
    with pytest.raises(ResourceError, match="kept-last"):
        world.aws.delete(made.resource, made.inputs, made.outputs)
    world.change("kept", {"skipFinalSnapshot": True})
    end(world, "kept")


SCENARIOS: dict[str, Callable[[World], None]] = {
    "one_gateway_an_address": an_address_in_two_gateways,
    "quota": a_sixth_address,
    "database_identifier": a_database_called_otherwise,
    "two_zones_for_databases": databases_in_one_zone,
    "storage_never_shrinks": a_disk_that_shrinks,
    "database_is_protected": a_protected_database,
    "region_not_enabled": a_region_that_is_off,
    "secret_waits_for_its_deletion": a_secret_made_again,
    "machine_not_sold_in_zone": a_machine_in_every_zone,
    "spot_has_none": a_day_without_spot,
    "spot_has_a_role": spot_in_a_new_account,
    "group_beside_a_reservation": a_group_beside_a_reservation,
    "endpoint_not_offered_in_zone": an_endpoint_where_its_service_is_not,
    "addon_version_not_supported": an_addon_of_another_kubernetes,
    "one_minor_at_a_time": a_version_up_by_two_and_down,
    "cluster_stays_in_its_vpc": subnets_of_another_vpc,
    "cluster_is_protected": a_protected_cluster,
    "cluster_makes_its_log_group": a_log_group_that_eks_made,
    "bucket_names_are_everybodys": a_bucket_of_somebody_else,
}


def test_a_cluster_tells_the_vpc_that_it_is_in(world: World) -> None:
    subnets = cluster(world, "told").inputs["vpcConfig"]["subnetIds"]
    assert "told" in world.aws.invoke("aws:eks/getClusters:getClusters", {"region": REGION})["names"]
    found = world.aws.invoke("aws:eks/getCluster:getCluster", {"name": "told", "region": REGION})
    assert found["vpcConfig"]["vpcId"] == world.made["told-vpc"].id
    assert found["vpcConfig"]["subnetIds"] == subnets
    vpc = world.aws.invoke("aws:ec2/getVpc:getVpc", {"id": found["vpcConfig"]["vpcId"], "region": REGION})
    assert vpc["cidrBlock"] == "10.0.0.0/16"
    assert vpc["tags"] == world.made["told-vpc"].outputs["tagsAll"]
    with pytest.raises(ResourceError, match="InvalidClientTokenId"):
        world.aws.invoke("aws:eks/getClusters:getClusters", {"region": "ap-south-2"})
    end(world, "told")
    end_network(world, "told")


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_habit_is_played(world: World, name: str) -> None:
    SCENARIOS[name](world)


def test_each_habit_has_a_row_a_player_and_a_scenario() -> None:
    rows = [row["name"] for row in aws_habits.habits()]
    assert sorted(rows) == sorted(set(rows))
    assert set(rows) == set(aws_habits.PLAYERS) == set(SCENARIOS)


@pytest.mark.parametrize("row", aws_habits.habits(), ids=lambda row: row["name"])
def test_a_row_says_what_of_which_types_and_where_it_is_written(row: dict[str, Any]) -> None:
    assert set(row) == {"name", "types", "what", "source", "read"}
    assert set(row["types"]) <= {*aws_table.tokens(), aws_habits.EVERY_TYPE}
    assert all(len(str(row[key])) > 9 for key in ("what", "source", "read"))


def test_an_endpoint_that_ec2_still_shows_is_no_leftover(world: World, endpoint: str) -> None:
    tags = {"project": doctor.PROJECT_NAME, "stack": "unit"}
    vpc = world.make(VPC, "kept", {"cidrBlock": "10.0.0.0/16", "tags": tags})
    given = {
        "vpcId": vpc.id,
        "serviceName": f"com.amazonaws.{REGION}.ecr.api",
        "vpcEndpointType": "Interface",
    }
    world.make("aws:ec2/vpcEndpoint:VpcEndpoint", "left", given)
    session = boto3.Session("local", "local", region_name=REGION)

    def endpoints() -> list[str]:
        found = doctor.in_account(session, "unit", {vpc.id, vpc.arn}, endpoint)
        return [leftover.name for leftover in found if leftover.kind == "endpoint"]

    assert endpoints() == [world.made["left"].id]
    end(world, "left")
    assert endpoints() == []
    end(world, "kept")
