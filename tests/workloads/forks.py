"""Programs of containers in forks of one process of their own environment: an import of torch takes ten seconds."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

QUIET = {
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONWARNINGS": "ignore",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True)
class Ended:
    """How a program ended, and what it printed."""

    code: int
    output: str
    errors: str


class Forks:
    """A process that has imported `modules` from the folder `root`, and forks for each program."""

    def __init__(self, python: Path, root: Path, modules: list[str], folder: Path) -> None:
        self.folder, self._runs = folder, 0
        self._process = subprocess.Popen(
            [python, "-P", Path(__file__).with_name("forks_server.py"), *modules],
            env={**os.environ, **QUIET, "PYTHONPATH": str(root)},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def main(self, module: str, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        """What `main` of a module does with these arguments."""
        return self._run({"module": module, "arguments": arguments, "env": dict(env or {})})

    def script(self, text: str, *arguments: str) -> Any:
        """What a program of this text prints last, as JSON."""
        ended = self.run_script(text, *arguments)
        assert ended.code == 0, ended.errors
        return json.loads(ended.output.splitlines()[-1])

    def run_script(self, text: str, *arguments: str) -> Ended:
        """A program of this text, whatever it ends with."""
        return self._run({"script": text, "arguments": arguments, "env": {}})

    def close(self) -> None:
        """Ends the process."""
        self._process.terminate()
        self._process.wait(60)

    def _run(self, request: dict[str, Any]) -> Ended:
        self._runs += 1
        paths = [self.folder / f"{name}-{self._runs}" for name in ("output", "errors")]
        assert self._process.stdin
        self._process.stdin.write(json.dumps({**request, "paths": [str(path) for path in paths]}) + "\n")
        self._process.stdin.flush()
        code = self._answer()
        return Ended(code, *(path.read_text() for path in paths))

    def _answer(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())
