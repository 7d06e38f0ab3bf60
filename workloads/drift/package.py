"""The files of the drift program, as they lie in a pod."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = "workloads/drift/programs"


def files() -> dict[str, str]:
    """Their texts, by path below the folder that Python looks in."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / PROGRAMS).glob("*.py"))
    }
