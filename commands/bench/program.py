"""The programs that measure in a workload's environment, whose packages are not among ours."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from localcloud.directories import PROJECT


class BenchProgramError(Exception):
    """A program that measures failed; the message has the end of what it printed."""


def ask(python: Path, module: str, *words: str, **variables: str) -> Any:
    """What `module` prints last, a line of JSON; `variables` are added to the environment.

    Raises:
        BenchProgramError: it failed.
    """
    ran = subprocess.run(
        [python, "-m", module, *words],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise BenchProgramError(f"{module} failed:\n{ran.stderr[-3000:]}")
    return json.loads(ran.stdout.splitlines()[-1])
