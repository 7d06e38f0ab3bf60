"""Recipes: what is taken, and the one message for each that is not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.training.trainer import recipe as module
from workloads.training.trainer.recipe import Mesh, Recipe, RecipeError

WHOLE: dict[str, Any] = {
    "model": {"name": "s3://lake/models/llama", "adapter": {"rank": 8, "alpha": 16}},
    "data": {
        "uri": "s3://lake/tokens",
        "tokenizer": "s3://lake/models/llama",
        "sequenceLength": 256,
        "seed": 3,
    },
    "mesh": {"pipeline": 1, "replicate": 8, "shard": 1, "tensor": 1},
    "loss": "supervised",
    "steps": 100,
    "batch": 64,
    "accumulate": 2,
    "precision": "bf16",
    "compile": True,
    "activationCheckpointing": True,
    "optimizer": {"learningRate": 1e-4, "warmupSteps": 10, "weightDecay": 0, "clipNorm": 1},
    "checkpoints": {"keep": 3, "keepHours": 48, "minimumSeconds": 30},
    "interruptions": {"cloud": "aws", "perHour": 0.5},
    "cost": {"inrPerHour": 812.5},
    "tracking": {"mlflowUri": "http://mlflow.mlops:5000"},
}


def read(**changes: Any) -> Recipe:
    return Recipe.read(json.dumps({"steps": 10, **changes}))


def test_a_whole_recipe_is_read_and_written_as_it_was() -> None:
    recipe = Recipe.read(json.dumps(WHOLE))
    assert recipe.model.adapter and recipe.model.adapter.rank == 8
    assert recipe.data.sequence_length == 256
    assert recipe.checkpoints.keep_hours == 48
    assert Recipe.read(recipe.write()) == recipe
    assert json.loads(recipe.write()) == WHOLE


WRONG = [
    ("{", "the recipe is not JSON"),
    ("[]", "the recipe is []: give an object"),
    ("{}", "steps is missing: give a whole number of at least 1"),
    ('{"steps": 0}', "steps is 0: give a whole number of at least 1"),
    ('{"steps": true}', "steps is true: give a whole number"),
    ('{"steps": 1.5}', "steps is 1.5: give a whole number"),
    ('{"steps": 5, "stepz": 5}', "stepz is no field: give one of steps, model, data"),
    ('{"steps": 5, "mesh": {"context": 2}}', "mesh.context is no field: give one of pipeline, replicate"),
    ('{"steps": 5, "mesh": {"shard": -1}}', "mesh.shard is -1: give a whole number of at least 1"),
    ('{"steps": 5, "loss": "rlhf"}', 'loss is "rlhf": give one of "pretrain", "supervised", "preference"'),
    ('{"steps": 5, "compile": "yes"}', 'compile is "yes": give true or false'),
    ('{"steps": 5, "model": "tiny"}', 'model is "tiny": give an object'),
    ('{"steps": 5, "model": {"name": " "}}', 'model.name is " ": give a text'),
    (
        '{"steps": 5, "model": {"adapter": {}}}',
        "model.adapter.rank is missing: give a whole number of at least 1",
    ),
    (
        '{"steps": 5, "optimizer": {"learningRate": NaN}}',
        "optimizer.learningRate is NaN: give a number above 0",
    ),
    (
        '{"steps": 5, "optimizer": {"warmupSteps": 5}}',
        "optimizer.warmupSteps is 5: give fewer than the 5 steps",
    ),
    (
        '{"steps": 5, "loss": "supervised"}',
        'data.uri is "builtin", which has no data for the loss "supervised"',
    ),
    ('{"steps": 5, "data": {"tokenizer": "s3://a/b"}}', 'data.tokenizer is "s3://a/b"'),
    ('{"steps": 5, "mesh": {"pipeline": 2, "tensor": 2}}', "pipeline and tensor together are not supported"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_wrong_is_named_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        Recipe.read(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_shard_takes_the_ranks_that_the_others_leave() -> None:
    assert read(mesh={"replicate": 2}, batch=8).check_against(8) == Mesh(replicate=2, shard=4)
    assert read().check_against(1) == Mesh(shard=1)


@pytest.mark.parametrize(
    ("changes", "world", "message"),
    [
        ({"mesh": {"replicate": 3}}, 4, "has 3 ranks, and the job has 4"),
        ({"mesh": {"shard": 8}}, 4, "has 8 ranks, and the job has 4"),
        (
            {"mesh": {"tensor": 4}},
            4,
            "mesh.tensor 4 does not divide the 2 key-value heads of the model: give one of 1, 2",
        ),
        (
            {"mesh": {"pipeline": 8}, "batch": 8, "accumulate": 8},
            8,
            "mesh.pipeline 8 is more than the 4 layers of the model: give at most that",
        ),
        (
            {"mesh": {"pipeline": 2}, "batch": 8},
            4,
            "accumulate 1 is fewer parts than the 2 stages of mesh.pipeline, which each work on one: give at least 2",
        ),
        ({"mesh": {"pipeline": 2}, "batch": 6, "accumulate": 2}, 4, "in 2 parts: give a multiple of 4"),
        (
            {"batch": 6},
            4,
            "batch 6 can't be shared by replicate 1 x shard 4 ranks in 1 parts: give a multiple of 4",
        ),
        ({"batch": 4, "accumulate": 2}, 4, "give a multiple of 8"),
    ],
)
def test_a_mesh_that_does_not_divide_is_refused(changes: dict[str, Any], world: int, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        read(**changes).check_against(world)
    assert message in str(error.value)


SIZES = st.integers(1, 12)


@given(
    sizes=st.fixed_dictionaries(
        {"pipeline": SIZES, "replicate": SIZES, "tensor": SIZES}, optional={"shard": SIZES}
    ),
    world=st.integers(1, 64),
    batch=SIZES,
    accumulate=SIZES,
)
def test_a_mesh_that_is_taken_covers_the_world_and_divides_the_batch(
    sizes: dict[str, int], world: int, batch: int, accumulate: int
) -> None:
    try:
        mesh = read(mesh=sizes, batch=batch, accumulate=accumulate).check_against(world)
    except RecipeError as error:
        assert "give" in str(error) or "set one of them to 1" in str(error)
        return
    assert mesh.shard
    assert mesh.pipeline * mesh.replicate * mesh.shard * mesh.tensor == world
    assert batch % (mesh.replicate * mesh.shard * accumulate) == 0
    assert mesh.pipeline <= min(4, accumulate)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
FIELDS = [module.camel(entry.name) for entry in module.fields(Recipe)]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_document_is_a_recipe_or_gives_one_message(document: dict[str, Any]) -> None:
    try:
        recipe = Recipe.read(json.dumps(document))
    except RecipeError as error:
        assert str(error)
    else:
        assert Recipe.read(recipe.write()) == recipe


def test_it_imports_the_standard_library_alone() -> None:
    modules = set(sys.stdlib_module_names)
    text = Path(module.__file__).read_text()
    imported = {
        line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported <= modules
