"""Seconds from a kill to the next step, of whole programs as a pod starts them: the trainer's, and a plain loop's."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from localcloud import processes
from workloads.training.trainer.recipe import Checkpoints, Data, Mesh, Recipe

RANKS, SECONDS = 2, 180.0
BATCH, SEQUENCE, STEPS, EVERY = 16, 64, 10_000_000, 20
TORCHRUN = (f"--nproc-per-node={RANKS}", "--nnodes=1", "--standalone")
RECIPE = Recipe(
    steps=STEPS,
    batch=BATCH,
    precision="fp32",
    data=Data(sequence_length=SEQUENCE),
    mesh=Mesh(replicate=RANKS, shard=1),
    checkpoints=Checkpoints(minimum_seconds=0, every_steps=EVERY),
)


class RestartError(Exception):
    """A job that was killed did no further step; the message has the end of its log."""


def measure(python: Path, env: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Seconds by what happened: `ended` until all ranks are gone, `step` from the kill to the next step.

    Both are started again at once; the Job controller of a cluster waits first, and its pod for a node.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "recipe.json").write_text(RECIPE.write())
        trainer = [python, "-m", "workloads.training.trainer.launch", *TORCHRUN, "--"]
        trainer += ["--recipe", folder / "recipe.json", "--checkpoint-uri", folder / "checkpoints"]
        trainer += ["--progress-seconds", "0"]
        plain = [python, "-m", "torch.distributed.run", *TORCHRUN, "--module"]
        plain += ["commands.bench.training.programs.plain", folder, EVERY, STEPS, BATCH, SEQUENCE]

        def seconds(
            command: Sequence[object], name: str, take: Callable[[psutil.Process], None]
        ) -> dict[str, float]:
            return _seconds([str(part) for part in command], env, folder / f"{name}.log", take)

        return {
            "a rank dies": seconds(trainer, "died", _kill_a_rank),
            "notice": seconds(trainer, "notice", psutil.Process.terminate),
            "a rank dies, plain loop": seconds(plain, "plain", _kill_a_rank),
        }


def _seconds(
    command: list[str], env: Mapping[str, str], log: Path, take: Callable[[psutil.Process], None]
) -> dict[str, float]:
    job = processes.start(command, log, env)
    try:
        # By now it has saved, and what it does for the first time is done.
        _wait(log, 0, rf"^step=\d*{2 * EVERY}/")
        root = psutil.Process(job.pid)
        ranks = root.children()
        killed = time.monotonic()
        take(root)
        psutil.wait_procs(ranks, SECONDS)
        ended, size = time.monotonic() - killed, log.stat().st_size
        root.wait(SECONDS)
        job = processes.start(command, log, env)
        _wait(log, size, r"^step=")
        return {"ended": ended, "step": time.monotonic() - killed}
    finally:
        processes.stop(job)


def _kill_a_rank(root: psutil.Process) -> None:
    root.children()[0].kill()


def _wait(log: Path, size: int, pattern: str) -> None:
    """Return when a line after the first `size` bytes of a log fits."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if re.search(pattern, log.read_bytes()[size:].decode(), re.MULTILINE):
            return
        time.sleep(0.01)
    raise RestartError(f"no step within {SECONDS:.0f} s:\n{log.read_text()[-2000:]}")
