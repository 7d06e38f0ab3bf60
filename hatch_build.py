"""Builds the wheel `india-ai-infra`: the package `india_ai_infra`, with `infra` inside it.

A program that installs it may well have an `infra` of its own, so none is put beside it: each import of `infra` is
written as one of `india_ai_infra.infra`. Why: docs/decisions/0014-components-install-under-one-name.md.
"""

from __future__ import annotations

import ast
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE, INSIDE = "india_ai_infra", "infra"
# What commands use and no component does.
LEFT_OUT = ("advice", "catalog/refresh", "pricing", "stacks.py")


class Wheel(BuildHookInterface):
    """What hatchling asks before and after it writes the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stage the package, and have the wheel take it."""
        if version == "editable":
            raise SystemExit(
                "an editable install would put `infra` beside other people's: work in a clone of the repository, "
                "or install without -e"
            )
        root = Path(self.root)
        self.staged = tempfile.mkdtemp()
        copy(root / PACKAGE, Path(self.staged), ())
        copy(root / INSIDE, Path(self.staged, INSIDE), LEFT_OUT)
        build_data["force_include"][self.staged] = PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was staged."""
        shutil.rmtree(self.staged)


def copy(source: Path, target: Path, left_out: tuple[str, ...]) -> None:
    """The files of a package, with its imports of `infra` written anew."""
    unwanted = [source / each for each in left_out]
    for file in sorted(source.rglob("*")):
        if (
            not file.is_file()
            or "__pycache__" in file.parts
            or any(file.is_relative_to(each) for each in unwanted)
        ):
            continue
        written = target / file.relative_to(source)
        written.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".py":
            written.write_text(moved(file.read_text(encoding="utf-8"), str(file)), encoding="utf-8")
        else:
            shutil.copyfile(file, written)


def moved(source: str, file: str) -> str:
    """A module's text after the move of `infra` into the package."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source, file)):
        if isinstance(node, ast.Import) and any(_ours(name.name) for name in node.names):
            raise ValueError(
                f"{file}:{node.lineno}: write `from {INSIDE} import …`, which the wheel can move"
            )
        if isinstance(node, ast.ImportFrom) and not node.level and _ours(node.module or ""):
            before, word, after = lines[node.lineno - 1].partition(f"from {INSIDE}")
            lines[node.lineno - 1] = f"{before}{word.replace(INSIDE, f'{PACKAGE}.{INSIDE}')}{after}"
    return "".join(lines)


def _ours(module: str) -> bool:
    return module.partition(".")[0] == INSIDE
