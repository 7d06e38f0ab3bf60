"""The files of the feature store's pods: its programs, and the definitions of a stack."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).with_name("programs")
DEFINITIONS = "definitions"


def files(definitions: str) -> dict[str, str]:
    """Their texts, by path in the pod. Raises ValueError if the folder has no definitions."""
    folder = ROOT / definitions
    found = sorted(folder.glob("*.py"))
    if not found:
        raise ValueError(f"{definitions}: no Python file with definitions there")
    programs = {f"programs/{file.name}": file.read_text() for file in sorted(PROGRAMS.glob("*.py"))}
    return programs | {f"{DEFINITIONS}/{file.name}": file.read_text() for file in found}
