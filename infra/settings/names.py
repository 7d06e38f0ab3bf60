"""Names of cloud resources that hold the stack's name: a stack whose name makes one of them too long is refused.

`names.csv` has a row for each kind of name: the longest that the program makes, and the longest that its API takes.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from infra.geography import Cloud
from infra.settings.errors import Problem
from infra.settings.valid_parts import Check, Parts

# A pool's name is a DNS label.
LONGEST_POOL = 63
# The characters of a stack's name. GKE takes lower case only; EKS and SQS take no dots.
_LETTERS = {
    "aws": (r"[A-Za-z0-9_-]+", "letters, digits, dashes and underscores"),
    "gcp": (r"[a-z0-9-]+", "lower-case letters, digits and dashes"),
}


@dataclass(frozen=True)
class Name:
    """A kind of name: `template` makes the longest of a stack, `longest` is how many characters the API takes."""

    cloud: Cloud
    what: str
    type: str
    property: str
    template: str
    longest: int
    source: str
    read: str

    def of(self, project: str, stack: str, pool: str = "x" * LONGEST_POOL) -> str:
        """The name in a stack, by default with the longest pool's name in it."""
        return self.template.format(project=project, stack=stack, pool=pool)

    def room(self, project: str) -> int:
        """How long a stack's name may be."""
        return self.longest - len(self.of(project, ""))


@functools.cache
def names() -> tuple[Name, ...]:
    """The rows of names.csv: how names of resources are made, and how long they may be."""
    with Path(__file__).with_name("names.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Name(**{**row, "longest": int(row["longest"])}) for row in csv.DictReader(file))


def fits(project: str, stack: str) -> Check:
    """A check that the stack's name makes no name too long for its cloud."""

    def check(parts: Parts) -> list[Problem]:
        return [problem for cloud in parts.clouds if (problem := _problem(cloud.cloud, project, stack))]

    return check


def shortened(text: str, longest: int) -> str:
    """The text, cut if it is too long: a hash of the whole then ends it, so that no two long texts become one."""
    if len(text) <= longest:
        return text
    mark = hashlib.sha256(text.encode()).hexdigest()[:6]
    return f"{text[: longest - 7].rstrip('-')}-{mark}"


def _problem(cloud: Cloud, project: str, stack: str) -> Problem | None:
    tightest = min((name for name in names() if name.cloud == cloud), key=lambda name: name.room(project))
    room = tightest.room(project)
    pattern, letters = _LETTERS[cloud]
    if len(stack) <= room and re.fullmatch(pattern, stack):
        return None
    slug = re.sub(r"[^A-Za-z0-9]+", "-", stack).strip("-")
    near = (slug if cloud == "aws" else slug.lower())[:room].rstrip("-")
    allowed = (
        f"{room} characters at most, {letters}: the name of its {tightest.what} "
        f"({tightest.of(project, '<stack>', '<pool>')}) has {tightest.longest} at most"
    )
    return Problem(f"the stack's name, with {cloud}", stack, allowed, near or None)
