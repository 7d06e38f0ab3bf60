"""Pools: which nodes are made how, where Google has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.catalog.choose import Asked, NoMachineError, choose
from infra.catalog.machines import everywhere, machine
from infra.catalog.resolved import resolve
from infra.contracts import Pool
from infra.gcp.cluster import Cluster, ClusterArgs
from infra.gcp.fabric import KINDS
from infra.gcp.network import Network, NetworkArgs
from infra.gcp.pools import ACCELERATORS, Pools, PoolsArgs
from infra.gcp.pools import describe as described
from infra.settings.google_pools import GOOGLE_POOL_NAME, GooglePool, GoogleSystemPool
from infra.settings.sharing import Sharing
from tests.mock_engine import once

CIDRS = ("10.64.0.0/20", "10.68.0.0/14", "10.65.0.0/20")
SERVE = GooglePool(name="serve", gpu="L4", max_gpus=8)
CHAIN = GooglePool(
    name="chain",
    gpu="L4",
    max_gpus=8,
    purchase=("reserved", "spot", "flex-start", "on-demand"),
    capacity_reservation="held",
    max_run_hours=24,
    expected_nodes=1.5,
)
ONE = GooglePool(name="one", gpu="H100", max_nodes=4)
TCPX = GooglePool(name="train", gpu="H100", gpus_per_node=8, fabric="tcpx", max_nodes=4, min_nodes=2)
RDMA = GooglePool(
    name="big",
    gpu="H200",
    gpus_per_node=8,
    fabric="rdma",
    max_nodes=2,
    purchase=("reserved",),
    capacity_reservation="held",
)
FLEXIBLE = RDMA.model_copy(
    update={"name": "flex", "elastic": True, "purchase": ("flex-start",), "capacity_reservation": None}
)
ELASTIC = GooglePool(name="grows", gpu="H100", gpus_per_node=8, fabric="tcpx", max_nodes=4, elastic=True)
CLOSE = GooglePool(name="close", gpu="L4", gpus_per_node=4, placement_group=True, max_nodes=2)


@pytest.fixture(scope="module")
def made(deploy, project, personal, key):
    def run(*asked, version="1.35"):
        def program():
            network = Network("net", NetworkArgs(project, "unit", *CIDRS))
            args = ClusterArgs(
                project, personal, "unit", version, network, key("cluster"), GoogleSystemPool()
            )
            cluster = Cluster("cluster", args)
            resolved = [resolve("asia-south1", each) for each in asked]
            return Pools("pools", PoolsArgs(project, personal, cluster, resolved, key("cluster"))).urn

        return deploy(program)

    return once(run)


def describe(region: str, version: str, *asked: GooglePool) -> dict[str, Pool]:
    return described(version, [resolve(region, each) for each in asked])


def pool(recorded, name):
    return recorded.one("container/nodePool:NodePool", f"pools-{name}").inputs


def test_a_pool_without_a_fabric_grows_from_zero_wherever_the_machine_is(made):
    serve = pool(made(SERVE), "serve")
    assert serve["autoscaling"] == {"totalMinNodeCount": 0, "totalMaxNodeCount": 8, "locationPolicy": "ANY"}
    assert serve["initialNodeCount"] == 0
    assert "nodeCount" not in serve and "placementPolicy" not in serve
    assert serve["nodeLocations"] == ["asia-south1-a", "asia-south1-b", "asia-south1-c"]
    assert pool(made(ONE), "one")["nodeLocations"] == ["asia-south1-c"], "the only zone with H100"


def test_its_nodes(made):
    nodes = pool(made(SERVE), "serve")["nodeConfig"]
    assert nodes["machineType"] == choose(["asia-south1"], Asked("L4")).machines[0].machine_type
    assert nodes["spot"] is True
    assert nodes["guestAccelerators"] == [
        {
            "type": "nvidia-l4",
            "count": 1,
            "gpuDriverInstallationConfig": {"gpuDriverVersion": "LATEST"},
        }
    ]
    assert nodes["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]
    assert nodes["labels"] == {"india-ai-infra/pool": "serve"}
    assert nodes["bootDiskKmsKey"].endswith("/cryptoKeys/cluster")
    assert nodes["gvnic"] == {"enabled": True}
    assert "ephemeralStorageLocalSsdConfig" not in nodes, "a g2 has no local disks of its own"


def test_a_chain_is_a_node_pool_for_each_way_and_a_class_that_has_them_in_order(made):
    recorded = made(CHAIN)
    spec = recorded.one("cloud.google.com/v1:ComputeClass", "pools-chain-class").inputs
    assert spec["metadata"]["name"] == "chain"
    names = [f"chain-{purchase}" for purchase in CHAIN.purchase]
    assert spec["spec"] == {
        "priorities": [{"nodepools": [name]} for name in names],
        "nodePoolAutoCreation": {"enabled": False},
        "activeMigration": {"optimizeRulePriority": False},
        "whenUnsatisfiable": "DoNotScaleUp",
    }
    pools = {name: pool(recorded, name) for name in names}
    assert [made_["name"] for made_ in pools.values()] == names
    for each in pools.values():
        nodes = each["nodeConfig"]
        assert nodes["labels"] == {
            "india-ai-infra/pool": "chain",
            "cloud.google.com/compute-class": "chain",
        }
        assert nodes["taints"] == [
            {"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"},
            {"key": "cloud.google.com/compute-class", "value": "chain", "effect": "NO_SCHEDULE"},
        ]
        assert each["autoscaling"]["totalMaxNodeCount"] == 8
        assert each["nodeLocations"] == ["asia-south1-a", "asia-south1-b", "asia-south1-c"]
    urns = {recorded.one("container/nodePool:NodePool", f"pools-{name}").urn for name in names}
    assert urns <= recorded.one("cloud.google.com/v1:ComputeClass").depends_on


def test_each_way_is_bought_as_google_sells_it(made):
    recorded = made(CHAIN)
    keys = ("spot", "flexStart", "maxRunDuration", "reservationAffinity")
    none = {"consumeReservationType": "NO_RESERVATION"}
    held = {
        "consumeReservationType": "SPECIFIC_RESERVATION",
        "key": "compute.googleapis.com/reservation-name",
        "values": ["held"],
    }
    bought = {
        purchase: {key: pool(recorded, f"chain-{purchase}")["nodeConfig"].get(key) for key in keys}
        for purchase in CHAIN.purchase
    }
    assert bought == {
        "reserved": dict(zip(keys, (False, None, None, held), strict=True)),
        "spot": dict(zip(keys, (True, None, None, none), strict=True)),
        "flex-start": dict(zip(keys, (False, True, "86400s", none), strict=True)),
        "on-demand": dict(zip(keys, (False, None, None, None), strict=True)),
    }
    flexible = pool(recorded, "chain-flex-start")
    assert flexible["management"]["autoRepair"] is False
    assert "nodeCount" not in flexible and "upgradeSettings" not in flexible
    assert pool(recorded, "chain-spot")["management"]["autoRepair"] is True


def test_the_bill_counts_on_the_first_way(made):
    recorded = made(CHAIN)
    said = {
        purchase: pool(recorded, f"chain-{purchase}")["nodeConfig"]["resourceLabels"].get("expected-nodes")
        for purchase in CHAIN.purchase
    }
    assert said == {"reserved": "1-5", "spot": "0", "flex-start": "0", "on-demand": "0"}
    assert "expected-nodes" not in pool(made(SERVE), "serve")["nodeConfig"]["resourceLabels"]


def test_one_way_needs_no_class(made):
    recorded = made(SERVE, ONE)
    assert not recorded.of("ComputeClass")
    assert set(recorded.of("container/nodePool:NodePool")) == {"cluster-system", "pools-serve", "pools-one"}
    assert pool(recorded, "serve")["nodeConfig"]["labels"] == {"india-ai-infra/pool": "serve"}


def test_every_way_of_an_elastic_pool_has_its_fabric(made):
    recorded = made(ELASTIC.model_copy(update={"purchase": ("spot", "on-demand")}))
    for purchase in ("spot", "on-demand"):
        cards = pool(recorded, f"grows-{purchase}")["networkConfig"]["additionalNodeNetworkConfigs"]
        assert len(cards) == 4
    assert len(recorded.of("gcp:Fabric")) == 1


def test_names_of_node_pools_are_not_too_long():
    longest = GooglePool(
        name="a" * GOOGLE_POOL_NAME, gpu="L4", max_nodes=1, purchase=("spot", "flex-start", "on-demand")
    )
    assert max(len(longest.node_pool(purchase)) for purchase in longest.purchase) == 40


@pytest.mark.parametrize(("version", "seconds", "grace"), [("1.35", 120, 105), ("1.34", None, 15)])
def test_pods_of_spot_nodes_ask_for_the_time_that_there_is(made, version, seconds, grace):
    recorded = made(SERVE, RDMA, version=version)
    kubelet = pool(recorded, "serve")["nodeConfig"]["kubeletConfig"]
    assert kubelet.get("shutdownGracePeriodSeconds") == seconds
    assert kubelet.get("shutdownGracePeriodCriticalPodsSeconds") == (seconds and 15)
    assert kubelet["insecureKubeletReadonlyPortEnabled"] == "FALSE"
    bought = pool(recorded, "big")["nodeConfig"]["kubeletConfig"]
    assert "shutdownGracePeriodSeconds" not in bought, "Google refuses it where nodes are not spot"
    seen = describe("asia-south1", version, SERVE, CHAIN, RDMA)
    assert {name: one.grace_seconds for name, one in seen.items()} == {
        "serve": grace,
        "chain": grace,
        "big": 110,
    }


@pytest.mark.parametrize(("asked", "zone"), [(TCPX, "asia-south1-c"), (RDMA, "asia-south1-b")])
def test_a_pool_with_a_fabric_stands_in_one_zone(made, asked, zone):
    recorded = made(asked)
    stands = pool(recorded, asked.name)
    assert stands["nodeLocations"] == [zone]
    assert stands["nodeCount"] == asked.static_nodes
    assert "autoscaling" not in stands
    assert stands["placementPolicy"]["type"] == "COMPACT"
    policy = recorded.one("compute/resourcePolicy:ResourcePolicy").inputs
    assert policy["groupPlacementPolicy"] == {"collocation": "COLLOCATED"}
    assert policy["region"] == "asia-south1"
    cards = stands["networkConfig"]["additionalNodeNetworkConfigs"]
    assert len(cards) == len(KINDS[asked.fabric].cards)
    assert len({card["subnetwork"] for card in cards}) == len(cards)
    assert stands["networkConfig"]["enablePrivateNodes"] is True


def test_fast_machines_have_their_disks(made):
    train = pool(made(TCPX), "train")["nodeConfig"]
    assert train["ephemeralStorageLocalSsdConfig"] == {"localSsdCount": 16}
    assert train["diskType"] == "pd-balanced"
    big = pool(made(RDMA), "big")["nodeConfig"]
    assert big["ephemeralStorageLocalSsdConfig"] == {"localSsdCount": 32}
    assert big["diskType"] == "hyperdisk-balanced"
    assert big["spot"] is False


def test_an_elastic_pool_with_a_fabric_grows_from_zero_in_its_zone(made):
    grows = pool(made(ELASTIC), "grows")
    assert grows["autoscaling"]["totalMinNodeCount"] == 0
    assert grows["nodeLocations"] == ["asia-south1-c"]
    assert len(grows["networkConfig"]["additionalNodeNetworkConfigs"]) == 4
    assert grows["placementPolicy"]["type"] == "COMPACT"


def test_a_placement_group_needs_no_fabric(made):
    recorded = made(CLOSE)
    close = pool(recorded, "close")
    assert close["nodeCount"] == 2
    assert len(close["nodeLocations"]) == 1
    assert "additionalNodeNetworkConfigs" not in close["networkConfig"]
    assert not recorded.of("gcp:Fabric")


def test_gpu_nodes_come_after_those_without(made):
    """GKE's own taint, and the operators, hang on it."""
    recorded = made(TCPX)
    system = recorded.one("container/nodePool:NodePool", "cluster-system").urn
    assert system in recorded.one("container/nodePool:NodePool", "pools-train").depends_on


