"""What a model answered to a golden set: a JSON file that names the set, and shows whether it was changed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from workloads.evaluation.programs.golden import GoldenSet
from workloads.training.trainer.publication import refusals
from workloads.training.trainer.recipe import RecipeError


@dataclass(frozen=True)
class Answer:
    """Of one case. Either `passed` says how it was judged, or `error` why nobody could."""

    id: str
    text: str
    passed: bool | None
    why: str = ""
    """What is wrong with the answer, for people."""
    error: str = ""
    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Results:
    """Of one model on one set."""

    model: str
    revision: str
    golden_set: Mapping[str, str]
    """Its name, version and digest."""
    at: str
    """UTC, ISO 8601."""
    answers: tuple[Answer, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of all that is here."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def errors(self) -> list[Answer]:
        """The cases that nobody could judge."""
        return [answer for answer in self.answers if answer.passed is None]

    def document(self) -> str:
        """The file."""
        return json.dumps({**asdict(self), "digest": self.digest}, indent=1, ensure_ascii=False)


def read(uri: str, golden: GoldenSet) -> Results:
    """The results in a file. RecipeError if it was changed, or is of another set than `golden`."""
    try:
        with refusals(uri):
            files, path = fsspec.core.url_to_fs(uri)
            given: dict[str, Any] = json.loads(files.cat_file(path))
        digest = given.pop("digest")
        found = Results(**{**given, "answers": tuple(Answer(**answer) for answer in given["answers"])})
    except FileNotFoundError:
        raise RecipeError(f"results {uri} are not there: evaluate the model in production first") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecipeError(f"results {uri} can't be read ({error}): evaluate the model again") from error
    if digest != found.digest:
        raise RecipeError(f"results {uri} were changed after they were written: evaluate the model again")
    if dict(found.golden_set) != golden.identity:
        other = found.golden_set
        raise RecipeError(
            f"results {uri} are of the golden set {other.get('name')} {other.get('version')}, and this is "
            f"{golden.name} {golden.version} ({golden.digest[:12]}): evaluate that model on this set"
        )
    return found


def now() -> str:
    """UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def write(folder: str, files: Sequence[tuple[str, bytes]]) -> None:
    """Writes files into a folder, each whole; the last one is what says that the others are there."""
    with refusals(folder):
        store, root = fsspec.core.url_to_fs(folder.rstrip("/"))
        for name, content in files:
            path = f"{root.rstrip('/')}/{name}"
            if not isinstance(store, LocalFileSystem):
                store.pipe_file(path, content)
                continue
            store.makedirs(root, exist_ok=True)
            store.pipe_file(f"{path}.part", content)
            store.mv(f"{path}.part", path)
