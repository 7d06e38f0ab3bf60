"""Finds the cases of a golden set in training data: a model that has learnt the answers measures nothing.

Texts are compared as words, without case, punctuation and Unicode's variants. A row leaks a case where it has half of
the runs of eight words of its prompt, or of a long answer. A prompt of a few words, which anybody may say, leaks only
beside an answer.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from workloads.evaluation.programs.cases import answers
from workloads.evaluation.programs.golden import GoldenSet
from workloads.evaluation.programs.normal import normal
from workloads.training.trainer.publication import listed, refusals
from workloads.training.trainer.recipe import RecipeError

ENDINGS = (".parquet", ".jsonl", ".txt")
RUN = 8
# A prompt of fewer words is no proof by itself.
FEW = 5
SHARE = 0.5
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Leak:
    """A row of a file, counted from 1, that has (a part of) a case."""

    file: str
    row: int
    case: str
    part: str
    """`prompt` or `answer`."""
    share: float
    """Of the runs of words of that part."""


@dataclass(frozen=True)
class _Part:
    """Of a case: the runs of words that tell it, all of one length."""

    case: str
    part: str
    runs: frozenset[tuple[str, ...]]
    beside: tuple[str, ...] = ()
    """One of these texts must be in the row too; none need where empty."""


def find(golden: GoldenSet, uri: str) -> Iterator[Leak]:
    """The leaks in all files under a folder, or in one file. RecipeError names what can't be read."""
    parts = list(_parts(golden))
    index: dict[tuple[str, ...], list[_Part]] = defaultdict(list)
    for part in parts:
        for run in part.runs:
            index[run].append(part)
    sizes = sorted({len(run) for run in index})
    for file, row, text in rows(uri):
        yield from _in_row(file, row, normal(text), index, sizes)


def _in_row(
    file: str, row: int, text: str, index: dict[tuple[str, ...], list[_Part]], sizes: Sequence[int]
) -> Iterator[Leak]:
    words = text.split()
    runs = {tuple(words[at : at + size]) for size in sizes for at in range(len(words) - size + 1)}
    found = Counter(part for run in runs & index.keys() for part in index[run])
    for part, count in found.items():
        share = count / len(part.runs)
        beside = not part.beside or any(f" {other} " in f" {text} " for other in part.beside)
        if share >= SHARE and beside:
            yield Leak(file, row, part.case, part.part, round(share, 2))


def _parts(golden: GoldenSet) -> Iterator[_Part]:
    prompts = {case.id: normal(case.prompt).split() for case in golden.cases}
    # What several prompts say alike ("answer with a number only") tells none of them.
    shared = Counter(run for words in prompts.values() for run in _runs(words))
    for case in golden.cases:
        words = prompts[case.id]
        texts = tuple(normal(answer) for answer in answers(case))
        own = frozenset(run for run in _runs(words) if shared[run] == 1) or frozenset(_runs(words))
        if len(words) >= FEW or texts:
            yield _Part(case.id, "prompt", own, texts if len(words) < FEW else ())
        for answer in texts:
            if len(long := answer.split()) >= RUN:
                yield _Part(case.id, "answer", frozenset(_runs(long)))


def _runs(words: Sequence[str]) -> set[tuple[str, ...]]:
    size = min(RUN, len(words))
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}


def rows(uri: str) -> Iterator[tuple[str, int, str]]:
    """File, number and all texts of each row, whatever its columns are called."""
    with refusals(uri):
        files, root = fsspec.core.url_to_fs(uri.rstrip("/"))
        found = [root] if root.endswith(ENDINGS) else listed(files, root)
        paths = sorted(path for path in found if path.endswith(ENDINGS))
    if not paths:
        raise RecipeError(f"training data {uri} holds no file that ends in {', '.join(ENDINGS)}")
    for path in paths:
        try:
            with refusals(uri), files.open(path, "rb") as stream:
                for number, row in enumerate(_read(path, stream), 1):
                    yield path, number, "\n".join(_texts(row))
        except (pa.ArrowInvalid, ValueError) as error:
            raise RecipeError(f"{path} can't be read as {path.rsplit('.', 1)[-1]}: {error}") from error


def _read(path: str, stream: Any) -> Iterator[Any]:
    if path.endswith(".parquet"):
        for batch in pq.ParquetFile(stream).iter_batches(_ROWS_AT_ONCE):
            yield from batch.to_pylist()
        return
    for line in stream:
        text = line.decode()
        yield json.loads(text) if path.endswith(".jsonl") and text.strip() else text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
