"""What settings ask for is a recipe that the trainer takes, or is refused before anything is made."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st

from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.workloads.training import Training
from tests.examples import examples
from tests.infra.platform.gpu_cluster import TRAIN
from workloads.training.recipe import check_recipe, document, recipe
from workloads.training.trainer.recipe import Recipe

STACK = {
    "environment": "dev",
    "owner": "ml@example.in",
    "budget": {"monthlyInr": 1_000_000},
}


def training(**asked: Any) -> Training:
    return Training.model_validate({"pool": "train", "image": "training:1", **asked})


def test_settings_and_recipe_have_the_same_defaults() -> None:
    assert Recipe.read(json.dumps(document(training()))) == Recipe(steps=training().steps)


def test_every_part_of_the_settings_reaches_the_recipe() -> None:
    asked = {
        "model": {"name": "{models}/released/m", "adapter": {"rank": 8, "alpha": 4.0}},
        "data": {"uri": "{features}/d", "tokenizer": "{models}/released/m", "sequenceLength": 64, "seed": 3},
        "loss": "supervised",
        "steps": 7,
        "batch": 16,
        "accumulate": 2,
        "mesh": {"pipeline": 1, "replicate": 8, "shard": 1, "tensor": 1},
        "precision": "fp32",
        "compile": True,
        "activationCheckpointing": True,
        "optimizer": {"learningRate": 0.1, "warmupSteps": 2, "weightDecay": 0.0, "clipNorm": 2.0},
        "checkpoints": {"keep": 3, "keepHours": 5.0, "minimumSeconds": 1.0, "everySteps": 4},
        "tracking": {"mlflowUri": "http://mlflow", "wandb": "http://wandb"},
    }
    assert document(training(**asked)) == asked
    assert json.loads(Recipe.read(json.dumps(asked)).write())["mesh"] == asked["mesh"]


SPOT = replace(TRAIN, reclaims_per_hour=0.00214, usd_per_hour=1.2345)


def test_a_recipe_tells_what_the_nodes_cost_and_how_often_they_go() -> None:
    read = Recipe.read(recipe(training(nodes=4), replace(SPOT, notices="aws"), 95.0))
    assert read.interruptions.cloud == "aws" and read.interruptions.per_hour == 0.0086
    assert read.cost.inr_per_hour == 470


def test_of_nodes_that_nobody_takes_back_nothing_is_announced() -> None:
    assert Recipe.read(recipe(training(), TRAIN, 95.0)).interruptions.cloud == ""


def test_the_stacks_own_rate_of_interruptions_is_taken_as_it_is() -> None:
    asked = training(interruptionsPerHour=0.5, nodes=4)
    assert Recipe.read(recipe(asked, SPOT, 95.0)).interruptions.per_hour == 0.5


def test_a_price_that_moves_a_little_makes_no_new_job() -> None:
    moved = replace(SPOT, usd_per_hour=1.2365)
    assert recipe(training(), SPOT, 95.0) == recipe(training(), moved, 95.0)


class Asked:
    """The parts of settings that the check looks at."""

    def __init__(self, asked: Training | None) -> None:
        self._asked = asked

    def workload(self, _kind: type) -> Training | None:
        return self._asked


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"mesh": {"shard": 3}, "gpusPerNode": 8}, ["3 ranks", "has 8"]),
        ({"nodes": 3, "gpusPerNode": 1}, ["batch 32", "multiple of 3"]),
        ({"mesh": {"tensor": 4}, "gpusPerNode": 4}, ["mesh.tensor 4", "one of 1, 2"]),
        ({"mesh": {"pipeline": 2}, "gpusPerNode": 2}, ["accumulate 1", "the 2 stages", "at least 2"]),
        ({"mesh": {"pipeline": 5}, "gpusPerNode": 5, "accumulate": 32}, ["mesh.pipeline 5", "4 layers"]),
        ({"loss": "supervised"}, ["builtin", "supervised"]),
        ({"optimizer": {"warmupSteps": 9}, "steps": 9}, ["warmupSteps", "fewer than the 9"]),
        (
            {"recovery": "replicas", "nodes": 2, "mesh": {"tensor": 2}, "gpusPerNode": 2},
            ["tensor 2", "leave out pipeline and tensor"],
        ),
        (
            {"recovery": "replicas", "nodes": 2, "mesh": {"pipeline": 2}, "gpusPerNode": 2},
            ["pipeline 2", "leave out"],
        ),
        (
            {"recovery": "replicas", "nodes": 2, "mesh": {"replicate": 2}},
            ["mesh", "2 ranks", "the job has 1"],
        ),
        (
            {"recovery": "replicas", "nodes": 2, "batch": 30, "gpusPerNode": 8},
            ["batch 30", "2 replicas", "multiple of 16"],
        ),
        (
            {"recovery": "replicas", "nodes": 2, "loss": "supervised", "data": {"uri": "/d"}},
            ["supervised", "recover from checkpoints"],
        ),
        ({"recovery": "replicas", "nodes": 2, "compile": True}, ["compile", "leave it out"]),
        ({"recovery": "replicas"}, ["replicas is 1", "of at least 2"]),
    ],
)
def test_a_recipe_that_the_trainer_would_refuse_is_refused_in_one_message(asked, words) -> None:
    (problem,) = check_recipe(Asked(training(**asked)))  # type: ignore[arg-type]
    assert problem.path == "workloads.training"
    assert all(word in problem.allowed for word in words), problem.allowed


@pytest.mark.parametrize("runner", ["trainjob", "rayjob"])
def test_replicas_need_a_runner_that_replaces_one_worker_at_a_time(runner: str) -> None:
    asked = training(recovery="replicas", nodes=2, runner=runner)
    (problem,) = check_recipe(Asked(asked))  # type: ignore[arg-type]
    assert problem.path == "workloads.training.recovery"
    assert runner in problem.allowed and '"job"' in problem.allowed


def test_the_workers_of_a_job_of_replicas_are_its_replicas() -> None:
    asked = training(recovery="replicas", nodes=4, gpusPerNode=8, batch=64, mesh={"replicate": 2, "shard": 4})
    assert check_recipe(Asked(asked)) == []  # type: ignore[arg-type]
    assert Recipe.read(json.dumps(document(asked))).replicas == 4


def test_a_stack_without_training_has_nothing_to_refuse() -> None:
    assert check_recipe(Asked(None)) == []  # type: ignore[arg-type]


MESHES = st.fixed_dictionaries(
    {name: st.integers(1, 4) for name in ("pipeline", "replicate", "tensor")},
    optional={"shard": st.integers(1, 4)},
)


@settings_of(max_examples=examples(150))
@given(mesh=MESHES, nodes=st.integers(1, 4), gpus=st.integers(1, 8), batch=st.integers(1, 64))
def test_what_is_not_refused_is_shared_by_all_gpus_without_rest(mesh, nodes, gpus, batch) -> None:
    parts = mesh["pipeline"]
    asked = training(mesh=mesh, nodes=nodes, gpusPerNode=gpus, batch=batch, accumulate=parts)
    if check_recipe(Asked(asked)):  # type: ignore[arg-type]
        return
    others = asked.mesh.pipeline * asked.mesh.replicate * asked.mesh.tensor
    shard = asked.mesh.shard or nodes * gpus // others
    assert others * shard == nodes * gpus
    assert batch % (asked.mesh.replicate * shard * parts) == 0


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("{models}/released/m", True),
        ("tiny", True),
        ("s3://team/model", True),
        ("/models/qwen", True),
        ("{model}/released/m", False),
        ("{raw}/texts", False),
        ("s3://x/{models}", False),
        ("{models}", False),
        ("{models}/{features}", False),
    ],
)
def test_a_folder_is_in_the_lake_or_a_place_that_is_named(name: str, valid: bool) -> None:
    said = {**STACK, "workloads": {"training": {"pool": "train", "image": "a/b:1", "model": {"name": name}}}}
    with pytest.raises(SettingsError) as refused:
        reading.parse(said)
    wrong = {problem.path for problem in refused.value.problems}
    assert ("workloads.training.model.name" not in wrong) is valid
