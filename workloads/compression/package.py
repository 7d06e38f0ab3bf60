"""The files of the compression program, as they lie in a pod: those of the trainer that read models and texts too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = "workloads/compression/programs"
_TRAINER = (
    "__init__",
    "agreement",
    "data",
    "launch",
    "models",
    "order",
    "pipeline",
    "prepare",
    "publication",
    "recipe",
    "tokens",
)


def files() -> dict[str, str]:
    """Their texts, by path below the folder that Python looks in."""
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in _paths()}


def _paths() -> Iterator[Path]:
    yield from sorted((ROOT / PROGRAMS).glob("*.py"))
    yield from (ROOT / "workloads/training/trainer" / f"{name}.py" for name in _TRAINER)
