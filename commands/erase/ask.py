"""The program that opens the lake, in an environment with pyarrow and what opens S3 and Cloud Storage: a job goes in,
answers come out."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from commands.erase.places import Place
from localcloud.directories import PROJECT
from localcloud.environments import environment

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
REFUSED = 64


class StoreRefusedError(Exception):
    """The lake can't be opened, or refuses; the message says what is needed."""


@dataclass(frozen=True)
class Search:
    """What is looked for: `whom` as the program takes it, the columns with identifiers, and those that are emptied
    where rows stay."""

    whom: Mapping[str, Any]
    columns: Sequence[str]
    empty: Sequence[str] = ()


def ask(do: str, places: Sequence[Place], search: Search | None = None, **more: Any) -> Iterator[Any]:
    """The answers of the program to a job.

    Raises:
        StoreRefusedError: a bucket is not there or denies access.
    """
    buckets = [
        {"store": one.store, "name": one.name, "region": one.region, "endpoint": one.endpoint}
        for one in places
    ]
    for line in _lines(
        json.dumps({"do": do, "buckets": buckets, **(asdict(search) if search else {}), **more})
    ):
        yield json.loads(line)


def _lines(job: str) -> Iterator[str]:
    # What it says beside its answers goes to a file: a pipe that nobody reads meanwhile would fill, and hold it up.
    with tempfile.TemporaryFile("w+") as errors:
        # The identifier goes by standard input: a command line can be read by everybody on this machine.
        with subprocess.Popen(
            [environment(REQUIREMENTS), "-m", "commands.erase.programs"],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as program:
            assert program.stdin and program.stdout
            program.stdin.write(job)
            program.stdin.close()
            yield from program.stdout
        errors.seek(0)
        said = errors.read().strip()
    if program.returncode:
        refused = program.returncode == REFUSED
        raise StoreRefusedError(said if refused else f"the lake was not opened:\n{said[-2000:]}")
