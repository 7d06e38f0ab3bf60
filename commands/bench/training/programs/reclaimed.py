# pyright: reportMissingImports=false
"""Jobs whose ranks are taken back at random, for real: the trainer with and without notice, and the plain loop.

Run by the Python of the training environment, which imports torch once and forks for each rank: a start then costs a
second and not fifteen, so that many fit into a minute. Prints JSON.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import transformers.models.llama.modeling_llama  # noqa: F401  what a rank loads
from torch.nn.parallel import DistributedDataParallel  # noqa: F401

from commands.bench.training.programs import plain
from workloads.training.trainer.__main__ import main as train
from workloads.training.trainer.recipe import Checkpoints, Data, Interruptions, Recipe

SEQUENCE, BATCH, STEPS = 64, 16, 10_000_000
BETWEEN_SECONDS = 8.0
SECONDS = 45.0
PLAIN_EVERY = 100


@dataclass(frozen=True)
class Job:
    """Runs one rank on a folder, in a process of its own; `notice` is how it is told that it goes."""

    run: Callable[[Path], int]
    notice: signal.Signals = signal.SIGKILL


@dataclass(frozen=True)
class Life:
    """A job over some seconds with reclaims. `restarts`: seconds from each start to its first step."""

    seconds: float
    restarts: list[float]
    log: str

    @property
    def goodput(self) -> float:
        """The share that trained what is kept, of the time between restarts. A step is worth the median one of this
        very run, for another minute of this machine may be another machine."""
        steps = int((re.findall(r"^step=(\d+)/", self.log, re.MULTILINE) or ["0"])[-1])
        return steps * self.step_seconds / (self.seconds - sum(self.restarts))

    @property
    def step_seconds(self) -> float:
        """The median step."""
        speeds = re.findall(r"^step=.* tokens_per_second=(\S+)", self.log, re.MULTILINE)
        return BATCH * SEQUENCE / statistics.median(map(float, speeds))


def trainer() -> Callable[[Path], int]:
    """The trainer's own program, which chooses when to save."""
    recipe = Recipe(
        steps=STEPS,
        batch=BATCH,
        precision="fp32",
        data=Data(sequence_length=SEQUENCE),
        checkpoints=Checkpoints(minimum_seconds=0),
        interruptions=Interruptions(per_hour=3600 / BETWEEN_SECONDS),
    )

    def run(folder: Path) -> int:
        (folder / "recipe.json").write_text(recipe.write())
        given = ["--recipe", str(folder / "recipe.json"), "--checkpoint-uri", str(folder / "checkpoints")]
        return train([*given, "--progress-seconds", "0"])

    return run


def plain_loop(every: int) -> Callable[[Path], int]:
    """The plain loop, which saves each `every` steps."""
    return lambda folder: plain.main(folder, every, STEPS, BATCH, SEQUENCE)


def live(job: Job, seconds: float = SECONDS) -> Life:
    """Run a job for so long; its rank is taken back at random, and starts again."""
    draw = random.Random(0)
    restarts: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, log = Path(scratch), Path(scratch, "log")
        log.touch()
        began = time.monotonic()
        end = began + seconds
        while time.monotonic() < end:
            started = time.monotonic()
            taken = min(end, started + draw.expovariate(1 / BETWEEN_SECONDS))
            size, pid = log.stat().st_size, _fork(job, folder, log)
            while time.monotonic() < taken and not _stepped(log, size):
                time.sleep(0.005)
            restarts.append(time.monotonic() - started)
            time.sleep(max(0.0, taken - time.monotonic()))
            os.kill(pid, job.notice if time.monotonic() < end else signal.SIGKILL)
            os.waitpid(pid, 0)
        return Life(time.monotonic() - began, restarts, log.read_text())


def _fork(job: Job, folder: Path, log: Path) -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pid = os.fork()
    if pid:
        return pid
    alone = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "LOCAL_WORLD_SIZE": 1, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in alone.items()}, MASTER_ADDR="127.0.0.1")
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        code = job.run(folder)
    finally:
        # A fork must not go on as its parent.
        sys.stdout.flush()
        os._exit(code)


def _stepped(log: Path, size: int) -> bool:
    with log.open() as lines:
        lines.seek(size)
        return bool(re.search(r"^step=", lines.read(), re.MULTILINE))


def main() -> None:
    """Live with reclaims, and print what came of it."""
    jobs = {
        "trainer": Job(trainer()),
        "trainer with notice": Job(trainer(), signal.SIGTERM),
        "plain": Job(plain_loop(PLAIN_EVERY)),
    }
    lives = {name: live(job) for name, job in jobs.items()}
    saves = map(float, re.findall(r"event=saved seconds=(\S+)", lives["plain"].log))
    found = {
        "between_seconds": BETWEEN_SECONDS,
        "plain": {"every_steps": PLAIN_EVERY, "save_seconds": statistics.median(saves)},
        "lives": {
            name: {
                "goodput": life.goodput,
                "reclaims": len(life.restarts) - 1,
                "restart_seconds": statistics.median(life.restarts),
                "step_seconds": life.step_seconds,
            }
            for name, life in lives.items()
        },
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
