"""A recipe as a command of torchtitan 0.3, for what it does better on GPUs: float8, other schedules, large models.

    python -m trainer.titan --recipe FILE --checkpoint-folder /mnt/checkpoints --world 64 --config llama3_8b

Prints arguments for torchrun. torchtitan runs on NVIDIA GPUs alone, keeps checkpoints of its own on a mounted path, and
hears no notice: put it where a lost interval is cheap.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from .launch import REFUSED
from .recipe import Recipe, RecipeError


def arguments(recipe: Recipe, folder: str, world: int, module: str, config: str) -> list[str]:
    """The arguments of torchrun. RecipeError if torchtitan has no word for what the recipe asks."""
    if recipe.loss != "pretrain":
        raise RecipeError(f'loss is "{recipe.loss}": torchtitan is for "pretrain"; leave out trainer.titan')
    mesh = replace(recipe.mesh).over(world)
    if recipe.batch % mesh.batch_ranks or (recipe.batch // mesh.batch_ranks) % recipe.accumulate:
        raise RecipeError(
            f"batch {recipe.batch} can't be shared by {mesh.batch_ranks} ranks in {recipe.accumulate} parts: "
            f"give a multiple of {mesh.batch_ranks * recipe.accumulate}"
        )
    rows = recipe.batch // mesh.batch_ranks
    part = rows // recipe.accumulate
    values = {
        "training.steps": recipe.steps,
        "training.seq-len": recipe.data.sequence_length,
        "training.global-batch-size": recipe.batch,
        # Its pipelines divide a local batch themselves.
        "training.local-batch-size": rows if mesh.pipeline > 1 else part,
        "training.max-norm": recipe.optimizer.clip_norm,
        "training.mixed-precision-param": {"bf16": "bfloat16", "fp32": "float32"}[recipe.precision],
        "parallelism.data-parallel-replicate-degree": mesh.replicate,
        "parallelism.data-parallel-shard-degree": mesh.shard,
        "parallelism.tensor-parallel-degree": mesh.tensor,
        "parallelism.pipeline-parallel-degree": mesh.pipeline,
        "parallelism.pipeline-parallel-microbatch-size": part if mesh.pipeline > 1 else 1,
        "debug.seed": recipe.data.seed,
        "dump-folder": folder,
    }
    switches = ["--compile.enable" if recipe.compile else "--compile.no-enable"]
    if recipe.model.name != "tiny":
        values["hf-assets-path"] = recipe.model.name
    given = [part for name, value in values.items() for part in (f"--{name}", str(value))]
    return ["--module", "torchtitan.train", "--module", module, "--config", config, *given, *switches]


def main(given: list[str]) -> int:
    """Prints the command; the exit code."""
    parser = argparse.ArgumentParser(prog="trainer.titan", description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--checkpoint-folder", required=True)
    parser.add_argument("--world", type=int, required=True, help="GPUs of the job")
    parser.add_argument("--model", default="llama3", help="torchtitan's --module")
    parser.add_argument("--config", default="llama3_8b", help="a function of the model's config_registry")
    options = parser.parse_args(given)
    try:
        recipe = Recipe.read(options.recipe.read_text())
        print(
            shlex.join(
                arguments(recipe, options.checkpoint_folder, options.world, options.model, options.config)
            )
        )
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
