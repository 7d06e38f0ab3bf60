"""The training program, run as its pods run it: launch.py, torchrun and two gloo ranks on the CPU."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("torch")

PROGRAMS = Path(__file__).parents[2] / "workloads" / "training"
SECONDS = 180
STOPPED = 75


@dataclass(frozen=True)
class Run:
    """How a launcher ended, and the JSON lines it printed."""

    exit_code: int
    lines: list[dict]
    errors: str

    @property
    def losses(self) -> dict[int, float]:
        return {line["step"]: line["loss"] for line in self.lines if "loss" in line}

    def event(self, name: str) -> int:
        """The step of an event that happened once."""
        steps = [line["step"] for line in self.lines if line.get("event") == name]
        assert len(steps) == 1, f"{name}: {steps}"
        return steps[0]


def start(torchrun: Sequence[str], checkpoints: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "launch.py", *torchrun, "--shutdown-timeout=60", "program.py"]
    return subprocess.Popen(
        [*command, f"--checkpoint-uri={checkpoints}", "--log-every=1", *arguments],
        cwd=PROGRAMS,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Run:
    try:
        output, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return Run(process.returncode, [json.loads(line) for line in output.splitlines()], errors)


def train(checkpoints: Path, *arguments: str, ranks: int = 2) -> Run:
    run = finish(start(["--standalone", f"--nproc-per-node={ranks}"], checkpoints, *arguments))
    assert run.exit_code == 0, run.errors
    return run


def complete(checkpoints: Path) -> list[str]:
    return sorted(found.parent.name for found in checkpoints.glob("step-*/.metadata"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    checkpoints = tmp_path_factory.mktemp("whole")
    return train(checkpoints, "--steps=30", "--checkpoint-every=10"), checkpoints


def test_loss_falls(whole):
    run, _ = whole
    assert sorted(run.losses) == list(range(1, 31))
    assert run.losses[1] > 3.5  # about ln 64: it knows nothing
    assert run.losses[30] < 0.1
    assert all(line["tokens_per_second"] > 0 for line in run.lines if "loss" in line)


def test_checkpoints_are_complete_and_the_oldest_go(whole):
    _, checkpoints = whole
    assert complete(checkpoints) == ["step-00000020", "step-00000030"]
    assert sorted(found.name for found in checkpoints.iterdir()) == complete(checkpoints)
    shards = {found.name for found in (checkpoints / "step-00000030").iterdir()}
    assert shards == {".metadata", "__0_0.distcp", "__1_0.distcp"}


def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(whole, tmp_path):
    uninterrupted, _ = whole
    train(tmp_path, "--steps=12")
    interrupted_save = tmp_path / "step-00000015"
    interrupted_save.mkdir()
    (interrupted_save / "__0_0.distcp").write_bytes(b"half a shard")

    resumed = train(tmp_path, "--steps=30")

    assert resumed.event("resumed") == 12
    assert min(resumed.losses) == 13
    expected = {step: loss for step, loss in uninterrupted.losses.items() if step > 12}
    assert resumed.losses == pytest.approx(expected, rel=1e-4)
    assert not interrupted_save.exists()


def test_a_notice_to_one_node_saves_and_stops_both(tmp_path):
    checkpoints = tmp_path / "checkpoints"
    ready = [tmp_path / "ready-0", tmp_path / "ready-1"]
    torchrun = [
        "--nnodes=2",
        "--nproc-per-node=1",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint=127.0.0.1:{free_port()}",
    ]
    endless = ("--steps=1000000", "--checkpoint-every=1000000")
    nodes = [start(torchrun, checkpoints, *endless, f"--ready-file={file}") for file in ready]
    try:
        wait_for(ready)
    except AssertionError:
        for node in nodes:
            node.kill()
        raise
    nodes[1].send_signal(signal.SIGTERM)
    runs = [finish(node) for node in nodes]

    assert [run.exit_code for run in runs] == [STOPPED, STOPPED], runs
    first_rank = next(run for run in runs if run.lines)
    stopped_at = first_rank.event("stopped")
    assert first_rank.event("saved") == stopped_at
    assert complete(checkpoints) == [f"step-{stopped_at:08d}"]

    # On another number of ranks than had written it.
    resumed = train(checkpoints, f"--steps={stopped_at + 2}", ranks=1)
    assert resumed.event("resumed") == stopped_at
    assert sorted(resumed.losses) == [stopped_at + 1, stopped_at + 2]


def test_a_batch_that_ranks_cannot_share_is_refused_by_name(tmp_path):
    run = finish(start(["--standalone", "--nproc-per-node=2"], tmp_path, "--batch=3"))
    assert run.exit_code not in (0, STOPPED)
    assert "--batch 3 can't be shared by 2 ranks" in run.errors


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(files: Sequence[Path]) -> None:
    deadline = time.monotonic() + SECONDS
    while not all(file.exists() for file in files):
        assert time.monotonic() < deadline, f"the ranks have not met in {SECONDS} s"
        time.sleep(0.2)
