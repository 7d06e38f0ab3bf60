"""The loop: every mesh trains as one process does, over every kind of restart."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.training.trainer.conftest import RECIPE, Ended, Ranks

pytestmark = pytest.mark.slow

# Sums of other orders, in fp32.
CLOSE = 2e-5


def same_curve(losses: dict[int, float], whole: Ended) -> None:
    assert losses == pytest.approx(whole.losses, abs=CLOSE)


def test_one_process_learns(whole: Ended) -> None:
    assert list(whole.losses) == list(range(1, 13))
    assert whole.losses[12] < whole.losses[1] - 0.5


@pytest.mark.parametrize(
    "mesh",
    [{}, {"replicate": 4}, {"replicate": 2}, {"tensor": 2}],
    ids=["shard 4", "replicate 4", "replicate 2 x shard 2", "shard 2 x tensor 2"],
)
def test_every_mesh_gives_the_curve_of_one_process(
    ranks: Ranks, whole: Ended, tmp_path: Path, mesh: dict[str, int]
) -> None:
    same_curve(ranks.train(tmp_path, mesh=mesh).losses, whole)


def test_parts_of_a_batch_and_recomputed_activations_change_no_loss(
    ranks: Ranks, whole: Ended, tmp_path: Path
) -> None:
    ended = ranks.train(tmp_path, 2, accumulate=3, activationCheckpointing=True)
    same_curve(ended.losses, whole)


def test_bf16_trains(ranks: Ranks, whole: Ended, tmp_path: Path) -> None:
    ended = ranks.train(tmp_path, 2, precision="bf16")
    assert ended.losses[12] == pytest.approx(whole.losses[12], rel=0.02)
    assert ended.losses != whole.losses


# torch traces the layers and their gradients as for a GPU. The machine code that Inductor makes
# of them is left out: it takes a C++ compiler a minute.
COMPILED = """
import sys
import torch
from torch._dynamo.utils import counters
from trainer.__main__ import main
whole = torch.nn.Module.compile
torch.nn.Module.compile = lambda module: whole(module, backend="aot_eager")
code = main(sys.argv[1:])
print(f"event=compiled graphs={counters['stats']['unique_graphs']} breaks={len(counters['graph_break'])} code={code}")
"""


def test_compiled_layers_train_as_others_do(ranks: Ranks, whole: Ended, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({**RECIPE, "compile": True}))
    printed = ranks.script(
        COMPILED, f"--recipe={recipe}", f"--checkpoint-uri={tmp_path / 'c'}", "--progress-seconds=0"
    )
    assert Ended([0], printed).losses == pytest.approx(whole.losses, abs=2e-5)
    assert "event=compiled graphs=" in printed and " breaks=0 code=0" in printed
    assert "graphs=0" not in printed


def stop_at(ranks: Ranks, checkpoints: Path, step: int, world: int, **changes: Any) -> Ended:
    running = ranks.start(checkpoints, world, **changes)
    running.wait_for(f"\nstep={step}/")
    running.kill(world - 1, signal.SIGTERM)
    ended = running.end()
    assert ended.codes == [75] * world, ended.output
    return ended


def test_other_worlds_and_meshes_go_on_where_the_ones_before_were_stopped(
    ranks: Ranks, whole: Ended, tmp_path: Path
) -> None:
    losses = stop_at(ranks, tmp_path, 2, 4).losses
    losses |= stop_at(ranks, tmp_path, 5, 2).losses
    losses |= stop_at(ranks, tmp_path, 8, 3).losses
    last = ranks.train(tmp_path, 4, mesh={"tensor": 2})
    assert min(last.losses) == max(losses) + 1, "no step is lost, and none done again"
    same_curve(losses | last.losses, whole)


def survives(ranks: Ranks, whole: Ended, folder: Path, seed: int, kills: int) -> None:
    """Kills one of four ranks `kills` times at random moments; the curve is as if nothing had happened."""
    moments = random.Random(seed)
    losses: dict[int, float] = {}
    for _ in range(kills):
        running = ranks.start(folder)
        done = max(losses, default=0)
        running.wait_for(f"\nstep={min(12, done + moments.randint(0, 3))}/", or_end=True)
        time.sleep(moments.random() / 20)
        with_notice = moments.random() < 0.5
        running.kill(moments.randrange(4), signal.SIGTERM if with_notice else signal.SIGKILL)
        ended = running.end()
        finished = 0 in ended.codes
        assert with_notice <= (set(ended.codes) <= {0, 75}), ended.output
        for step, loss in ended.losses.items():
            assert losses.get(step, loss) == pytest.approx(loss, abs=CLOSE), (
                "a step done again gives its loss again"
            )
        losses |= ended.losses
        if finished:
            break
    last = ranks.train(folder)
    same_curve(losses | last.losses, whole)


@pytest.mark.parametrize("seed", range(10))
def test_a_rank_killed_at_random_moments_changes_no_loss(
    ranks: Ranks, whole: Ended, tmp_path: Path, seed: int
) -> None:
    survives(ranks, whole, tmp_path, seed, kills=3)


def test_a_step_that_hangs_ends_with_a_record(ranks: Ranks, tmp_path: Path) -> None:
    running = ranks.start(tmp_path, 2, steps=100_000, arguments=["--timeout-seconds=3"])
    running.wait_for("\nstep=3/")
    running.kill(1, signal.SIGSTOP)
    running.wait_for("event=hung rank=0")
    running.kill(1, signal.SIGKILL)
    ended = running.end()
    assert ended.codes == [70, -9]
    record = re.search(r"record=(\S+)", ended.output)
    assert record
    assert "in train_step" in Path(record[1]).read_text() or "in _agree" in Path(record[1]).read_text()
