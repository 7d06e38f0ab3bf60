"""Where the program is that the engine runs: its exemptions and its baseline are beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import yaml

PACK = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """The folder of the program whose resources the pack looks at; the working directory where no engine started it.

    The launcher of Python packs starts them in their own folder, says the project's name in PULUMI_PROJECT, and runs
    itself in the program's folder (pulumi/pulumi, sdk/python/cmd/pulumi-language-python, RunPlugin). Where the system
    does not show that (only Linux has /proc), the shell's working directory counts, if it is in a project of that name.
    """
    here = Path.cwd()
    if here.resolve() != PACK:
        return here
    launcher = Path(f"/proc/{os.getppid()}/cwd")
    if launcher.exists() and launcher.resolve() != PACK:
        return launcher.resolve()
    return next(_projects(Path(os.environ.get("PWD", here)), os.environ.get("PULUMI_PROJECT", "")), here)


def _projects(start: Path, name: str) -> Iterator[Path]:
    """Folders from `start` upwards that hold a project of this name."""
    for above in (start, *start.parents):
        for file in (above / "Pulumi.yaml", above / "Pulumi.yml"):
            if file.is_file() and _name(file) == name:
                yield above


def _name(file: Path) -> str | None:
    try:
        values = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    return values.get("name") if isinstance(values, dict) else None
