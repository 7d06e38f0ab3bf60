"""Pools: which nodes are made how, and that what is made is what EC2 and Karpenter take."""

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pulumi_kubernetes as kubernetes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema.validators import validator_for

from infra.aws import karpenter_pools, pools
from infra.aws.cluster import Cluster, ClusterArgs
from infra.aws.deployer import Deployer
from infra.aws.network import Network, NetworkArgs
from infra.aws.pools import Pools, PoolsArgs
from infra.catalog.choose import Asked, choose
from infra.catalog.machines import machine
from infra.catalog.resolved import resolve
from infra.contracts import Pool
from infra.settings.aws_pools import AwsPool
from infra.settings.google_pools import GooglePool
from infra.settings.pools import GpuPool, SystemPool
from infra.settings.sharing import Sharing
from tests.mock_engine import once
from tests.schemas import validate

SCHEMAS = Path(__file__).parents[2] / "schemas"
NAME = "india-ai-infra-unit"
KEY = "arn:aws:kms:ap-south-1:111122223333:key/cluster"
ZONES = ("aps1-az1", "aps1-az2", "aps1-az3")
EKS_OUTPUTS = {
    "aws:eks/cluster:Cluster": lambda given: {
        "endpoint": "https://eks.local",
        "certificateAuthority": {"data": "Q0E="},
        "vpcConfig": {**given["vpcConfig"], "clusterSecurityGroupId": "sg-cluster"},
    },
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 3},
}
RESERVATION = "cr-0123456789abcdef0"
FIXED = SystemPool(min_nodes=2, max_nodes=2)
SERVE = GpuPool(name="serve", gpu="L4", max_gpus=8)
TRAIN = GpuPool(name="train", gpu="L4", gpus_per_node=4, max_nodes=2, purchase=("spot", "on-demand"))
EFA = GpuPool(name="fabric", gpu="H100", gpus_per_node=8, fabric="efa", max_nodes=2, min_nodes=1)
CLOSE = GpuPool(
    name="close", gpu="A100", gpus_per_node=8, placement_group=True, max_nodes=2, purchase=("on-demand",)
)


@pytest.fixture(scope="module")
def made(deploy, account, personal):
    def run(*asked, system=FIXED):
        def program():
            network = Network(
                "net", NetworkArgs(account, personal, NAME, "10.0.0.0/16", ZONES, KEY, endpoints=())
            )
            cluster = Cluster(
                "cluster",
                ClusterArgs(
                    account,
                    personal,
                    NAME,
                    "1.35",
                    network,
                    [Deployer("", "arn:deployer")],
                    KEY,
                    KEY,
                    system,
                ),
            )
            release = kubernetes.helm.v3.Release("karpenter", chart="karpenter")
            return Pools(
                "pools",
                PoolsArgs(
                    account=account,
                    governance=personal,
                    cluster=cluster,
                    network=network,
                    pools=[resolve("ap-south-1", pool).within(network.zone_names) for pool in asked],
                    disk_key_arn=KEY,
                    instance_profile=f"{NAME}-karpenter",
                    karpenter=[release],
                ),
            ).urn

        return deploy(program, outputs=EKS_OUTPUTS)

    return once(run)


def describe(*asked: GpuPool) -> dict[str, Pool]:
    return pools.describe([resolve("ap-south-1", pool) for pool in asked])


