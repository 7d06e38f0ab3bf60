"""Lake and GpuCluster in somebody else's program: what they make, and what they refuse in one message."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pulumi
import pytest
from pulumi.errors import InputPropertiesError

from india_ai_infra import (
    Access,
    ArgumentsError,
    ExistingNetwork,
    GpuCluster,
    GpuClusterArgs,
    GpuPool,
    Lake,
    LakeArgs,
    Network,
    Sharing,
)
from india_ai_infra.provider import components

LAKE = LakeArgs(region="ap-south-1", owner="data", purpose="support models")
GOOGLE_LAKE = replace(LAKE, region="asia-south1", project="unit-project")
ACCESS = Access(deployers=["role/india-ai-infra-deployer"], cidrs=["10.1.0.0/16"])
CLUSTER = GpuClusterArgs(
    region="ap-south-1",
    owner="ml",
    purpose="support models",
    access=ACCESS,
    pools=[GpuPool(name="train", gpu="L4", gpus_per_node=4, max_nodes=2)],
)
GOOGLE_CLUSTER = replace(
    CLUSTER,
    region="asia-south1",
    project="unit-project",
    access=replace(ACCESS, deployers=["group:ml@example.in"]),
)


EKS = {
    "aws:eks/cluster:Cluster": {
        "endpoint": "https://unit.eks",
        "certificateAuthority": {"data": "Q0E="},
        "vpcConfig": {"clusterSecurityGroupId": "sg-cluster"},
    }
}


@pytest.mark.parametrize("args", [LAKE, GOOGLE_LAKE], ids=["aws", "google"])
def test_two_lakes_of_one_program_are_apart(deploy, args):
    made = deploy(lambda: {name: Lake(name, args).buckets for name in ("crawl", "sales")})
    assert set(made.result["crawl"]) == {"raw", "curated", "features", "models", "checkpoints", "audit"}
    assert not {*made.result["crawl"].values()} & {*made.result["sales"].values()}
    twice = [urn for urn, times in Counter(each.urn for each in made.resources).items() if times > 1]
    assert twice == []


def test_a_lake_is_under_its_key_and_goes_with_it(deploy):
    made = deploy(lambda: {"uris": (lake := Lake("crawl", LAKE)).uris, "key": lake.key})
    assert made.result["uris"]["raw"].startswith("s3://crawl-raw")
    policy = made.one("s3/bucketPolicy:BucketPolicy", "crawl-raw").policy()
    assert policy["OnlyThisKey"]["Condition"]["ArnNotEquals"].popitem()[1] == made.result["key"]
    assert made.one("s3/bucket:Bucket", "crawl-raw").protect
    open_ = deploy(lambda: Lake("crawl", replace(LAKE, protect_data=False)).buckets)
    assert not open_.one("s3/bucket:Bucket", "crawl-raw").protect
    assert set(open_.of("kms/key:Key")) == {"crawl-keys-lake", "crawl-keys-logs"}


def test_a_lake_of_google_has_no_key_that_nobody_uses(deploy):
    made = deploy(lambda: Lake("crawl", replace(GOOGLE_LAKE, dual_region=True)).uris)
    assert made.result["raw"].startswith("gs://")
    assert set(made.of("kms/cryptoKey:CryptoKey")) == {"crawl-keys-lake", "crawl-keys-logs"}
    assert not made.of("projects/serviceIdentity:ServiceIdentity")
    assert made.one("storage/bucket:Bucket", "crawl-raw").inputs["location"] == "IN"
    assert made.one("storage/bucket:Bucket", "crawl-audit").inputs["location"] == "ASIA-SOUTH1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "kind"),
    [(CLUSTER, "eks/cluster:Cluster"), (GOOGLE_CLUSTER, "container/cluster:Cluster")],
    ids=["aws", "google"],
)
def test_two_clusters_of_one_program_are_apart(deploy, args, kind):
    second = replace(args, network=Network(cidr="10.32.0.0/16"))
    made = deploy(
        lambda: [
            GpuCluster(name, given).cluster_name for name, given in (("train", args), ("serve", second))
        ],
        outputs=EKS,
    )
    assert set(made.of(kind)) == {"train", "serve"}
    twice = [urn for urn, times in Counter(each.urn for each in made.resources).items() if times > 1]
    assert twice == []
    suffix = "-gcp" if args is GOOGLE_CLUSTER else ""
    assert made.result == [f"train-unit{suffix}", f"serve-unit{suffix}"]


def test_a_cluster_has_what_its_pools_need(deploy):
    made = deploy(lambda: GpuCluster("train", CLUSTER).cluster.pools["train"].machine_types, outputs=EKS)
    releases = {each.inputs["name"] for each in made.of("helm.sh/v3:Release").values()}
    assert {"karpenter", "gpu-operator", "kueue"} <= releases
    node_pool = made.one("karpenter.sh/v1:NodePool", "train-pools-train").inputs["spec"]
    (types,) = (
        each["values"]
        for each in node_pool["template"]["spec"]["requirements"]
        if each["key"] == "node.kubernetes.io/instance-type"
    )
    assert set(types) == set(made.result)


def test_pods_share_the_gpus_of_a_pool_that_says_so(deploy):
    shared = GpuPool(name="small", gpu="L4", max_nodes=2, sharing=Sharing(mode="time-slicing", parts=4))
    made = deploy(lambda: GpuCluster("small", replace(CLUSTER, pools=[shared])).cluster_name, outputs=EKS)
    assert made.one("NodeOverlay").inputs["spec"]["capacity"] == {"nvidia.com/gpu": "4"}


def test_a_network_that_exists_gets_nothing_made_in_it(deploy):
    ours = {"karpenter.sh/discovery": "train-unit"}
    existing = ExistingNetwork(
        vpc_id="vpc-00000001", private_subnet_ids=["subnet-0000000a", "subnet-0000000b"]
    )
    args = replace(CLUSTER, network=Network(existing=existing))
    answers = {"aws:ec2/getSubnet:getSubnet": lambda _: {"tags": ours, "availableIpAddressCount": 4000}}
    made = deploy(lambda: GpuCluster("train", args).cluster_name, outputs=EKS | answers)
    assert not made.of("ec2/vpc:Vpc") and not made.of("ec2/subnet:Subnet")
    nodes = made.one("eks/nodeGroup:NodeGroup").inputs["subnetIds"]
    assert nodes == ["subnet-0000000a", "subnet-0000000b"]


def test_the_provider_of_its_options_is_that_of_all_it_makes(deploy):
    def program():
        here = pulumi.ProviderResource("aws", "mumbai", {"region": "ap-south-1"})
        return Lake("crawl", LAKE, pulumi.ResourceOptions(providers=[here])).buckets

    made = deploy(program)
    assert {"::mumbai::" in each.provider for each in made.resources if each.type.startswith("aws:")} == {
        True
    }


def fails(deploy, program) -> str:
    with pytest.raises(ArgumentsError) as error:
        deploy(program)
    return str(error.value)


def test_all_that_is_wrong_is_in_one_message(deploy):
    wrong = replace(
        CLUSTER,
        owner="",
        access=Access(cidrs=["10.1.0.0/16"]),
        pools=[GpuPool(name="train", gpu="H1000", max_nodes=2), GpuPool(name="Serve", gpu="L4")],
    )
    said = fails(deploy, lambda: GpuCluster("train", wrong))
    assert said.startswith("GpuCluster train: 5 arguments are wrong:\n")
    for path in (
        "owner: ",
        "access.deployers: nothing",
        "pools[0].gpu: H1000",
        "pools[1].name: Serve",
        "pools[1].maxGpus: ",
    ):
        assert f"\n  {path}" in said, said


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (replace(LAKE, region="us-east-1"), "region: us-east-1\n      allowed: ap-south-1 (Mumbai)"),
        (
            replace(LAKE, project="unit-project"),
            "project: unit-project\n      allowed: only with a region of Google",
        ),
        (replace(LAKE, retention_days=30), "retentionDays: 30\n      allowed: at least 365 days"),
        (replace(LAKE, data_class="secret"), "dataClass: secret\n      allowed: personal, sensitive"),
        (replace(GOOGLE_LAKE, project=None), "project: nothing\n      allowed: it must be given"),
        (replace(LAKE, owner=pulumi.Output.from_input("x")), "owner: an output of another resource"),
        (
            replace(LAKE, region="ap-south-2"),
            "region: ap-south-2\n      allowed: ap-south-1, where its AWS provider is",
        ),
    ],
)
def test_a_wrong_argument_of_a_lake_says_what_is_allowed(deploy, args, said):
    assert said in fails(deploy, lambda: Lake("crawl", args))


def test_a_name_that_a_cloud_would_not_take_is_refused(deploy):
    assert "nearest: my-lake" in fails(deploy, lambda: Lake("My lake", LAKE))


def test_a_network_that_will_not_do_is_told_by_the_names_of_the_arguments(deploy):
    existing = ExistingNetwork(vpc_id="vpc-00000009", private_subnet_ids=["subnet-0000000a"])
    args = replace(CLUSTER, network=Network(existing=existing))
    said = fails(deploy, lambda: GpuCluster("train", args))
    assert "  network.existing.vpcId: vpc-00000009\n" in said


def test_a_deployer_who_is_not_listed_is_told(deploy):
    args = replace(CLUSTER, access=replace(ACCESS, deployers=["role/ci"]))
    assert "  access.deployers: role/ci\n" in fails(deploy, lambda: GpuCluster("train", args))


def test_a_mapping_does_as_well_as_the_class(deploy):
    """A component provider is given one, with whole numbers as 2.0."""
    given: Any = {
        "region": "ap-south-1",
        "owner": "ml",
        "purpose": "support models",
        "access": {"deployers": ["role/india-ai-infra-deployer"], "security_groups": ["sg-00000001"]},
        "pools": [{"name": "train", "gpu": "L4", "gpus_per_node": 4.0, "max_nodes": 2.0}],
    }
    by_class, by_mapping = (
        deploy(lambda args=args: GpuCluster("train", args).cluster_name, outputs=EKS)
        for args in (CLUSTER, given)
    )
    pools = [
        each.one("karpenter.sh/v1:NodePool", "train-pools-train").inputs for each in (by_class, by_mapping)
    ]
    assert pools[0] == pools[1]


LAKE_INPUTS = {"region": "ap-south-1", "owner": "data", "purpose": "support models", "retentionDays": 400.0}


def test_the_component_provider_makes_what_a_program_in_python_does(deploy):
    token = "india-ai-infra:index:Lake"
    made = deploy(lambda: components("1.0.0").construct("crawl", token, LAKE_INPUTS).state["buckets"])
    assert made.result == deploy(lambda: Lake("crawl", LAKE).buckets).result
    rules = "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    assert made.one(rules, "crawl-raw").inputs["rules"][0]["expiration"] == {"days": 400}


def test_the_component_provider_names_the_inputs_that_are_wrong(deploy):
    wrong = {**LAKE_INPUTS, "retentionDays": 30.0, "dataClass": "secret"}
    with pytest.raises(InputPropertiesError) as error:
        deploy(lambda: components("1.0.0").construct("crawl", "india-ai-infra:index:Lake", wrong))
    by_path = {each["property_path"]: each["reason"] for each in error.value.errors or ()}
    assert by_path.keys() == {"dataClass", "retentionDays"}
    assert "allowed: personal, sensitive" in by_path["dataClass"]
