"""A Ray of a test's own: Ray finds clusters by a file in a folder of the machine, so each test has its folder."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from localcloud.environments import environment

# A Ray is a dozen processes that import much: half a minute here, many on a machine that is busy.
SECONDS = 1200
PATIENT = {
    "RAY_raylet_start_wait_time_s": "600",
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "600",
}


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
            env={**own, **PATIENT, **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
