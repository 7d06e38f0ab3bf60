"""Batches as a function of a seed and a position, so that a job resumes at the exact sample on any number of ranks.

The samples are rows of Parquet shards that `trainer.prepare` wrote. An epoch visits the row groups in a shuffled order,
several at a time (a window), and the rows of a window in a shuffled order. Each rank reads each window whole and takes
its own rows of it: tokens are a few bytes each, and no rank needs to know what another reads.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import fsspec
import numpy as np
import pyarrow.parquet as pq

from .order import Order, mixed, positions
from .publication import refusals
from .recipe import BUILTIN, Recipe, RecipeError
from .tokens import Encoder

INDEX = "index.json"


class Source(Protocol):
    """Samples by position; there is one for every position."""

    digest: str

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """The tokens at these positions, (positions, sequence length)."""
        ...


@dataclass(frozen=True)
class Group:
    """A row group of a shard."""

    shard: str
    number: int
    rows: int


@dataclass(frozen=True)
class Index:
    """What prepare wrote: checked against a recipe before anything is read."""

    tokenizer: str
    tokenizer_digest: str
    vocabulary: int
    sequence_length: int
    groups: tuple[Group, ...]
    digest: str


class Shards:
    """The rows of prepared shards."""

    def __init__(self, uri: str, index: Index, seed: int) -> None:
        self._uri, self._index = uri, index
        self._order = Order([group.rows for group in index.groups], seed)
        self.digest = _digest({"index": index.digest, "seed": seed})
        self.samples = self._order.samples
        self._window: tuple[tuple[int, int], np.ndarray] | None = None

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """The tokens at these positions."""
        return np.stack(
            [self._read(*self._order.window(int(at)))[self._order.row(int(at))] for at in positions]
        )

    def _read(self, epoch: int, window: int) -> np.ndarray:
        if self._window is None or self._window[0] != (epoch, window):
            groups = [self._index.groups[at] for at in self._order.groups(epoch, window)]
            self._window = (epoch, window), np.concatenate([self._group(group) for group in groups])
        return self._window[1]

    def _group(self, group: Group) -> np.ndarray:
        with refusals(self._uri), fsspec.open(f"{self._uri}/{group.shard}", "rb") as stream:
            file = pq.ParquetFile(stream, page_checksum_verification=True)
            column = file.read_row_group(group.number, columns=["tokens"]).column("tokens").combine_chunks()
        return column.flatten().to_numpy().reshape(-1, self._index.sequence_length)


class Builtin:
    """Sequences in which each token decides the next: they show that a cluster trains, and nothing else."""

    def __init__(self, sequence_length: int, seed: int) -> None:
        self._length, self._seed = sequence_length, seed
        self.digest = _digest({"builtin": sequence_length, "seed": seed})

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """The sequences at these positions."""
        with np.errstate(over="ignore"):
            keys = positions.astype(np.uint64) + mixed(np.uint64(self._seed)) * np.uint64(0x9E3779B97F4A7C15)
        token = (mixed(keys) % np.uint64(256)).astype(np.int64)
        columns = [token]
        for _ in range(self._length - 1):
            token = (5 * token + 7) % 256
            columns.append(token)
        return np.stack(columns, axis=1)


def source(recipe: Recipe, tokenizer: Encoder, vocabulary: int) -> Source:
    """The samples of a recipe. RecipeError: they are of another tokenizer or length, or have more tokens."""
    data = recipe.data
    if vocabulary < tokenizer.vocabulary:
        raise RecipeError(
            f"data.tokenizer {tokenizer.name} has {tokenizer.vocabulary} tokens and the model {recipe.model.name} "
            f"knows {vocabulary}: give the tokenizer of the model"
        )
    if data.uri == BUILTIN:
        return Builtin(data.sequence_length, data.seed)
    index = read_index(data.uri)
    if index.tokenizer_digest != tokenizer.digest:
        raise RecipeError(
            f"data.uri {data.uri} was prepared with another tokenizer ({index.tokenizer}) than data.tokenizer "
            f"({data.tokenizer}): prepare it again, or give that tokenizer"
        )
    if index.sequence_length != data.sequence_length:
        raise RecipeError(
            f"data.sequenceLength is {data.sequence_length}, and {data.uri} was prepared with {index.sequence_length}: "
            "give that, or prepare it again"
        )
    return Shards(data.uri.rstrip("/"), index, data.seed)


def read_index(uri: str) -> Index:
    """The index of prepared data; RecipeError if there is none, or it is not one."""
    address = f"{uri.rstrip('/')}/{INDEX}"
    try:
        with refusals(uri), fsspec.open(address, "rb") as stream:
            text = stream.read()
        document = json.loads(text)
        groups = tuple(Group(**group) for group in document["groups"])
        if not groups:
            raise RecipeError(f"data.uri {uri} holds no sample: prepare more text")
        return Index(
            tokenizer=document["tokenizer"]["name"],
            tokenizer_digest=document["tokenizer"]["digest"],
            vocabulary=document["tokenizer"]["vocabulary"],
            sequence_length=document["sequenceLength"],
            groups=groups,
            digest=hashlib.sha256(text).hexdigest()[:16],
        )
    except FileNotFoundError:
        raise RecipeError(f"data.uri {uri} has no {INDEX}: run python -m trainer.prepare first") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"{address} is no index of trainer.prepare ({error}): prepare the data again"
        ) from error


def batches(source: Source, consumed: int, batch: int, rank: int, ranks: int) -> Iterator[np.ndarray]:
    """The rank's rows of each batch, the next of which is read while one is trained on."""
    ready: queue.Queue[np.ndarray | BaseException] = queue.Queue(maxsize=2)

    def read() -> None:
        at = consumed
        try:
            while True:
                ready.put(source.rows(positions(at, batch, rank, ranks)))
                at += batch
        except BaseException as error:  # noqa: BLE001  raised again where the batch is wanted
            ready.put(error)

    threading.Thread(target=read, name="data", daemon=True).start()
    while True:
        rows = ready.get()
        if isinstance(rows, BaseException):
            raise rows
        yield rows


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
