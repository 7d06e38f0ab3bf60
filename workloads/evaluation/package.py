"""The files of the evaluation program, as they lie in a pod."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = "workloads/evaluation/programs"
# What stores deny, in one sentence.
_TRAINER = ("__init__", "publication", "recipe")


def files() -> dict[str, str]:
    """Their texts, by path below the folder that Python looks in."""
    own = sorted((ROOT / PROGRAMS).glob("*.py"))
    trainer = [ROOT / "workloads/training/trainer" / f"{name}.py" for name in _TRAINER]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in (*own, *trainer)}
