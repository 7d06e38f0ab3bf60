"""`make reproduce RUN=s3://…/jobs/train`: a training run made again on this machine, bit for bit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from commands.console import console, step
from localcloud.directories import PROJECT
from localcloud.environments import environment
from localcloud.toolchain.errors import ToolchainError
from workloads.registry import WORKLOADS


class NoRunError(ValueError):
    """No run is named."""


ERRORS = (ToolchainError, NoRunError)
DVC = PROJECT / "commands" / "dvc" / "requirements.txt"


def reproduce(
    run: Annotated[str, typer.Option(help="the folder of its checkpoints, or run.json in it")] = "",
    data: Annotated[str | None, typer.Option(help="a folder with the data of then")] = None,
    anyway: Annotated[bool, typer.Option(help="with other code, libraries or processors than then")] = False,
) -> None:
    """Make a run again from its record, and say whether it is the same."""
    if not run:
        raise NoRunError(
            "RUN=: give the folder of a run's checkpoints, such as RUN=s3://…-checkpoints-…/jobs/train"
        )
    program = next(filter(None, (each.program for each in WORKLOADS)))
    with step("Environments of the program and of DVC"):
        python, dvc = environment(program.requirements), environment(DVC).with_name("dvc")
    words = [run, "--dvc", str(dvc), *(["--data", data] if data else []), *(["--anyway"] if anyway else [])]
    command = [str(python), "-m", program.reproduce, *(_absolute(word) for word in words)]
    ended = subprocess.run(
        command, cwd=program.requirements.parent, env={**os.environ, "PYTHONWARNINGS": "ignore"}
    )
    if ended.returncode:
        raise typer.Exit(ended.returncode)
    console.print("[green]✓[/] the same, bit for bit")


def _absolute(word: str) -> str:
    """A path as the program sees it, which runs in a folder of its own."""
    return str(Path(word).resolve()) if Path(word).exists() else word
