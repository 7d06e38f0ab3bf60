"""What a preview knows, what it refuses and how, and what a change of an input comes to."""

from __future__ import annotations

import re

import pytest

from localcloud.providers.aws.api import Api, RefusedError
from localcloud.providers.aws.provider import Aws
from localcloud.providers.protocol import UNKNOWN, InvalidInputsError, ResourceError, Values
from tests.localcloud.providers.aws.world import DEFAULT_TAGS, REGION, TRUST, World, about, census

pytestmark = pytest.mark.slow


def test_a_preview_validates_what_is_known_and_leaves_the_rest(world: World) -> None:
    subnet = about("aws:ec2/subnet:Subnet", "a", preview=True)
    checked = world.aws.check(subnet, {}, {"vpcId": UNKNOWN, "cidrBlock": "10.0.0.0/24"})
    resource_id, outputs = world.aws.create(subnet, checked)
    assert resource_id == ""
    assert outputs["arn"] is UNKNOWN
    assert outputs["availabilityZone"] is UNKNOWN
    assert outputs["cidrBlock"] == "10.0.0.0/24"
    assert outputs["tagsAll"] == DEFAULT_TAGS


def test_a_preview_of_a_cluster_knows_its_configuration_but_not_its_security_group(world: World) -> None:
    cluster = about("aws:eks/cluster:Cluster", "a", preview=True)
    config = {"subnetIds": UNKNOWN, "endpointPrivateAccess": True}
    checked = world.aws.check(cluster, {}, {"roleArn": UNKNOWN, "vpcConfig": config, "version": "1.34"})
    outputs = world.aws.create(cluster, checked)[1]
    assert outputs["vpcConfig"] == {**config, "clusterSecurityGroupId": UNKNOWN, "vpcId": UNKNOWN}
    assert outputs["endpoint"] is UNKNOWN


@pytest.mark.parametrize(
    ("token", "inputs", "path", "words"),
    [
        ("aws:ec2/vpc:Vpc", {"cidrBlok": "10.0.0.0/16"}, "cidrBlok", "would lose this"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": 5}, "", "Invalid type for parameter CidrBlock"),
        (
            "aws:ec2/subnet:Subnet",
            {"cidrBlock": "10.0.0.0/24"},
            "",
            'Missing required parameter in input: "VpcId"',
        ),
        (
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            {"bucket": "b", "rules": [{"status": "Enabled", "expiration": {"dais": 3}}]},
            "rules[0].expiration.dais",
            "did you mean Days?",
        ),
        (
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            {"bucket": "b", "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kmss"}}]},
            "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm",
            "did you mean aws:kms",
        ),
        (
            "aws:eks/addon:Addon",
            {"addonName": "vpc-cni"},
            "",
            'Missing required parameter in input: "clusterName"',
        ),
        ("aws:ec2/routeTable:RouteTable", {"vpcId": "vpc-1", "routes": [{}]}, "routes", "complete the row"),
    ],
)
def test_a_wrong_input_fails_the_preview(
    world: World, token: str, inputs: Values, path: str, words: str
) -> None:
    with pytest.raises(InvalidInputsError) as invalid:
        world.aws.check(about(token, "wrong", preview=True), {}, inputs)
    assert any(found == path and words in reason for found, reason in invalid.value.failures), invalid.value


def test_every_mistake_is_told_at_once(world: World) -> None:
    with pytest.raises(InvalidInputsError) as invalid:
        world.aws.check(about("aws:ec2/subnet:Subnet", "a"), {}, {"colour": "red", "size": 3})
    assert {path for path, _ in invalid.value.failures} == {"colour", "size", ""}


def test_an_unknown_type_names_the_table(world: World) -> None:
    with pytest.raises(ResourceError, match=r"aws:ec2/fleet:Fleet .*providers/aws/types\.yaml"):
        world.aws.check(about("aws:ec2/fleet:Fleet", "a"), {}, {})


