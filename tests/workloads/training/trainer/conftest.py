"""What tests of the trainer share: its environment, and ranks in it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from localcloud.environments import environment
from localcloud.processes import free_port

TRAINING = Path(__file__).parents[4] / "workloads" / "training"
SECONDS = 180
QUIET = {
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONWARNINGS": "ignore",
    "HF_HUB_OFFLINE": "1",
}
RECIPE: dict[str, Any] = {
    "steps": 12,
    "batch": 12,
    "precision": "fp32",
    "data": {"sequenceLength": 32},
    "optimizer": {"learningRate": 0.003, "warmupSteps": 2},
    "checkpoints": {"everySteps": 4, "minimumSeconds": 0},
}


@dataclass(frozen=True)
class Ended:
    """How the ranks of a run ended, and what the first printed."""

    codes: list[int]
    output: str

    @property
    def losses(self) -> dict[int, float]:
        """The loss of each step that was reported."""
        return {
            int(step): float(loss)
            for step, loss in re.findall(r"^step=(\d+)/\d+ loss=(\S+)", self.output, re.M)
        }

    def events(self, name: str) -> list[int]:
        """The steps of the events of a name."""
        return [int(step) for step in re.findall(rf"^event={name} step=(\d+)", self.output, re.M)]


@dataclass
class Running:
    """Ranks that run."""

    ranks: Ranks
    pids: list[int]
    output: Path
    ended: Ended | None = field(default=None)

    def text(self) -> str:
        """What the first rank printed so far."""
        first = Path(f"{self.output}-0")
        return first.read_text() if first.exists() else ""

    def wait_for(self, text: str, *, or_end: bool = False) -> None:
        """Returns when the first rank has printed a text, or where `or_end` when all have ended; fails otherwise."""
        until = time.monotonic() + SECONDS
        while text not in self.text():
            over = all(_ended(pid) for pid in self.pids)
            if over and or_end:
                return
            if over or time.monotonic() > until:
                raise AssertionError(f"no {text!r} in {self.text()}")
            time.sleep(0.005)

    def kill(self, rank: int, number: signal.Signals) -> None:
        """Sends a signal to one rank."""
        os.kill(self.pids[rank], number)

    def end(self) -> Ended:
        """Waits for all ranks."""
        codes = self.ranks.ask({"wait": self.pids})
        return Ended(codes, self.text())


def _ended(pid: int) -> bool:
    """Whether a process has ended: its parent, which is not this process, has not yet asked how."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


class Ranks:
    """A process of the training environment that forks ranks of the trainer."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._folder, self._runs = folder, 0
        self._process = subprocess.Popen(
            [python, Path(__file__).with_name("ranks.py")],
            env={**os.environ, **QUIET},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def ask(self, request: dict[str, Any]) -> Any:
        """Sends a request and reads the answer."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def start(
        self,
        folder: Path | str,
        ranks: int = 4,
        /,
        *,
        env: dict[str, str] | None = None,
        arguments: Sequence[str] = (),
        file_bytes: int | None = None,
        **changes: Any,
    ) -> Running:
        """Starts ranks on the recipe with changes; no file that they write gets larger than `file_bytes`."""
        self._runs += 1
        recipe = self._folder / f"recipe-{self._runs}.json"
        recipe.write_text(json.dumps(merged(RECIPE, changes)))
        output = self._folder / f"output-{self._runs}"
        given = [
            f"--recipe={recipe}",
            f"--checkpoint-uri={folder}",
            "--progress-seconds=0",
            "--timeout-seconds=60",
        ]
        request = {
            "ranks": ranks,
            "port": free_port(),
            "output": str(output),
            "arguments": [*given, *arguments],
            "env": env or {},
            "file_bytes": file_bytes,
        }
        return Running(self, self.ask(request), output)

    def run(self, folder: Path | str, ranks: int = 4, /, **changes: Any) -> Ended:
        """Starts ranks and waits for them."""
        return self.start(folder, ranks, **changes).end()

    def train(self, folder: Path | str, ranks: int = 4, /, **changes: Any) -> Ended:
        """The same, to the last step."""
        ended = self.run(folder, ranks, **changes)
        assert ended.codes == [0] * ranks, ended.output
        return ended

    def script(self, text: str, *arguments: str, env: dict[str, str] | None = None) -> str:
        """What a program of this text prints, which is a rank without a trainer: all it imports is there already."""
        self._runs += 1
        output, errors = self._folder / f"output-{self._runs}", self._folder / f"errors-{self._runs}"
        request = {
            "ranks": 1,
            "port": free_port(),
            "output": str(output),
            "errors": str(errors),
            "script": text,
            "arguments": arguments,
            "env": env or {},
        }
        assert self.ask({"wait": self.ask(request)}) == [0], errors.read_text()
        return Path(f"{output}-0").read_text()

    def close(self) -> None:
        """Ends the process that forks."""
        self._process.terminate()
        self._process.wait(10)

    def _answer(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


def merged(recipe: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The recipe with the changes, field by field."""
    result = dict(recipe)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = merged(result[name], value) if both else value
    return result


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter of the training environment, built once per user."""
    return environment(TRAINING / "requirements.txt")


@pytest.fixture(scope="session")
def ranks(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ranks]:
    """Starts ranks of the trainer."""
    started = Ranks(python, tmp_path_factory.mktemp("ranks"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def whole(ranks: Ranks, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The recipe trained by one process, without interruption."""
    return ranks.train(tmp_path_factory.mktemp("whole"), 1)


@pytest.fixture(scope="session")
def script(ranks: Ranks) -> Callable[..., str]:
    """Runs Python text in the training environment; what it printed."""
    return ranks.script
