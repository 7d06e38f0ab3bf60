"""Where the local cloud keeps its things: what it runs under the project, what it builds per user."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def run_dir() -> Path:
    """State, logs, processes and data of this clone's local cloud; everything in it may be deleted with it."""
    return Path(os.environ.get("INDIA_AI_INFRA_RUN") or PROJECT / ".localcloud")


def cache_dir() -> Path:
    """Built tools, shared by every clone of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "india-ai-infra"


def bin_dir() -> Path:
    """The folder whose programs the local cloud runs: links to the cache, made by the toolchain."""
    return Path(os.environ.get("INDIA_AI_INFRA_BIN") or run_dir() / "bin")


def crds_dir() -> Path:
    """Custom resource definitions that charts bring, copied from their Go modules by the toolchain."""
    return run_dir() / "crds"
