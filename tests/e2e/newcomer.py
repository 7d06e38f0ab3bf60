"""What a newcomer types, in a run directory of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from localcloud.directories import PROJECT


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    whole = {**os.environ, "INDIA_AI_INFRA_RUN": str(tmp_path_factory.mktemp("newcomer"))}
    yield whole
    make("down", whole)
    assert processes(whole) == []


def make(target: str, env: dict[str, str], fails: bool = False) -> str:
    done = subprocess.run(
        ["make", "-s", *shlex.split(target)],
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, said
    return said


def processes(env: dict[str, str]) -> list[str]:
    """Command lines of whatever runs out of this run directory."""
    folder = env["INDIA_AI_INFRA_RUN"]
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = process.info["cmdline"] or []
        if (
            any(folder in word for word in words)
            or (process.info["environ"] or {}).get("INDIA_AI_INFRA_RUN") == folder
        ):
            found.append(" ".join(words))
    return found
