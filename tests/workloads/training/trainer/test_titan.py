"""A recipe as arguments of torchtitan, which has a field for each."""

from __future__ import annotations

import json

import pytest

from workloads.training.trainer import titan
from workloads.training.trainer.recipe import Recipe, RecipeError

# Those of torchtitan 0.3.0 that a recipe has a word for: config/configs.py and trainer.py of
# its wheel, read 2026-11-27.
FIELDS = {
    "training": {
        "steps",
        "seq_len",
        "global_batch_size",
        "local_batch_size",
        "max_norm",
        "mixed_precision_param",
    },
    "parallelism": {
        "data_parallel_replicate_degree",
        "data_parallel_shard_degree",
        "tensor_parallel_degree",
        "pipeline_parallel_degree",
        "pipeline_parallel_microbatch_size",
    },
    "compile": {"enable"},
    "debug": {"seed"},
    "": {"dump_folder", "hf_assets_path"},
}


def given(**changes: object) -> dict[str, str]:
    """The arguments after torchtitan's own two, by name."""
    recipe = Recipe.read(json.dumps({"steps": 10, "batch": 64, **changes}))
    words = titan.arguments(recipe, "/mnt/checkpoints", 16, "llama3", "llama3_8b")
    assert words[:6] == ["--module", "torchtitan.train", "--module", "llama3", "--config", "llama3_8b"]
    assert words[-1].startswith("--compile.")
    return dict(zip(words[6:-1:2], words[7:-1:2], strict=True))


@pytest.mark.parametrize("mesh", [{}, {"tensor": 2}, {"pipeline": 2, "replicate": 2}])
def test_every_argument_is_a_field(mesh: dict[str, int]) -> None:
    names = given(mesh=mesh, accumulate=2, model={"name": "/models/llama"}, data={"tokenizer": "bytes"})
    for name in names:
        section, _, field = name.removeprefix("--").rpartition(".")
        assert field.replace("-", "_") in FIELDS[section], name


def test_a_pipeline_divides_its_local_batch_itself() -> None:
    accumulated = given(mesh={"replicate": 2}, accumulate=4)
    assert accumulated["--training.local-batch-size"] == "1"
    staged = given(mesh={"pipeline": 2}, accumulate=4)
    assert staged["--training.local-batch-size"] == "8"
    assert staged["--parallelism.pipeline-parallel-microbatch-size"] == "2"
    assert staged["--parallelism.data-parallel-shard-degree"] == "8"


def test_what_torchtitan_has_no_word_for_is_refused() -> None:
    with pytest.raises(RecipeError, match='loss is "supervised": torchtitan is for "pretrain"'):
        given(loss="supervised", data={"uri": "/rows"})
    with pytest.raises(RecipeError, match="give a multiple of 48"):
        given(accumulate=3)
