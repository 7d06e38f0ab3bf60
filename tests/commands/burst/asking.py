"""Workloads of the shipped stacks, as they would run elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from commands.burst.request import Request, request
from commands.stacks import settings_of

ROLES = ("raw", "curated", "features", "models", "checkpoints", "audit")
REGISTRY = "registry.example.in"


def buckets_in(folder: Path) -> Path:
    """What `pulumi stack output buckets --json` prints, in a file."""
    (file := folder / "buckets.json").write_text(json.dumps({role: f"lake-{role}-1a2b" for role in ROLES}))
    return file


def asked(folder: Path, stack: str, workload: str, data_class: str = "personal") -> Request:
    """A workload of a stack, whose data are of that class."""
    made = request(stack, settings_of(stack), workload, buckets_in(folder), REGISTRY)
    return replace(made, data_class=data_class)