def test_pools_as_pods_see_them():
    seen = describe("asia-south1", "1.35", SERVE, TCPX, CHAIN)
    assert seen["serve"].limits == {"nvidia.com/gpu": "1"}
    assert seen["serve"].max_nodes == 8
    assert seen["train"].fabric == "tcpx"
    assert {pool.notices for pool in seen.values()} == {"google"}
    assert seen["train"].machine_types == ("a3-highgpu-8g",)
    assert seen["train"].node_selector == {"india-ai-infra/pool": "train"}
    assert seen["train"].tolerations == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert seen["chain"].node_selector == {
        "india-ai-infra/pool": "chain",
        "cloud.google.com/compute-class": "chain",
    }
    assert seen["chain"].tolerations[1] == {
        "key": "cloud.google.com/compute-class",
        "operator": "Equal",
        "value": "chain",
        "effect": "NoSchedule",
    }


def test_a_zone_without_the_machine_is_told():
    fast = {"name": "fast", "gpu": "H100", "gpusPerNode": 8, "fabric": "tcpx", "maxNodes": 1}
    assert resolve("asia-south2", GooglePool.model_validate(fast)).zones == ("asia-south2-b",)
    with pytest.raises(NoMachineError, match=r"zone asia-south2-a: .* where a3-highgpu-8g is: asia-south2-b"):
        resolve("asia-south2", GooglePool.model_validate({**fast, "zone": "asia-south2-a"}))