def test_a_refusal_says_of_what_and_why(world: World) -> None:
    with pytest.raises(ResourceError) as failed:
        world.make("aws:ec2/subnet:Subnet", "lost", {"vpcId": "vpc-0", "cidrBlock": "10.0.0.0/24"})
    assert str(failed.value).startswith(
        "aws:ec2/subnet:Subnet lost: CreateSubnet was refused: InvalidVpcID.NotFound"
    )


def test_what_is_kept_needs_its_cluster(world: World) -> None:
    with pytest.raises(ResourceError, match="DescribeCluster was refused: ResourceNotFoundException"):
        world.make("aws:eks/addon:Addon", "lost", {"clusterName": "nowhere", "addonName": "coredns"})


def test_a_half_made_resource_is_taken_back(world: World) -> None:
    before = census()
    with pytest.raises(ResourceError, match="AttachInternetGateway was refused"):
        world.make("aws:ec2/internetGateway:InternetGateway", "half", {"vpcId": "vpc-0"})
    assert census() == before


def test_a_bucket_with_objects_of_pods_goes_only_by_force(world: World, endpoint: str) -> None:
    api, beside = Api(), {"Bucket": "of-pods.objects"}
    made = world.make("aws:s3/bucket:Bucket", "of-pods", {"bucket": "of-pods"})
    api.call(
        "s3", REGION, "CreateBucket", {**beside, "CreateBucketConfiguration": {"LocationConstraint": REGION}}
    )
    api.call("s3", REGION, "PutObject", {**beside, "Key": "weights", "Body": b"1"})
    with pytest.raises(ResourceError, match="BucketNotEmpty: of-pods has objects of pods"):
        world.aws.delete(made.resource, made.inputs, made.outputs)
    world.change("of-pods", {"forceDestroy": True})
    world.remove("of-pods")
    with pytest.raises(RefusedError) as refused:
        api.call("s3", REGION, "ListObjectsV2", beside)
    assert refused.value.gone


def test_a_change_that_no_call_can_make_replaces(world: World) -> None:
    aws, vpc = world.aws, about("aws:ec2/vpc:Vpc", "a", "vpc-1")
    diff = aws.diff(vpc, {"cidrBlock": "10.0.0.0/16"}, {}, {"cidrBlock": "10.1.0.0/16"})
    assert (diff.changed, diff.replaces, diff.delete_first) == (["cidrBlock"], ["cidrBlock"], False)
    role = about("aws:iam/role:Role", "a", "r")
    assert aws.diff(role, {"name": "r", "path": "/a/"}, {}, {"name": "r", "path": "/b/"}).delete_first
    moved = aws.diff(vpc, {}, {"region": "ap-south-2"}, {})
    assert moved.replaces == ["region"]


def test_names_are_filled_once_and_stay(world: World) -> None:
    role = about("aws:iam/role:Role", "Loader")
    first = world.aws.check(role, {}, {"assumeRolePolicy": TRUST})
    assert re.fullmatch(r"Loader-[0-9a-f]{7}", first["name"])
    assert first["__defaults"] == ["name"]
    again = world.aws.check(role, first, {"assumeRolePolicy": TRUST, "description": "new"})
    assert again["name"] == first["name"]
    assert world.aws.check(role, {}, {"assumeRolePolicy": TRUST})["name"] != first["name"]
    prefixed = world.aws.check(about("aws:s3/bucket:Bucket", "X"), {}, {"bucketPrefix": "raw-"})
    assert re.fullmatch(r"raw-[0-9a-f]{7}", prefixed["bucket"])


def test_a_preview_without_changes_asks_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    vpc = about("aws:ec2/vpc:Vpc", "a", "vpc-1")
    inputs = world.aws.check(vpc, {}, {"cidrBlock": "10.0.0.0/16"})
    fresh = Aws()
    fresh.configure({"region": REGION, "defaultTags": {"tags": DEFAULT_TAGS}})
    monkeypatch.setattr(Api, "__init__", lambda self: pytest.fail("a no-change preview needs no API"))
    assert fresh.check(vpc, inputs, {"cidrBlock": "10.0.0.0/16"}) == inputs
    assert fresh.diff(vpc, inputs, {"region": REGION}, inputs).changed == []
