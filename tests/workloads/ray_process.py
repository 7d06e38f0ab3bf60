"""A Ray of a test's own: Ray finds clusters by a file in a folder of the machine, so each test has its folder."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from localcloud.environments import environment

SECONDS = 400


def run_ray(
    requirements: Path, arguments: list[str], variables: Mapping[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program in the environment of `requirements`, where it meets no Ray but those that it starts."""
    # Not pytest's folder for the test: Ray's sockets lie under it, and the path of a socket has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        own = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "RAY_TMPDIR": folder,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        return subprocess.run(
            [str(environment(requirements)), *arguments],
            input=typed,
            env={**own, **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
