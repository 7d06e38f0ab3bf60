"""A golden set: a versioned folder with cases, read whole or refused with every mistake named.

`golden.yaml` has its name and version, and `cases/*.jsonl` a case a line: docs/evaluation.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import fsspec
import yaml
from pydantic import Field, ValidationError

from workloads.evaluation.programs.cases import Case, Model, Words, read_case
from workloads.evaluation.programs.normal import normal
from workloads.training.trainer.publication import listed, refusals
from workloads.training.trainer.recipe import RecipeError

HEAD, CASES = "golden.yaml", "cases/"
# More mistakes than this are one mistake made often.
_MOST_NAMED = 20


class Head(Model):
    """golden.yaml."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: Words
    example: bool = False
    """Whether it only shows the format, and judges no model that people use."""


@dataclass(frozen=True)
class GoldenSet:
    """A set that is right in every part; `digest` is the SHA-256 of all that is in it, in whatever order its files."""

    name: str
    version: str
    description: str
    example: bool
    cases: tuple[Case, ...]
    digest: str

    @property
    def identity(self) -> dict[str, str]:
        """What a verdict says of it."""
        return {"name": self.name, "version": self.version, "digest": self.digest}


def read(uri: str, digest: str | None = None) -> GoldenSet:
    """The set in a folder (a path, s3://, gs://). RecipeError names all its mistakes, and another digest than asked."""
    texts = _texts(uri)
    mistakes: list[str] = []
    head = _head(texts.pop(HEAD, None), mistakes)
    cases = [case for name in sorted(texts) for case in _cases(name, texts[name], mistakes)]
    mistakes += _duplicates(cases)
    if not cases and not mistakes:
        mistakes.append(f"{CASES}*.jsonl has no case: give at least one")
    if mistakes or head is None:
        more = [f"and {len(mistakes) - _MOST_NAMED} more"] if len(mistakes) > _MOST_NAMED else []
        raise RecipeError("\n".join([f"golden set {uri} is refused:", *mistakes[:_MOST_NAMED], *more]))
    found = GoldenSet(**head.model_dump(), cases=tuple(cases), digest=_digest(head, cases))
    if digest not in (None, found.digest):
        raise RecipeError(
            f"golden set {uri} has the digest {found.digest}, not {digest}: it was changed; look why, and name the "
            "new digest where you agree"
        )
    return found


def _texts(uri: str) -> dict[str, bytes]:
    """The files of the set by their path below its folder."""
    with refusals(uri):
        files, root = fsspec.core.url_to_fs(uri.rstrip("/"))
        root = root.rstrip("/")
        paths = {path[len(root) + 1 :]: path for path in listed(files, root)}
        if HEAD not in paths:
            raise RecipeError(f"golden set {uri} has no {HEAD}: give a folder with {HEAD} and {CASES}*.jsonl")
        wanted = [name for name in paths if name.startswith(CASES) and name.endswith(".jsonl")]
        return {name: files.cat_file(paths[name]) for name in [HEAD, *wanted]}


def _head(raw: bytes | None, mistakes: list[str]) -> Head | None:
    try:
        return Head.model_validate(yaml.safe_load(raw or b""))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        mistakes += [f"{HEAD}: {sentence}" for sentence in _sentences(error)]
        return None


def _cases(name: str, raw: bytes, mistakes: list[str]) -> Iterator[Case]:
    for at, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield read_case(line)
        except (ValidationError, ValueError) as error:
            mistakes += [f"{name}:{at}: {sentence}" for sentence in _sentences(error)]


def _sentences(error: Exception) -> list[str]:
    if not isinstance(error, ValidationError):
        return [str(error).splitlines()[0]]
    return [
        f"{'.'.join(str(part) for part in each['loc']) or 'the line'}: {each['msg'].removeprefix('Value error, ')}"
        for each in error.errors()
    ]


def _duplicates(cases: Sequence[Case]) -> Iterator[str]:
    """Cases that are one to a reader: a set in which one case counts twice measures it twice."""
    for what, key in (("id", lambda case: case.id.casefold()), ("prompt", lambda case: normal(case.prompt))):
        first: dict[str, Case] = {}
        for case in cases:
            before = first.setdefault(key(case), case)
            if before is not case:
                yield f"case {case.id}: its {what} is that of case {before.id}: take one of them out"


def _digest(head: Head, cases: Sequence[Case]) -> str:
    body = [head.model_dump(), *sorted((case.model_dump() for case in cases), key=lambda case: case["id"])]
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
