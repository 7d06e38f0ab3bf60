"""The table of images that run on this machine, and the environments that their programs find."""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from localcloud import environments
from localcloud.directories import PROJECT

TABLE = Path(__file__).with_name("images.yaml")
# Names the folder of this project's Python in the agent, which is started through a link.
PREFIX = "INDIA_AI_INFRA_PREFIX"


@dataclass(frozen=True)
class Environment:
    """What is installed for the programs of some images; without `requirements`, this project's own Python."""

    name: str
    requirements: Path | None = None
    programs: Path | None = None
    """A folder whose programs come before those that are installed: where an image's are different here."""

    @property
    def folder(self) -> Path:
        """Its virtual environment, whose `bin` comes first in the programs' PATH."""
        if self.requirements is None:
            return Path(os.environ.get(PREFIX) or sys.prefix)
        return environments.environment_home(self.requirements)

    @property
    def ready(self) -> bool:
        """Whether programs can run in it now."""
        return (self.folder / "bin" / "python").exists()

    def build(self) -> None:
        """Install it unless it is there.

        Raises:
            ToolchainError: uv refused, or there is no room.
        """
        if self.requirements:
            environments.environment(self.requirements)


@dataclass(frozen=True)
class Table:
    """`images` are regular expressions of whole names, in order, each with its environment. `databases` is the one that
    has a PostgreSQL."""

    environments: Mapping[str, Environment]
    images: Mapping[str, Environment]
    databases: Environment

    def of(self, image: str) -> Environment | None:
        """The environment of an image; None if its pods are simulated."""
        return next((found for form, found in self.images.items() if re.fullmatch(form, image)), None)


@functools.cache
def table() -> Table:
    """The table, `images.yaml`."""
    read = yaml.safe_load(TABLE.read_text())
    made = {name: _environment(name, about) for name, about in read["environments"].items()}
    images = {form: made[name] for form, name in read["images"].items()}
    return Table(made, images, made[read["databases"]])


def _environment(name: str, about: Mapping[str, Any]) -> Environment:
    paths = {key: PROJECT / about[key] for key in ("requirements", "programs") if key in about}
    return Environment(name, **paths)
