"""Runs the trainer under Ray Train: `python -m ray_entry --workers 16 --gpu --recipe FILE --checkpoint-uri URI`.

Ray starts a worker for each rank, has them meet, and starts them anew when one is lost. The trainer does the rest: its
checkpoints are its own, and so is the way in which one rank's notice stops all.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train.torch import TorchConfig, TorchTrainer
from trainer.__main__ import train
from trainer.agreement import RefusedError
from trainer.interruption import Notice
from trainer.launch import REFUSED, STOPPED
from trainer.options import Options
from trainer.recipe import RecipeError

# Ray counts ranks that end by themselves as a failure even while it drains a node for preemption (2.60, seen), and so
# this must allow for as many interruptions as a long job meets. A job that starts again and again has an alert.
MOST_FAILURES = 100


class StoppedError(Exception):
    """A rank was told that its node goes, and all have saved: Ray starts them again. One that returns is done."""


class Preemption:
    """What Ray knows of nodes that are taken back, in place of a cloud's metadata service. Every rank asks: Ray has
    them agree."""

    def notice(self) -> Notice | None:
        """The node of some rank is drained to be taken back."""
        return Notice("Ray announces a preemption", final=True) if ray.train.get_preemption_info() else None


def work(config: dict[str, Any]) -> int:
    """One rank, in the process group that Ray has made; 64 if no start can help, which Ray need not try again."""
    options = Options(config["checkpoint_uri"], None, config["progress_seconds"], 600.0, time.time())
    # Ray's word for this rank's GPU: which one it sees depends on the node.
    device = ray.train.torch.get_device()
    try:
        code = train(Path(config["recipe"]), options, device, Preemption())
    except (RefusedError, RecipeError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return REFUSED
    if code == STOPPED:
        raise StoppedError("interrupted, and saved")
    return code


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="ray_entry", description=__doc__)
    parser.add_argument("--workers", type=int, required=True, help="ranks")
    parser.add_argument("--gpu", action="store_true", help="a GPU for each rank")
    parser.add_argument("--recipe", required=True, help="JSON, see trainer/recipe.py")
    parser.add_argument("--checkpoint-uri", required=True, help="folder of this job: a path, s3:// or gs://")
    parser.add_argument("--progress-seconds", type=float, default=10.0, help="between lines; 0: each step")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Trains to the last step, whatever nodes go on the way; the exit code of the first rank."""
    given = parse(arguments)
    trainer = TorchTrainer(
        work,
        train_loop_config=vars(given),
        torch_config=TorchConfig(
            backend="cpu:gloo,cuda:nccl" if given.gpu and torch.version.cuda else "gloo"
        ),
        scaling_config=ray.train.ScalingConfig(num_workers=given.workers, use_gpu=given.gpu),
        run_config=ray.train.RunConfig(
            failure_config=ray.train.FailureConfig(max_failures=MOST_FAILURES, max_preemption_failures=-1)
        ),
    )
    return trainer.fit().return_value or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