def test_every_gpu_of_google_has_its_name_there():
    assert set(ACCELERATORS) == {found.gpu for found in everywhere() if found.cloud == "gcp" and found.gpu}


def test_flex_start_nodes_with_a_fabric_come_from_zero_and_in_no_placement(made):
    recorded = made(FLEXIBLE)
    flexible = pool(recorded, "flex")
    assert flexible["autoscaling"]["totalMinNodeCount"] == 0
    assert flexible["nodeConfig"]["flexStart"] is True
    assert len(flexible["networkConfig"]["additionalNodeNetworkConfigs"]) == 9
    assert "placementPolicy" not in flexible
    assert not recorded.of("compute/resourcePolicy:ResourcePolicy")


@given(
    st.sampled_from(["asia-south1", "asia-south2"]),
    st.sampled_from(["T4", "L4", "H100", "H200"]),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from(["none", "tcpx", "rdma"]),
    st.sampled_from(["spot", "on-demand"]),
    st.integers(1, 500),
)
def test_whatever_is_chosen_exists_where_its_nodes_stand(region, gpu, count, fabric, purchase, most):
    asked = GooglePool(
        name="any", gpu=gpu, gpus_per_node=count, fabric=fabric, purchase=purchase, max_nodes=most
    )
    try:
        seen = describe(region, "1.35", asked)["any"]
    except NoMachineError:
        return
    found = machine(region, seen.machine_types[0])
    assert {*resolve(region, asked).zones} <= {*found.zones}
    assert found.zones and all(zone.startswith(region) for zone in found.zones)
    assert found.sold_as(purchase)
    assert found.gpu_count == count == int(seen.limits["nvidia.com/gpu"])
    assert fabric in ("none", *found.fabrics)
    if fabric != "none":
        assert found.extra_networks == len(KINDS[fabric].cards)


