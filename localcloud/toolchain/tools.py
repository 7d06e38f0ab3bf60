"""Which programs the local cloud runs, and at which version: `tools.yaml` with the go.mod of each tool's folder."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from localcloud.directories import cache_dir

MODULES = Path(__file__).parent

Accepts = Literal["exact", "patch", "newer"]
Version = tuple[int, ...]


@dataclass(frozen=True)
class Tool:
    """A Go module of ours and what comes of it: programs, and files that lie beside them."""

    name: str
    module: str
    programs: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    tags: str = ""
    minutes: float = 0
    everyday: bool = False
    licence: str = ""

    @property
    def folder(self) -> Path:
        """The folder of its Go module."""
        return MODULES / self.name

    @property
    def version(self) -> str:
        """The version that go.mod pins, without its v."""
        wanted = rf"^\s*(?:require )?{re.escape(self.module)} v(\S+)"
        found = re.search(wanted, (self.folder / "go.mod").read_text(), re.MULTILINE)
        assert found, f"{self.folder / 'go.mod'} names no version of {self.module}"
        return found[1]

    @property
    def ldflags(self) -> str:
        """The linker flags it is built with: stripped, and with its version where it prints one."""
        if not self.variables:
            return "-s -w"
        major, minor, _ = self.version.split(".", 2)
        words = {"version": self.version, "major": major, "minor": minor}
        return " ".join(
            ["-s -w", *(f"-X {name}={value.format(**words)}" for name, value in self.variables.items())]
        )

    @property
    def cached(self) -> Path:
        """The folder of the tool's parts in the user's cache: another pin or another flag is another folder."""
        digest = hashlib.sha256(f"{self.ldflags}{self.tags}".encode())
        for file in (self.folder / "go.mod", self.folder / "go.sum", *sorted(self.folder.glob("*.go"))):
            digest.update(file.read_bytes())
        return cache_dir() / "tools" / f"{self.name}-{digest.hexdigest()[:16]}"

    @property
    def parts(self) -> list[Part]:
        """Its programs and files, and where they are in the cache."""
        cached = self.cached
        return [Part(self, name, cached / name) for name in (*self.programs, *self.files)]


@dataclass(frozen=True)
class Part:
    """A program or a file of a tool, and where it is in the user's cache."""

    tool: Tool = field(compare=False)
    name: str
    path: Path

    @property
    def package(self) -> str:
        """The Go package of a program; empty for a file."""
        return self.tool.programs.get(self.name, {}).get("package", "")

    @property
    def prints_version(self) -> list[str]:
        """The arguments with which it prints its version; none where it can't."""
        return self.tool.programs.get(self.name, {}).get("prints_version", [])

    @property
    def accepts(self) -> Accepts | None:
        """Which versions of the user's own program do; None where none does."""
        return self.tool.programs.get(self.name, {}).get("accepts")


@functools.cache
def tools() -> dict[str, Tool]:
    """The rows of tools.yaml, by name."""
    table = yaml.safe_load((MODULES / "tools.yaml").read_text())
    return {name: Tool(name, **entry) for name, entry in table.items()}


def everyday() -> list[Tool]:
    """What `make up` needs."""
    return [tool for tool in tools().values() if tool.everyday]


def numbers(version: str) -> Version:
    """The first three numbers of a version."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def does(rule: Accepts, pinned: str, version: str) -> bool:
    """Whether a program of this version does in place of the pinned one."""
    mine, theirs = numbers(pinned), numbers(version)
    if rule == "exact":
        return theirs == mine
    same = 2 if rule == "patch" else 1
    return theirs[:same] == mine[:same] and theirs >= mine
