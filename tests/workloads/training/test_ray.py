"""The trainer under Ray Train, on Ray clusters of this machine: in an environment of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.workloads.ray_process import run_ray
from workloads.training import ray_job
from workloads.training.trainer.recipe import Recipe

pytestmark = pytest.mark.slow

FOLDER = ray_job.ENTRY.parent
REQUIREMENTS = FOLDER / "requirements-ray.txt"


def recipe(folder: Path, steps: int) -> Path:
    document = {
        "steps": steps,
        "batch": 4,
        "precision": "fp32",
        "data": {"sequenceLength": 32},
        "checkpoints": {"minimumSeconds": 0, "everySteps": 1000},
    }
    assert Recipe.read(json.dumps(document))
    (file := folder / "recipe.json").write_text(json.dumps(document))
    return file


def run(arguments: list[str], code: int = 0) -> str:
    """The output of a program in the environment of Ray, which ends with `code`."""
    own = {"PYTHONPATH": str(FOLDER), "OMP_NUM_THREADS": "1", "RAY_DEDUP_LOGS": "0", "RAY_ADDRESS": "local"}
    ran = run_ray(REQUIREMENTS, arguments, own)
    log = ran.stdout + ran.stderr
    assert ran.returncode == code, log[-4000:]
    return log


def losses(log: str) -> dict[int, str]:
    return {int(step): loss for step, loss in re.findall(r"\bstep=(\d+)/\d+ loss=(\S+)", log)}


def test_a_preempted_node_stops_every_rank_and_the_job_goes_on_where_it_saved(tmp_path: Path) -> None:
    steps = 100
    program = str(Path(__file__).with_name("ray_preemption.py"))
    log = run([program, str(recipe(tmp_path, steps)), str(tmp_path / "checkpoints")])
    stopped = re.search(r"event=stopped step=(\d+) reason='Ray announces a preemption'", log)
    resumed = re.search(r"event=resumed step=(\d+) ranks=2", log)
    assert stopped and resumed, log[-4000:]
    assert stopped[1] == resumed[1], "no step is lost, for the stop itself saves"
    assert 3 <= int(stopped[1]) < steps
    assert f"event=trained step={steps}" in log
    assert set(losses(log)) == set(range(1, steps + 1))


def test_a_recipe_that_is_refused_is_not_tried_again(tmp_path: Path) -> None:
    (file := tmp_path / "recipe.json").write_text('{"steps": 3, "batch": 3, "mesh": {"replicate": 2}}')
    arguments = [
        "-m",
        "ray_entry",
        "--workers",
        "2",
        "--recipe",
        str(file),
        "--checkpoint-uri",
        str(tmp_path),
    ]
    log = run(arguments, code=64)
    processes = set(re.findall(r"pid=(\d+)\)\S* error: batch 3 can't be shared", log))
    assert len(processes) == 2, "each rank was started once"


def test_the_versions_of_the_image_and_of_the_ray_job_are_the_same() -> None:
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE))
    of_trainer = dict(
        re.findall(r"^([\w-]+)==(\S+)", (FOLDER / "requirements.txt").read_text(), re.MULTILINE)
    )
    assert pinned["ray"] == ray_job.RAY_VERSION
    assert of_trainer.items() <= pinned.items(), "the trainer's own tests run with what the image for Ray has"
