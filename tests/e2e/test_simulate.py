"""A few simulated hours on a real control plane with real Karpenter: jobs wait, are reclaimed; nodes go when empty."""

from __future__ import annotations

import math
from pathlib import Path

import psutil
import pytest

from commands.simulate import cluster, command, design, observed, show, trace
from commands.simulate.account import History
from commands.simulate.cluster import Node, SimulationError
from commands.simulate.trace import COLUMNS
from localcloud.directories import run_dir as current_run_dir

pytestmark = pytest.mark.e2e

ROWS = """
0,replicas,chat,serve,1,1,,
1,job,whole,train,2,4,2,30
1.5,job,later,train,1,4,1,
6,replicas,chat,serve,2,1,,
6.5,replicas,chat,serve,1,1,,
6,job,small,train,1,1,1,
6,job,small,train,1,1,1,
7,job,group,fabric,1,8,2,30
"""
START = 5 / 60
RECLAIMED_AT = 1 + START + 0.75
FABRIC_RECLAIMED_AT = 8.25


def processes_below(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [""])[0].startswith(str(folder / cluster.NAME))
    ]


@pytest.fixture(scope="module")
def history(run_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> History:
    """Ten hours on the pools of `local`; the first nodes of `train` and `fabric` are reclaimed under a job."""
    file = tmp_path_factory.mktemp("trace") / "trace.csv"
    file.write_text(f"{','.join(COLUMNS)}{ROWS}")
    pools = design.read("local", "local")
    run = show.Run(str(file), 10, 7, seed=1, reclaims=1, start_minutes=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "reclaimed_after", reclaim_the_first)
        made = command.replay(pools, trace.read(file, [pools]), run, lambda done, total, what: None)
    assert current_run_dir() == run_dir, "the replay left its own run directory in the environment"
    return made


def reclaim_the_first(seed: int, pool: str, nth: int, per_hour: float) -> float:
    assert per_hour > 0
    return {("train", 1): RECLAIMED_AT - 1, ("fabric", 1): FABRIC_RECLAIMED_AT}.get((pool, nth), math.inf)


def test_jobs_run_wait_and_finish(history: History) -> None:
    began = {wait.name: wait.began for wait in history.waits if wait.kind == "job"}
    assert history.finished == history.jobs == 5
    assert began["whole.1"] == pytest.approx(1 + START)
    assert began["later.2"] == pytest.approx(RECLAIMED_AT + START + 1.5)  # when `whole` has ended


def test_a_reclaim_moves_the_pod_and_loses_work(history: History) -> None:
    (lost,) = [work for work in history.work if work.why == "reclaim" and work.pool == "train"]
    assert (lost.name, lost.lost) == ("whole.1", pytest.approx(0.25))
    reclaimed = [node for node in history.nodes if node.reclaimed and node.pool == "train"]
    assert [(node.pool, node.ended) for node in reclaimed] == [("train", pytest.approx(RECLAIMED_AT))]
    after = [node for node in history.nodes if node.pool == "train" and node.began == reclaimed[0].ended]
    assert len(after) == 1, "Karpenter brought one node in its place"


def test_karpenter_chose_spot_and_packed_small_jobs_on_one_node(history: History) -> None:
    late = [node for node in history.nodes if node.pool == "train" and node.began >= 6]
    assert [(node.machine_type, node.spot, node.gpus) for node in late] == [("g6.12xlarge", True, 4)]
    assert late[0].ended == pytest.approx(
        6 + START + 1 + START
    )  # started, worked, empty for consolidateAfter


def test_standing_nodes_are_replaced_and_system_nodes_stay(history: History) -> None:
    assert sorted(node.hours for node in history.nodes if node.pool == "fabric") == [1.75, 8.25]
    before, after = [work for work in history.work if work.pool == "fabric"]
    assert (before.began, before.lost) == (7, pytest.approx(0.25))
    assert (after.began, after.kept) == pytest.approx((FABRIC_RECLAIMED_AT + START, 1))
    assert [node.hours for node in history.nodes if node.pool == "system"] == [10, 10]


def test_everything_is_stopped_after(history: History, run_dir: Path) -> None:
    assert history.nodes
    assert processes_below(run_dir) == []
    assert not (run_dir / cluster.NAME).exists()


def test_an_error_in_the_middle_stops_everything_too(run_dir: Path) -> None:
    local = design.read("local", "local")
    with pytest.raises(KeyboardInterrupt), cluster.scratch(local, lambda done, total, what: None):
        assert processes_below(run_dir)
        with pytest.raises(SimulationError, match="another simulation runs"), cluster._own_run_dir(run_dir):
            pass
        raise KeyboardInterrupt
    assert processes_below(run_dir) == []
    assert not (run_dir / cluster.NAME).exists()


def test_a_node_says_what_it_is() -> None:
    """Karpenter's kwok provider gives a node the capacity that its pods asked for: what counts is the machine's."""
    labels = {"node.kubernetes.io/instance-type": "g6.12xlarge", "karpenter.sh/capacity-type": "spot"}
    status = {"capacity": {"nvidia.com/gpu": "1"}, "allocatable": {"nvidia.com/gpu": "4"}}
    item = {"metadata": {"name": "n", "labels": {**labels, "india-ai-infra/pool": "train"}}, "status": status}
    assert observed.node_of(item) == Node("n", "train", "g6.12xlarge", True, 4)


GOOGLE = """
0,job,night,google-serve,2,1,1,30
0.5,job,wide,google-train,1,8,1,30
"""


def test_googles_pools_take_part(run_dir: Path, tmp_path: Path) -> None:
    """On the stack of both clouds: nodes come from Google's machines, in its zones, at its prices."""
    file = tmp_path / "trace.csv"
    file.write_text(f"{','.join(COLUMNS)}{GOOGLE}")
    both = design.read("prod", "prod")
    run = show.Run(str(file), 3, 0.5, seed=1, reclaims=0, start_minutes=5)
    rows = trace.read(file, [both])
    made = command.replay(both, rows, run, lambda done, total, what: None)
    assert made.finished == made.jobs == 2
    lives = {node.pool: node for node in made.nodes}
    assert lives["google-serve"].machine_type == "g2-standard-4"
    assert lives["google-train"].machine_type == "a3-highgpu-8g"
    assert lives["google-serve"].spot, "the first way of the chain"
    assert all(lives[pool].zone.startswith("asia-south1-") for pool in ("google-serve", "google-train"))
    empty = [node.ended - node.began for node in made.nodes if node.pool == "google-train"]
    assert empty == [pytest.approx(START + 1 + 10 / 60)]
    system = [node.machine_type for node in made.nodes if node.pool == "system"]
    assert sorted(system) == ["e2-standard-8"] * 3 + ["m6a.2xlarge"] * 3
    result = show.Result.of(both, made)
    assert {line.pool for line in result.account.used} == {"google-serve", "google-train"}
    assert result.account.used_usd is not None
    seeds, off = command.other_seeds(both, rows, run, made)
    assert len(seeds) == command.SEEDS and off < show.MODEL_OFF
