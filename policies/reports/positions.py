"""Which line of the program made a resource: the engine keeps it, and its preview and its state both say it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from policies.framework.record import ReportedFinding

PROJECT_FILE = "Pulumi.yaml"
# Folders of packages that a program uses: not where its author made a resource.
_OF_OTHERS = frozenset({".venv", "venv", "site-packages", "node_modules", "vendor"})


@dataclass(frozen=True)
class Line:
    """`file` is relative to the repository, with slashes."""

    file: str
    line: int


class NoPositionsError(Exception):
    """A file is neither a preview nor a state; the message says what to give."""


@dataclass(frozen=True)
class Positions:
    """Lines by URN. What has none, and the stack itself, is at the project's file."""

    by_urn: Mapping[str, Line]
    otherwise: Line = Line(PROJECT_FILE, 1)

    def of(self, finding: ReportedFinding) -> Line:
        """The line of the program that made a finding's resource; `otherwise` where it is not known."""
        return self.by_urn.get(finding.urn, self.otherwise)


def positions(resources: Iterable[Mapping[str, Any]], project: Path, repository: Path) -> Positions:
    """The first line of each resource's stack trace that is in the repository.

    `project` is the folder of the Pulumi.yaml that the engine was given, which its positions are relative to.
    """
    found = {one["urn"]: line for one in resources if (line := _line(one, project, repository))}
    return Positions(found, Line(_inside(project / PROJECT_FILE, repository) or PROJECT_FILE, 1))


def resources_of(file: Path) -> list[dict[str, Any]]:
    """The resources of `pulumi preview --json`, or of `pulumi stack export`.

    Raises:
        NoPositionsError: it is neither.
    """
    try:
        values = json.loads(file.read_bytes())
        if "steps" in values:
            return [step["newState"] for step in values["steps"] if step.get("newState")]
        return list(values["deployment"].get("resources") or [])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NoPositionsError(
            f"{file} is neither what `pulumi preview --json` prints nor a state from `pulumi stack export` ({error!r})"
        ) from None


def _line(resource: Mapping[str, Any], project: Path, repository: Path) -> Line | None:
    frames = [
        resource.get("sourcePosition"),
        *(f.get("sourcePosition") for f in resource.get("stackTrace") or ()),
    ]
    for position in filter(None, frames):
        path, _, at = str(position).partition("#")
        file = _inside(_path(path, project), repository)
        number = at.partition(",")[0]
        if file and number.isdigit() and int(number):
            return Line(file, int(number))
    return None


def _path(uri: str, project: Path) -> Path:
    """`project:///a.py` is beside the project's file, `file:///x/a.py` where it says."""
    scheme, _, path = uri.partition("://")
    return project / unquote(path).lstrip("/") if scheme == "project" else Path(unquote(path))


def _inside(path: Path, repository: Path) -> str:
    """A path relative to the repository; empty for one outside it, or of a package."""
    relative = Path(os.path.relpath(os.path.normpath(path), repository))
    if relative.parts[:1] == ("..",) or _OF_OTHERS & set(relative.parts):
        return ""
    return relative.as_posix()
