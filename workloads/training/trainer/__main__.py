"""One rank of a training job; `python -m trainer.launch` starts all ranks of a pod.

Exit codes: 0 trained to the last step, 75 interrupted and saved, 64 the recipe, its data or its checkpoints can't be
used (no restart can help), 70 a step hung.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

STARTED = time.time()

import torch  # noqa: E402  its import is part of a start
import torch.distributed as dist  # noqa: E402

from .agreement import RefusedError, from_first, together  # noqa: E402
from .interruption import Interruption, Metadata, metadata  # noqa: E402
from .launch import REFUSED, STOPPED, note  # noqa: E402
from .options import Options  # noqa: E402
from .publication import Folder  # noqa: E402
from .recipe import Recipe, RecipeError  # noqa: E402
from .record import keep  # noqa: E402


def parse(arguments: list[str]) -> tuple[Path, Options]:
    """The recipe's file, and what the pod says."""
    parser = argparse.ArgumentParser(prog="trainer", description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True, help="JSON, see recipe.py")
    parser.add_argument("--checkpoint-uri", required=True, help="folder of this job: a path, s3:// or gs://")
    parser.add_argument(
        "--ready-file", type=Path, help="made once all ranks have met and the model is loaded"
    )
    parser.add_argument("--progress-seconds", type=float, default=10.0, help="between lines; 0: each step")
    parser.add_argument("--timeout-seconds", type=float, default=600.0, help="a step that takes longer hangs")
    parser.add_argument("--data-uri", help="the folder of the data, in place of the recipe's")
    given = parser.parse_args(arguments)
    options = Options(
        given.checkpoint_uri,
        given.ready_file,
        given.progress_seconds,
        given.timeout_seconds,
        STARTED,
        given.data_uri,
    )
    return given.recipe, options


def main(arguments: list[str]) -> int:
    """Trains; the exit code."""
    recipe_file, options = parse(arguments)
    local_rank = int(os.environ["LOCAL_RANK"])
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
        # Of fp32 products, the tensor cores round to TF32: three times faster, and no loss is known.
        torch.set_float32_matmul_precision("high")
    else:
        # So that a run can be made again bit for bit. An operator that has no such algorithm warns.
        torch.use_deterministic_algorithms(True, warn_only=True)
    # The watchdog goes first: it says where all threads are.
    timeout = timedelta(seconds=2 * options.timeout_seconds + 30)
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=timeout)
    try:
        return train(recipe_file, options, device)
    except RefusedError as error:
        if dist.get_rank() == 0:
            print(f"error: {error}", file=sys.stderr, flush=True)
        return REFUSED
    except RecipeError as error:
        # Training was under way: this rank's disk is full, or its store denies from now on.
        print(f"error: {error}", file=sys.stderr, flush=True)
        return REFUSED
    finally:
        dist.destroy_process_group()


def train(recipe_file: Path, options: Options, device: torch.device, service: Metadata | None = None) -> int:
    """Trains on all ranks, or on none. `service` announces interruptions in place of the cloud's metadata service."""
    recipe = together(lambda: read(recipe_file, options.data_uri))
    if service is None and os.environ.get("LOCAL_RANK", "0") == "0":
        service = metadata(recipe.interruptions.cloud)
    interruption = Interruption(service, lambda line: print(line, flush=True))
    run = start(recipe, options, interruption, device)
    together(run.resume)
    together(lambda: write_record(recipe, options, device))
    if options.ready_file:
        options.ready_file.touch()
    return 0 if run.train() else STOPPED


def write_record(recipe: Recipe, options: Options, device: torch.device) -> None:
    """Notes beside the checkpoints what this start is made of. Of replicas one does, and all are alike."""
    if recipe.replicas and os.environ.get("JOB_COMPLETION_INDEX", "0") != "0":
        return
    name = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    folder, ranks = Folder(options.checkpoint_uri), dist.get_world_size()
    from_first(lambda: keep(folder, recipe, name, ranks))


def start(recipe: Recipe, options: Options, interruption: Interruption, device: torch.device) -> Any:
    """The program of the recipe's loss. Imported here: each takes seconds, and is not needed for the other."""
    if recipe.loss == "pretrain":
        from .loop import Run, Training

        # Apart: a rank that refused the model would leave the others in the collectives of the run.
        training = together(lambda: Training(recipe, device))
        return together(lambda: Run(training, options, interruption))
    from .fine_tuning import FineTuning

    return together(lambda: FineTuning(recipe, options, interruption))


def read(recipe_file: Path, data_uri: str | None = None) -> Recipe:
    """The recipe in a file, with another folder of data if one is given; RecipeError if there is none, or it is not for
    this many ranks."""
    try:
        recipe = Recipe.read(recipe_file.read_text())
        if data_uri:
            recipe = replace(recipe, data=replace(recipe.data, uri=data_uri))
        recipe.check_against(dist.get_world_size())
        return recipe
    except OSError as error:
        raise RecipeError(f"--recipe {recipe_file} can't be read: {error.strerror}") from error


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    note(ended)
    sys.exit(ended)