def strict(schema):
    """The schema with unknown fields refused, as an API server with field validation refuses them."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(part) for key, part in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    return schema


@cache
def validator(api_version, kind):
    group, version = api_version.split("/")
    held = json.loads((SCHEMAS / group / f"{kind}_{version}.json").read_text())
    spec: Any = strict(held["schema"]["properties"]["spec"])
    made = validator_for(spec)
    made.check_schema(spec)
    return made(spec)


def valid(resource):
    validator(resource["apiVersion"], resource["kind"]).validate(resource["spec"])
    return resource["spec"]


def requirements(spec):
    return {need["key"]: need["values"] for need in spec["template"]["spec"]["requirements"]}


def test_a_pool_without_a_fabric_is_a_node_pool(made):
    recorded = made(SERVE)
    spec = valid(recorded.one("karpenter.sh/v1:NodePool").inputs)
    assert list(recorded.of("eks/nodeGroup:NodeGroup")) == ["cluster-system"]
    assert requirements(spec) == {
        "node.kubernetes.io/instance-type": [
            found.machine_type for found in choose(["ap-south-1"], Asked("L4")).machines
        ],
        "topology.kubernetes.io/zone": ["ap-south-1c", "ap-south-1b"],
        "karpenter.sh/capacity-type": ["spot"],
    }
    assert spec["limits"] == {"nvidia.com/gpu": "8"}
    assert spec["template"]["metadata"]["labels"] == {"india-ai-infra/pool": "serve"}
    assert spec["template"]["spec"]["taints"] == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    ]


def test_system_nodes_beyond_the_managed_group_are_a_node_pool_of_the_same_kind(made):
    recorded = made(SERVE, system=SystemPool(machine_type="m6a.2xlarge", min_nodes=2, max_nodes=5))
    group = recorded.one("eks/nodeGroup:NodeGroup", "cluster-system").inputs
    more = recorded.one("karpenter.sh/v1:NodePool", "pools-system").inputs
    spec = valid(more)
    (limit,) = spec["limits"].items()
    vcpus = machine("ap-south-1", "m6a.2xlarge").vcpus
    assert limit == ("cpu", f"{(5 - group['scalingConfig']['maxSize']) * vcpus:g}")
    assert requirements(spec) == {
        "node.kubernetes.io/instance-type": group["instanceTypes"],
        "topology.kubernetes.io/zone": ["ap-south-1c", "ap-south-1a", "ap-south-1b"],
        "karpenter.sh/capacity-type": ["on-demand"],
    }
    assert spec["template"]["metadata"]["labels"] == group["labels"]
    assert "taints" not in spec["template"]["spec"]
    # A pod that tolerates every taint must not start a machine with GPUs.
    serve = recorded.one("karpenter.sh/v1:NodePool", "pools-serve").inputs["spec"]
    assert spec["weight"] > serve.get("weight", 1)
    named = valid(recorded.one("v1:EC2NodeClass", "pools-system-class").inputs)
    template = recorded.one("launchTemplate:LaunchTemplate", "cluster-system").inputs
    disk = template["blockDeviceMappings"][0]["ebs"]["volumeSize"]
    assert named["blockDeviceMappings"][0]["ebs"]["volumeSize"] == f"{disk:g}Gi"
    assert spec["template"]["spec"]["nodeClassRef"]["name"] == "system"


def test_a_system_pool_that_does_not_grow_has_no_node_pool(made):
    recorded = made(system=SystemPool(min_nodes=3, max_nodes=3))
    assert not recorded.of("karpenter.sh/v1:NodePool")
    assert not recorded.of("v1:EC2NodeClass")


def test_node_pools_use_only_labels_that_every_karpenter_knows(made):
    recorded = made(SERVE, TRAIN)
    for found in recorded.of("karpenter.sh/v1:NodePool").values():
        assert not any("karpenter.k8s.aws/" in key for key in requirements(found.inputs["spec"]))


def test_a_chain_is_the_capacity_types_of_a_node_pool(made):
    recorded = made(SERVE, TRAIN)
    serve = recorded.one("karpenter.sh/v1:NodePool", "pools-serve").inputs["spec"]
    train = recorded.one("karpenter.sh/v1:NodePool", "pools-train").inputs["spec"]
    assert requirements(serve)["karpenter.sh/capacity-type"] == ["spot"]
    assert requirements(train)["karpenter.sh/capacity-type"] == ["spot", "on-demand"]


def test_what_is_reserved_has_a_class_of_its_own_that_takes_from_that_alone(made):
    held = GpuPool(
        name="held",
        gpu="L4",
        max_nodes=8,
        purchase=("reserved", "spot", "on-demand"),
        capacity_reservation=RESERVATION,
    )
    recorded = made(SERVE, held)
    spec = valid(recorded.one("karpenter.sh/v1:NodePool", "pools-held").inputs)
    assert requirements(spec)["karpenter.sh/capacity-type"] == ["reserved", "spot", "on-demand"]
    assert len(requirements(spec)["topology.kubernetes.io/zone"]) == 2, "spot is where it is to be had"
    assert spec["template"]["spec"]["nodeClassRef"]["name"] == "held"
    own = valid(recorded.one("EC2NodeClass", "pools-held-class").inputs)
    assert own["capacityReservationSelectorTerms"] == [{"id": RESERVATION}]
    shared = valid(recorded.one("EC2NodeClass", "pools-gpu.shared").inputs)
    assert "capacityReservationSelectorTerms" not in shared
    assert {**own, "capacityReservationSelectorTerms": 0, "tags": 0} == {
        **shared,
        "capacityReservationSelectorTerms": 0,
        "tags": 0,
    }


def test_nodes_that_stand_in_a_reservation_are_on_demand_ones(made):
    held = GpuPool(
        name="held",
        gpu="H100",
        gpus_per_node=8,
        fabric="efa",
        max_nodes=2,
        purchase=("reserved",),
        capacity_reservation=RESERVATION,
        zone="aps1-az2",
    )
    recorded = made(held)
    group = recorded.one("eks/nodeGroup:NodeGroup", "pools-held").inputs
    assert (group["capacityType"], group["instanceTypes"]) == ("ON_DEMAND", ["p5.48xlarge"])
    template = recorded.one("ec2/launchTemplate:LaunchTemplate", "pools-held").inputs
    assert "instanceMarketOptions" not in template and "instanceType" not in template
    target = template["capacityReservationSpecification"]["capacityReservationTarget"]
    assert target == {"capacityReservationId": RESERVATION}


def test_nodes_of_jobs_are_not_replaced_under_them(made):
    recorded = made(SERVE, TRAIN)
    for name, drifted in {"pools-serve": "1", "pools-train": "0"}.items():
        disruption = recorded.one("karpenter.sh/v1:NodePool", name).inputs["spec"]["disruption"]
        assert disruption["consolidationPolicy"] == "WhenEmpty"
        budgets = {budget["reasons"][0]: budget["nodes"] for budget in disruption["budgets"]}
        assert budgets == {"Empty": "100%", "Drifted": drifted}


def test_the_node_class(made):
    spec = valid(made(SERVE, TRAIN).one("EC2NodeClass").inputs)
    assert spec["amiSelectorTerms"] == [{"alias": "al2023@v20260903"}]
    assert spec["instanceProfile"] == f"{NAME}-karpenter"
    assert "role" not in spec
    assert spec["subnetSelectorTerms"] == [{"tags": {"karpenter.sh/discovery": NAME}}]
    (disk,) = spec["blockDeviceMappings"]
    assert (disk["ebs"]["encrypted"], disk["ebs"]["kmsKeyID"]) == (True, KEY)
    assert spec["metadataOptions"]["httpTokens"] == "required"
    assert spec["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert spec["instanceStorePolicy"] == "RAID0"
    assert spec["tags"]["dpdp:data-class"] == "personal"


def test_node_pools_go_before_karpenter_and_really_go(made):
    recorded = made(SERVE)
    release, node_class = recorded.one("Release"), recorded.one("EC2NodeClass")
    node_pool = recorded.one("karpenter.sh/v1:NodePool")
    assert {release.urn, node_class.urn} <= node_pool.depends_on
    assert release.urn in node_class.depends_on
    for found in (node_class, node_pool):
        assert found.deleted_with == "", "its machines would run on without it"
        assert found.provider


def test_an_efa_pool_is_a_node_group_in_one_zone(made):
    recorded = made(EFA)
    group = recorded.one("eks/nodeGroup:NodeGroup", "pools-fabric").inputs
    assert recorded.of("karpenter.sh/v1:NodePool") == {}
    assert recorded.of("EC2NodeClass") == {}
    assert group["instanceTypes"] == ["p5.48xlarge"]
    assert group["capacityType"] == "SPOT"
    assert group["amiType"] == "AL2023_x86_64_NVIDIA"
    assert group["releaseVersion"] == "1.35.7-20260903"
    assert group["scalingConfig"] == {"desiredSize": 1, "minSize": 1, "maxSize": 2}
    assert group["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]
    assert group["labels"] == {"india-ai-infra/pool": "fabric"}
    assert len(group["subnetIds"]) == 1
    assert group["launchTemplate"]["version"] == "3"


def test_its_launch_template(made):
    recorded = made(EFA)
    template = recorded.one("launchTemplate:LaunchTemplate", "pools-fabric").inputs
    group = recorded.one("securityGroup:SecurityGroup", "pools-fabric-efa")
    placement = recorded.one("placementGroup:PlacementGroup")
    cards = template["networkInterfaces"]
    assert len(cards) == 33
    assert [card["interfaceType"] for card in cards].count("efa-only") == 32
    assert all(card["associatePublicIpAddress"] == "false" for card in cards)
    assert all(len(card["securityGroups"]) == 2 and "sg-cluster" in card["securityGroups"] for card in cards)
    assert "vpcSecurityGroupIds" not in template, "EC2 refuses both"
    assert template["placement"] == {"groupName": placement.inputs["name"]}
    assert placement.inputs["strategy"] == "cluster"
    user_data = base64.b64decode(template["userData"]).decode()
    assert "RAID0" in user_data
    assert "RLIMIT_MEMLOCK" in user_data
    assert template["blockDeviceMappings"][0]["ebs"]["kmsKeyId"] == KEY
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert group.inputs["vpcId"]


def test_efa_passes_both_ways_between_the_nodes(made):
    group = made(EFA).one("securityGroup:SecurityGroup", "pools-fabric-efa").inputs
    (ingress,) = group["ingress"]
    to_itself, out = group["egress"]
    assert (ingress["protocol"], ingress["self"]) == ("-1", True)
    assert (to_itself["protocol"], to_itself["self"]) == ("-1", True)
    assert out["cidrBlocks"] == ["0.0.0.0/0"]


def test_a_placement_group_without_a_fabric(made):
    recorded = made(CLOSE)
    template = recorded.one("launchTemplate:LaunchTemplate", "pools-close").inputs
    group = recorded.one("eks/nodeGroup:NodeGroup", "pools-close").inputs
    assert "networkInterfaces" not in template
    assert template["placement"] == {"groupName": f"{NAME}-close"}
    assert recorded.of("securityGroup:SecurityGroup").keys().isdisjoint({"pools-close-efa"})
    assert group["capacityType"] == "ON_DEMAND"
    assert group["scalingConfig"]["desiredSize"] == 2


def test_node_groups_wait_for_the_network_plug_in(made):
    recorded = made(EFA)
    group = recorded.one("eks/nodeGroup:NodeGroup", "pools-fabric")
    assert recorded.one("eks/addon:Addon", "cluster-vpc-cni").urn in group.depends_on


def test_pools_as_pods_see_them():
    seen = describe(SERVE, EFA)
    assert {pool.notices for pool in seen.values()} == {"aws"}
    assert [pool.name for pool in seen.values() if pool.locks_memory and pool.peer_environment] == ["fabric"]
    assert seen["serve"].limits == {"nvidia.com/gpu": "1"}
    assert seen["serve"].max_nodes == 8
    assert seen["fabric"].limits == {
        "nvidia.com/gpu": "8",
        "vpc.amazonaws.com/efa": "32",
    }
    assert seen["fabric"].node_selector == {"india-ai-infra/pool": "fabric"}
    assert seen["fabric"].tolerations == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_machines_of_one_group_have_the_same_number_of_interfaces():
    # g6e.24xlarge has 2 EFA interfaces, g6e.12xlarge 1: one launch template can't fit both.
    asked = AwsPool(name="a", gpu="L40S", gpus_per_node=4, fabric="efa", max_nodes=1, min_spot_saving=0)
    found = resolve("ap-south-1", asked).within(["aps1-az3", "aps1-az2"])
    assert len(found.choice.machines) == 2
    assert found.machine_types == ("g6e.12xlarge",)
    assert found.zone == "aps1-az3"


def test_a_network_without_the_machines_zone_is_told():
    found = resolve("ap-south-1", AwsPool(name="a", gpu="B200", gpus_per_node=8, fabric="efa", max_nodes=1))
    with pytest.raises(LookupError, match=r"p6-b200\.48xlarge is in aps1-az2; the network has aps1-az1"):
        found.within(["aps1-az1"])


@given(
    st.sampled_from([("L4", 1), ("L4", 4), ("L40S", 8), ("H100", 8), ("T4", 1), ("A10G", 4)]),
    st.sampled_from([("spot",), ("on-demand",), ("spot", "on-demand"), ("reserved", "spot", "on-demand")]),
    st.integers(1, 500),
)
def test_every_node_pool_is_one_that_karpenter_takes(shape, purchase, most):
    gpu, count = shape
    held = RESERVATION if "reserved" in purchase else None
    pool = GpuPool(
        name="any",
        gpu=gpu,
        gpus_per_node=count,
        purchase=purchase,
        capacity_reservation=held,
        max_nodes=most,
        min_spot_saving=0,
    )
    spec = karpenter_pools.node_pool(pool, resolve("ap-south-1", pool).machine_types, ["ap-south-1a"])
    valid({"apiVersion": karpenter_pools.NODE_POOL_API, "kind": "NodePool", "spec": spec})
    assert spec["limits"] == {pools.GPU_RESOURCE: str(most * count)}
    assert tuple(requirements(spec)["karpenter.sh/capacity-type"]) == purchase
    if count > 1:
        assert spec["disruption"]["consolidationPolicy"] == "WhenEmpty", "training is never packed together"
        assert {"nodes": "0", "reasons": ["Drifted"]} in spec["disruption"]["budgets"]
    for machine_type in requirements(spec)["node.kubernetes.io/instance-type"]:
        assert machine("ap-south-1", machine_type).gpu_count == count


def test_a_capacity_block_is_taken_through_the_launch_template(made):
    recorded = made(
        GpuPool(
            name="block",
            gpu="H100",
            gpus_per_node=8,
            fabric="efa",
            max_nodes=2,
            purchase=("capacity-block",),
            capacity_reservation=RESERVATION,
            zone="aps1-az2",
        ),
        EFA,
    )
    group = recorded.one("eks/nodeGroup:NodeGroup", "pools-block").inputs
    assert group["capacityType"] == "CAPACITY_BLOCK"
    assert "instanceTypes" not in group  # EKS refuses it on both
    assert group["subnetIds"] != recorded.one("eks/nodeGroup:NodeGroup", "pools-fabric").inputs["subnetIds"]
    template = recorded.one("ec2/launchTemplate:LaunchTemplate", "pools-block").inputs
    assert template["instanceType"] == "p5.48xlarge"
    assert template["instanceMarketOptions"] == {"marketType": "capacity-block"}
    assert template["capacityReservationSpecification"] == {
        "capacityReservationTarget": {"capacityReservationId": RESERVATION}
    }
    assert "placement" not in template
    assert "pools-block" not in recorded.of("placementGroup:PlacementGroup")


@pytest.mark.parametrize(("group", "placed"), [(False, None), ("held-group", "held-group")])
@pytest.mark.parametrize("elastic", [False, True])
def test_what_is_reserved_is_in_no_group_but_its_own(made, group, placed, elastic):
    held = AwsPool(
        name="held",
        gpu="H100",
        gpus_per_node=8,
        fabric="efa",
        elastic=elastic,
        max_nodes=2,
        purchase=("reserved",),
        capacity_reservation=RESERVATION,
        placement_group=group,
        zone=None if elastic else "aps1-az2",
    )
    recorded = made(held)
    assert not recorded.of("placementGroup:PlacementGroup"), (
        "a new one has none of the reservation's machines"
    )
    if elastic:
        selector = valid(recorded.one("EC2NodeClass").inputs).get("placementGroupSelector", {})
        assert selector.get("name") == placed
    else:
        template = recorded.one("ec2/launchTemplate:LaunchTemplate", "pools-held").inputs
        assert template.get("placement", {}).get("groupName") == placed


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (
            {"purchase": "capacity-block", "placement_group": True},
            "without placementGroup: the machines of a capacity block",
        ),
        (
            {"purchase": "reserved", "placement_group": True},
            "the name of the group that the reservation was made in",
        ),
        ({"purchase": "on-demand", "placement_group": "named"}, "only reserved takes the name of a group"),
    ],
)
def test_a_placement_group_that_could_hold_nothing_is_refused(asked, why):
    held = {} if asked["purchase"] == "on-demand" else {"capacity_reservation": RESERVATION}
    with pytest.raises(ValueError, match=why):
        AwsPool.model_validate(
            {"name": "held", "gpu": "H100", "gpusPerNode": 8, "fabric": "efa", "maxNodes": 2, **asked, **held}
        )


def test_a_group_has_a_name_on_aws_only():
    with pytest.raises(ValueError, match="only on AWS does it take the name of a group"):
        GooglePool(name="held", gpu="H100", gpus_per_node=8, max_nodes=2, placement_group="named")


@pytest.mark.parametrize(("gpu", "count"), [("H100", 8), ("H200", 8), ("B200", 8), ("A100", 8), ("L40S", 4)])
def test_an_elastic_pool_with_efa_has_the_same_layout_as_one_that_stands(made, gpu, count):
    asked = {"gpu": gpu, "gpus_per_node": count, "fabric": "efa", "max_nodes": 2, "min_spot_saving": 0}
    elastic, stands = GpuPool(name="elastic", elastic=True, **asked), GpuPool(name="stands", **asked)
    recorded = made(elastic, stands)
    node_class = valid(recorded.one("karpenter.k8s.aws/v1:EC2NodeClass").inputs)
    template = recorded.one("ec2/launchTemplate:LaunchTemplate", "pools-stands").inputs
    keys = ("networkCardIndex", "deviceIndex", "interfaceType")
    laid_out = [[one[key] for key in keys] for one in node_class["networkInterfaces"]]
    assert laid_out == [[one[key] for key in keys] for one in template["networkInterfaces"]]
    assert node_class["placementGroupSelector"] == {"name": f"{NAME}-elastic"}
    group = recorded.one("ec2/securityGroup:SecurityGroup", "pools-elastic-efa").inputs
    assert [rule["self"] for rule in (*group["ingress"], group["egress"][0])] == [True, True]
    assert len(node_class["securityGroupSelectorTerms"]) == 2
    spec = valid(recorded.one("karpenter.sh/v1:NodePool").inputs)
    assert len(requirements(spec)["topology.kubernetes.io/zone"]) == 1
    assert len(requirements(spec)["node.kubernetes.io/instance-type"]) == 1
    assert spec["template"]["spec"]["nodeClassRef"]["name"] == "elastic"
    seen = describe(elastic, stands)
    assert seen["elastic"].limits["vpc.amazonaws.com/efa"] == seen["stands"].limits["vpc.amazonaws.com/efa"]
    assert seen["elastic"].limits == seen["stands"].limits
    assert "RLIMIT_MEMLOCK" in node_class["userData"] and "RAID0" not in node_class["userData"]


def test_a_job_is_told_before_its_machine_is_taken(made):
    """Without the period Karpenter waits for pods that say do-not-disrupt, and EC2 does not wait for Karpenter."""
    spec = valid(made(SERVE).one("karpenter.sh/v1:NodePool").inputs)
    period = int(spec["template"]["spec"]["terminationGracePeriod"].removesuffix("s"))
    assert describe(SERVE)["serve"].grace_seconds < period < 120


SHARED = GpuPool(
    name="shared", gpu="L4", gpus_per_node=4, max_nodes=2, sharing=Sharing(mode="time-slicing", parts=3)
)


def test_a_pool_of_shared_gpus_counts_parts(made):
    recorded = made(SHARED, SERVE)
    spec = valid(recorded.one("karpenter.sh/v1:NodePool", "pools-shared").inputs)
    assert spec["template"]["metadata"]["labels"] == {
        "india-ai-infra/pool": "shared",
        "nvidia.com/device-plugin.config": "time-slicing-3",
        "india-ai-infra/gpu-shares": "12",
    }
    assert spec["limits"] == {"nvidia.com/gpu": "24"}
    overlay = recorded.one("karpenter.sh/v1alpha1:NodeOverlay").inputs
    validate(overlay)
    assert overlay["spec"] == {
        "requirements": [{"key": "karpenter.sh/nodepool", "operator": "In", "values": ["shared"]}],
        "capacity": {"nvidia.com/gpu": "12"},
    }
    # Karpenter knows what a node will have before it buys the first.
    overlay_urn = recorded.one("karpenter.sh/v1alpha1:NodeOverlay").urn
    assert overlay_urn in recorded.one("karpenter.sh/v1:NodePool", "pools-shared").depends_on
    assert overlay_urn not in recorded.one("karpenter.sh/v1:NodePool", "pools-serve").depends_on


def test_pods_see_the_parts_of_shared_gpus_and_a_share_of_their_memory():
    shared, serve = describe(SHARED, SERVE).values()
    assert (shared.gpus_per_node, shared.gpu_parts, shared.limits) == (12, 3, {"nvidia.com/gpu": "12"})
    assert shared.gpu_memory_share == pytest.approx(1 / 3)
    assert (serve.gpus_per_node, serve.gpu_parts, serve.gpu_memory_share) == (1, 1, 1.0)
