"""The launcher: torchrun's arguments, and what the codes of ranks mean together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from localcloud.processes import free_port
from tests.workloads.training.trainer.conftest import QUIET, RECIPE, SECONDS, TRAINING, merged
from workloads.training.trainer.launch import CODES, REFUSED, STOPPED, code, command, launch, note, noted


def test_what_comes_after_the_dashes_is_the_trainers() -> None:
    module = "workloads.training.trainer"
    assert command(["--nnodes=2", "--", "--recipe", "x"]) == [
        "--nnodes=2",
        "--module",
        module,
        "--recipe",
        "x",
    ]
    assert command(["--nnodes=2"]) == ["--nnodes=2", "--module", module]


@pytest.mark.parametrize(
    ("codes", "meant"),
    [
        ({75}, STOPPED),
        ({75, -15}, STOPPED),
        ({64}, REFUSED),
        ({64, -15}, REFUSED),
        ({75, 1}, 1),
        ({64, 75}, 1),
        ({70}, 1),
        ({-9}, 1),
    ],
)
def test_only_ranks_that_agree_have_stopped_or_refused(codes: set[int], meant: int) -> None:
    assert code(codes) == meant


def test_a_node_that_leaves_after_the_one_they_met_at_says_what_its_ranks_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert noted(tmp_path) == {1}, "ranks that said nothing crashed"
    monkeypatch.setenv(CODES, str(tmp_path))
    for rank in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        note(STOPPED)
    assert code(noted(tmp_path)) == STOPPED


def test_a_node_without_a_folder_for_temporary_files_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/dev/null")
    assert launch([]) == REFUSED
    assert "error: no folder for temporary files can be written (" in capsys.readouterr().err


@pytest.mark.slow
def test_two_nodes_meet_serve_metrics_stop_together_and_are_refused(python: Path, tmp_path: Path) -> None:
    port = free_port()
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(merged(RECIPE, {"steps": 100_000, "cost": {"inrPerHour": 100}})))
    processes, outputs = [], []
    for node in range(2):
        arguments = [
            "--nnodes=2",
            "--nproc-per-node=1",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint=127.0.0.1:{port}",
        ]
        given = [
            f"--recipe={recipe}",
            f"--checkpoint-uri={tmp_path / 'c'}",
            "--progress-seconds=0",
            f"--ready-file={tmp_path / f'ready-{node}'}",
        ]
        outputs.append(tmp_path / f"output-{node}")
        env = {**os.environ, **QUIET, "POD_IP": f"127.0.9.{node + 1}"}
        with outputs[-1].open("w") as output:
            processes.append(
                subprocess.Popen(
                    [python, "-m", "trainer.launch", *arguments, "--", *given],
                    cwd=TRAINING,
                    env=env,
                    stdout=output,
                    stderr=output,
                )
            )
    until = time.monotonic() + SECONDS
    try:
        while "step=3/" not in outputs[0].read_text() + outputs[1].read_text():
            assert all(process.poll() is None for process in processes), outputs[0].read_text()
            assert time.monotonic() < until
            time.sleep(0.2)
        served = [
            urllib.request.urlopen(f"http://127.0.9.{node}:9464/metrics").read().decode() for node in (1, 2)
        ]
        processes[1].send_signal(signal.SIGTERM)
        codes = [process.wait(120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [75, 75]
    assert all((tmp_path / f"ready-{node}").exists() for node in range(2))
    for name in ("training_step", "training_loss", "training_goodput_ratio", "training_cost_inr"):
        assert all(f"\n{name} " in text for text in served)
    recipe.write_text("{}")
    refused = subprocess.run(
        [
            python,
            "-m",
            "trainer.launch",
            "--standalone",
            "--nproc-per-node=1",
            "--",
            f"--recipe={recipe}",
            "--checkpoint-uri=x",
        ],
        cwd=TRAINING,
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 64
    assert "error: steps is missing" in refused.stderr
