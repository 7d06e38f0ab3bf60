"""Designs on both clouds: Google's pools take part, nodes are paid in their zone, and other seeds have a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.simulate import command, design, show, trace
from commands.simulate.account import History, NodeLife, account
from commands.simulate.cluster import Node, Pod, node_pools, zone_names
from commands.simulate.design import NoDesignError
from commands.simulate.model import ModelCluster, kinds
from commands.simulate.reclaims import reclaimed_after
from commands.simulate.replay import Replay, Rules
from commands.simulate.trace import COLUMNS, Row
from infra.catalog.machines import machine
from infra.catalog.resolved import resolve
from infra.settings.aws_pools import AwsPool
from infra.settings.google_pools import GooglePool
from infra.settings.pools import SYSTEM_POOL
from localcloud.kubernetes.compute_classes import HEAVIEST
from tests.examples import examples

PROD, LOCAL = design.read("prod", "prod"), design.read("local", "local")
NOTHING = History(24, (), (), (), 0, 0)


def test_a_stack_on_both_clouds_has_all_its_pools() -> None:
    assert [place.region for place in PROD.places] == ["ap-south-1", "asia-south1"]
    assert {"serve", "google-serve", "google-train"} <= PROD.pools.keys()
    assert PROD.place_of("google-train").cloud == "gcp"
    assert PROD.place_of("serve").cloud == "aws"
    assert PROD.place_of(SYSTEM_POOL, "asia-south1-b").region == "asia-south1"
    assert not PROD.left_out


def test_googles_chain_is_a_node_pool_for_each_way_the_first_the_heaviest() -> None:
    made = node_pools(PROD.resolved["google-serve"], zone_names("asia-south1"))
    assert list(made) == ["google-serve-spot", "google-serve-on-demand"]
    assert [spec["weight"] for spec in made.values()] == [HEAVIEST, HEAVIEST - 1]
    for purchase, spec in zip(("spot", "on-demand"), made.values(), strict=True):
        asked = {need["key"]: need["values"] for need in spec["template"]["spec"]["requirements"]}
        assert asked["karpenter.sh/capacity-type"] == [purchase]
        assert asked["node.kubernetes.io/instance-type"] == ["g2-standard-4"]
        assert spec["template"]["metadata"]["labels"] == {"india-ai-infra/pool": "google-serve"}
        assert spec["limits"] == {"nvidia.com/gpu": "16"}
        assert spec["disruption"]["consolidateAfter"] == "Never"


def test_nothing_is_reserved_in_a_replay_and_flex_start_is_bought_on_demand() -> None:
    common = {"name": "train", "gpu": "L4", "maxNodes": 2}
    held = GooglePool.model_validate(
        {**common, "purchase": ["reserved", "spot"], "capacityReservation": "held"}
    )
    flex = GooglePool.model_validate({**common, "purchase": "flex-start"})
    for pool, purchases in ((held, {"train-spot": "spot"}), (flex, {"train": "on-demand"})):
        made = node_pools(resolve("asia-south1", pool), zone_names("asia-south1"))
        bought = {name: spec["template"]["spec"]["requirements"][-1]["values"] for name, spec in made.items()}
        assert bought == {name: [purchase] for name, purchase in purchases.items()}


def test_amazons_pool_is_one_node_pool() -> None:
    (name,) = node_pools(LOCAL.resolved["train"], zone_names("ap-south-1"))
    assert name == "train"


@pytest.mark.parametrize("zone", machine("ap-south-1", "p5.48xlarge").zones)
def test_a_spot_node_costs_what_its_zone_asks(zone: str) -> None:
    life = NodeLife("n", "fabric", "p5.48xlarge", True, 8, 0, 10, zone=zone)
    (line,) = show.priced(LOCAL, replace(NOTHING, nodes=(life,))).lines
    price = machine("ap-south-1", "p5.48xlarge").price("spot", (zone,))
    assert price and line.usd == pytest.approx(10 * price)


def test_googles_nodes_cost_googles_prices() -> None:
    lives = (
        NodeLife("a", "google-serve", "g2-standard-4", False, 1, 0, 10, zone="asia-south1-a"),
        NodeLife("b", SYSTEM_POOL, "e2-standard-8", False, 0, 0, 10, zone="asia-south1-b"),
        NodeLife("c", SYSTEM_POOL, "m6a.2xlarge", False, 0, 0, 10, zone="aps1-az1"),
    )
    lines = {line.pool: line.usd for line in show.priced(PROD, replace(NOTHING, nodes=lives)).lines}
    each = [
        machine(*at).on_demand_usd
        for at in (("asia-south1", "g2-standard-4"), ("asia-south1", "e2-standard-8"))
    ]
    assert each[0] and each[1] and (amazon := machine("ap-south-1", "m6a.2xlarge").on_demand_usd)
    assert lines == {
        "google-serve": pytest.approx(10 * each[0]),
        SYSTEM_POOL: pytest.approx(10 * (each[1] + amazon)),
    }


def test_empty_nodes_stay_as_long_as_each_clouds_autoscaler_lets_them() -> None:
    run = show.Run("t.csv", 24, 20, 1, 1, 5)
    empty = command.rules(PROD, run).empty_for
    assert empty["google-serve"] == pytest.approx(10 / 60)
    assert empty["serve"] == pytest.approx(5 / 60)


@pytest.mark.parametrize(
    ("text", "pools"),
    [
        (
            "- {name: train, gpu: L4, maxNodes: 1}",
            {"train", "google-serve", "google-train", "google-pretrain"},
        ),
        ("gcp: [{name: one, gpu: L4, maxNodes: 1}]", {"one", "serve", "batch", "train", "pretrain"}),
    ],
)
def test_a_file_stands_in_for_the_pools_of_one_cloud(text: str, pools: set[str], tmp_path: Path) -> None:
    file = tmp_path / "pools.yaml"
    file.write_text(text)
    assert set(design.read(str(file), "prod").pools) == pools


def test_a_file_for_a_cloud_that_the_stack_is_not_on_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pools.yaml"
    file.write_text("gcp: [{name: one, gpu: L4, maxNodes: 1}]")
    with pytest.raises(NoDesignError, match="one for each cloud of the stack"):
        design.read(str(file), "local")


def test_a_trace_may_name_googles_pools(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(f"{','.join(COLUMNS)}\n0,job,a,google-train,4,8,2,30\n")
    (row,) = trace.read(file, [PROD])
    assert row.pool == "google-train"


POOLS = {
    "serve": AwsPool(name="serve", gpu="L4", max_nodes=3),
    "train": AwsPool(name="train", gpu="L4", gpus_per_node=4, max_nodes=2),
}
KINDS = {
    "serve": Node("", "serve", "g6.xlarge", False, 1, "aps1-az1"),
    "train": Node("", "train", "g6.12xlarge", True, 4, "aps1-az1"),
}
rows_ = st.lists(
    st.builds(
        lambda at, hours, gpus: Row(
            at_hours=at,
            kind="job",
            name="job",
            pool="train",
            pods=1,
            gpus=gpus,
            hours=hours,
            checkpoint_minutes=30,
        ),
        st.floats(0, 20),
        st.floats(0.1, 5),
        st.sampled_from([1, 2, 4]),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=examples(40), deadline=None)
@given(rows_, st.integers(1, 50), st.floats(0, 0.3))
def test_the_model_keeps_the_pools_limits_and_loses_no_gpu_hour(
    rows: list[Row], seed: int, hazard: float
) -> None:
    rules = Rules(
        hours=30,
        rooms={"serve": 3, "train": 8},
        empty_for=dict.fromkeys(POOLS, 0.2),
        start=0.1,
        reclaimed_after=lambda node, nth: reclaimed_after(seed, node.pool, nth, hazard),
    )
    ordered = sorted(rows, key=lambda row: row.at_hours)
    history = Replay(ordered, lambda row: row.pool, ModelCluster(POOLS, KINDS), rules).run()
    made = account(history, lambda node, purchase: 1.0)
    for line in made.lines:
        assert line.gpu_hours == pytest.approx(line.worked + line.lost + line.idle)
        assert line.idle >= -1e-6
    for node in history.nodes:
        beside = [other for other in history.nodes if other.began <= node.began < other.ended]
        assert len(beside) <= 2
        assert (node.machine_type, node.gpus, node.zone) == ("g6.12xlarge", 4, "aps1-az1")


def test_in_the_model_serving_evicts_training_where_it_has_to() -> None:
    cluster = ModelCluster({"train": POOLS["train"]}, KINDS)
    cluster.place([Pod(f"job-{n}", "job", "train", 4) for n in range(2)])
    cluster.scale(Pod("chat", "chat", "train", 2), 1)
    seen = cluster.settle()
    assert sum(pod.workload == "chat" and pod.node is not None for pod in seen.pods.values()) == 1
    assert sum(pod.workload == "job" and pod.node is not None for pod in seen.pods.values()) == 1
    cluster = ModelCluster({"train": POOLS["train"]}, KINDS)
    cluster.place([Pod(f"job-{n}", "job", "train", 4) for n in range(3)])
    waiting = [pod for pod in cluster.settle().pods.values() if pod.node is None]
    assert len(waiting) == 1, "training evicts nobody"


def test_the_model_has_the_machines_that_the_replay_chose() -> None:
    life = NodeLife("n", "train", "g6.12xlarge", False, 4, 0, 10, zone="aps1-az2")
    found = kinds(LOCAL, replace(NOTHING, nodes=(life,)))
    assert found["train"] == Node("", "train", "g6.12xlarge", False, 4, "aps1-az2")
    assert found["serve"].machine_type == LOCAL.resolved["serve"].machine.machine_type
    cluster = ModelCluster.of(LOCAL, NOTHING)
    assert [node.pool for node in cluster.settle().nodes.values()] == ["fabric"]


def test_other_seeds_cost_what_the_model_says_beside_what_was_replayed() -> None:
    run = show.Run(str(command.TRACE), 48, 160, seed=1, reclaims=3, start_minutes=5)
    rows = trace.read(command.TRACE, [LOCAL])
    cluster = ModelCluster.of(LOCAL, NOTHING)
    history = Replay(rows, command._pool_name(LOCAL), cluster, command.rules(LOCAL, run)).run()
    seeds, off = command.other_seeds(LOCAL, rows, run, history)
    cost = show.priced(LOCAL, history).used_usd
    assert (len(seeds), seeds[0], off) == (command.SEEDS, cost, 0)
    assert len(set(seeds)) > 1, "another seed has other luck"
    assert cost and all(usd and 0.5 * cost < usd < 2 * cost for usd in seeds)
    calm = command.other_seeds(LOCAL, rows, replace(run, reclaims=0), history)[0]
    assert len(set(calm[1:])) == 1, "without reclaims there is no luck"
