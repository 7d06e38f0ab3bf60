"""Python environments for programs that run on this machine: built once per user from pinned requirements."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

from localcloud.directories import cache_dir
from localcloud.toolchain.cache import GIB, atomically, require_space, room
from localcloud.toolchain.errors import ToolchainError

# With torch, where uv must copy what it can't link.
LARGEST_BYTES = 7 * GIB


def environment(requirements: Path) -> Path:
    """The interpreter of an environment with these requirements; builds it if the user's cache has none."""
    home = environment_home(requirements)
    interpreter = home / "bin" / "python"
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not interpreter.exists():
            require_space(LARGEST_BYTES, f"the environment of {requirements}")
            with room(f"building the environment of {requirements}"):
                atomically(home, lambda draft: _build(draft, requirements))
    return interpreter


def environment_home(requirements: Path) -> Path:
    """The folder of the environment, named by what is in it: other pins, or another Python, are another folder."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(f"{version}\n{requirements.read_text()}".encode()).hexdigest()
    return cache_dir() / "environments" / digest[:16]


def _build(draft: Path, requirements: Path) -> None:
    # Relocatable: the programs in its bin work after the draft was moved into place.
    _uv("venv", "--relocatable", "--python", sys.executable, str(draft))
    # An import of torch without bytecode takes ten seconds of a processor, at each start of each rank.
    python = str(draft / "bin" / "python")
    # The file has all that is needed. What a package asks for is not asked again: it may have been overridden.
    _uv("pip", "install", "--no-deps", "--compile-bytecode", "--python", python, "-r", str(requirements))


def _uv(*arguments: str) -> None:
    ran = subprocess.run([sys.executable, "-m", "uv", "-q", *arguments], capture_output=True, text=True)
    if ran.returncode:
        raise ToolchainError(f"uv {' '.join(arguments)} failed:\n{ran.stderr.strip()}")
