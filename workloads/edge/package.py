"""The files of the edge programs, as they lie in a pod: with those of compression that read a model."""

from __future__ import annotations

from workloads.compression import package as compression
from workloads.compression.package import ROOT

PROGRAMS = "workloads/edge/programs"


def files() -> dict[str, str]:
    """Their texts, by path below the folder that Python looks in."""
    paths = sorted(path for path in (ROOT / PROGRAMS).iterdir() if path.suffix in (".py", ".yaml"))
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in paths} | compression.files()
