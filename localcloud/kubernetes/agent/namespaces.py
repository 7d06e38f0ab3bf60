"""Whether this machine lets a user make namespaces of users, mounts and processes."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from localcloud.kubernetes.agent.container import LAUNCHER

SECONDS = 20


@functools.cache
def refused() -> str:
    """The machine's words where it refuses; empty where it does not. Asked once, by a program that starts in them."""
    if sys.platform != "linux":
        return f"{sys.platform} has no namespaces of users and mounts"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "root").mkdir()
        plan = {
            "argv": ["true"],
            "environment": {"PATH": "/usr/bin:/bin"},
            "hostname": "pod",
            "directory": "/",
            "user": 0,
            "group": 0,
            "root": str(folder / "root"),
            "mounts": [{"source": name, "target": "/tmp", "read_only": False}],
            "limits": {},
            "pid_file": str(folder / "pid"),
            "log_file": str(folder / "log"),
        }
        (folder / "plan.json").write_text(json.dumps(plan))
        words = [sys.executable, "-I", "-S", str(LAUNCHER), "run", str(folder / "plan.json")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode == 0:
            return ""
        log = folder / "log"
        told = done.stderr.strip() or (log.read_text().strip() if log.exists() else "")
        return (
            f"this machine refuses namespaces to users: {told.splitlines()[-1] if told else done.returncode}"
        )