TURNS = GooglePool(name="turns", gpu="L4", max_nodes=2, sharing=Sharing(mode="time-slicing", parts=4))
CUT = GooglePool(name="cut", gpu="H100", max_nodes=2, sharing=Sharing(mode="mig", parts=7, profile="1g.10gb"))


@pytest.mark.parametrize(
    ("asked", "told", "memory"),
    [
        (
            TURNS,
            {"gpuSharingConfig": {"gpuSharingStrategy": "TIME_SHARING", "maxSharedClientsPerGpu": 4}},
            0.25,
        ),
        # Each instance has memory of its own, and a pod sees no other.
        (CUT, {"gpuPartitionSize": "1g.10gb"}, 1.0),
    ],
)
def test_gke_is_told_how_gpus_are_shared_and_pods_how_many_there_are(made, asked, told, memory):
    config = pool(made(asked), asked.name)["nodeConfig"]
    (gpus,) = config["guestAccelerators"]
    assert {
        key: value for key, value in gpus.items() if key.startswith(("gpuSharing", "gpuPartition"))
    } == told
    assert config["labels"]["india-ai-infra/gpu-shares"] == str(asked.parts)
    seen = describe("asia-south1", "1.35", asked)[asked.name]
    assert (seen.gpus_per_node, seen.gpu_parts) == (asked.parts, asked.parts)
    assert seen.limits == {"nvidia.com/gpu": str(asked.parts)}
    assert seen.gpu_memory_share == memory
