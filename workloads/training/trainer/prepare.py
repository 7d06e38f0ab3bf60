"""Turns text into shards of tokens, ahead of training.

    python -m trainer.prepare --source s3://lake/raw --to s3://lake/tokens --tokenizer FOLDER --sequence-length 4096

Reads Parquet, JSONL and text files, in the order of their names, a batch at a time. Joins their tokens, an end after
each text, and cuts them into rows of the sequence length; what is left at the end is dropped. Writes Parquet, and
`index.json` last.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from .data import INDEX, Group
from .launch import REFUSED
from .publication import listed, refusals
from .recipe import RecipeError
from .tokens import Encoder, encoder

ENDINGS = (".parquet", ".jsonl", ".txt")
TEXTS_AT_ONCE = 1024
# A row group is what is read at once, and a shard what is one file.
GROUP_TOKENS = 1 << 18
SHARD_GROUPS = 64
TEXT_BYTES = 1 << 20


def prepare(
    source: str, target: str, tokens: Encoder, sequence_length: int, column: str = "text"
) -> dict[str, Any]:
    """Writes the shards of all texts under `source` to `target`; the index. RecipeError names what can't be read."""
    writer = _Shards(target, sequence_length)
    rest: list[np.ndarray] = []
    held = 0
    for texts in read_texts(source, column):
        for encoded in tokens.encode(texts):
            rest.append(np.asarray([*encoded, tokens.end], dtype=np.int32))
            held += len(encoded) + 1
        if held >= GROUP_TOKENS:
            joined = np.concatenate(rest)
            whole = len(joined) // sequence_length * sequence_length
            writer.add(joined[:whole].reshape(-1, sequence_length))
            rest, held = [joined[whole:]], len(joined) - whole
    joined = np.concatenate(rest) if rest else np.empty(0, np.int32)
    whole = len(joined) // sequence_length * sequence_length
    writer.add(joined[:whole].reshape(-1, sequence_length))
    index = {
        "tokenizer": {"name": tokens.name, "digest": tokens.digest, "vocabulary": tokens.vocabulary},
        "sequenceLength": sequence_length,
        **writer.finish(),
    }
    if not index["groups"]:
        raise RecipeError(
            f"--source {source} has {held} tokens, which is less than one sequence of {sequence_length}"
        )
    writer.write(INDEX, json.dumps(index, indent=1).encode())
    return index


def read_texts(source: str, column: str) -> Iterator[list[str]]:
    """The texts of all files under a folder, or of one file."""
    with refusals(source):
        files, root = fsspec.core.url_to_fs(source.rstrip("/"))
        paths = sorted(path for path in sources(files, root) if path.endswith(ENDINGS))
    if not paths:
        raise RecipeError(f"--source {source} holds no file that ends in {', '.join(ENDINGS)}")
    for path in paths:
        try:
            with refusals(source), files.open(path, "rb") as stream:
                yield from _texts(path, stream, column)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise RecipeError(f"{path} can't be read as {path.rsplit('.', 1)[-1]}: {error}") from error


def sources(files: Any, root: str) -> list[str]:
    """A file itself, or the files of a folder."""
    return [root] if root.endswith(ENDINGS) else listed(files, root)


def _texts(path: str, stream: Any, column: str) -> Iterator[list[str]]:
    if path.endswith(".txt"):
        yield from _paragraphs(stream)
        return
    if path.endswith(".jsonl"):
        batches = pyarrow.json.open_json(stream)
        names = batches.schema.names
    else:
        file = pq.ParquetFile(stream)
        names = file.schema_arrow.names
        batches = file.iter_batches(TEXTS_AT_ONCE, columns=[column] if column in names else [])
    if column not in names:
        raise RecipeError(f"{path} has no column {column}: give --column, one of {', '.join(names)}")
    for batch in batches:
        texts = batch.column(column)
        if not pa.types.is_string(texts.type) and not pa.types.is_large_string(texts.type):
            raise RecipeError(f"{path} has no text in its column {column} but {texts.type}")
        yield [text for text in texts.to_pylist() if text]


def _paragraphs(stream: Any) -> Iterator[list[str]]:
    """The paragraphs of a text file, which blank lines part."""
    held: list[str] = []
    found: list[str] = []
    for line in io.TextIOWrapper(stream, encoding="utf-8"):
        if line.strip():
            held.append(line)
        elif held:
            found.append("".join(held).rstrip("\n"))
            held = []
        if len(found) >= TEXTS_AT_ONCE:
            yield found
            found = []
    yield [*found, *(["".join(held).rstrip("\n")] if held else [])]


class _Shards:
    """Writes rows of tokens as row groups of Parquet files."""

    def __init__(self, target: str, sequence_length: int) -> None:
        self._target = target.rstrip("/")
        self._rows = max(1, GROUP_TOKENS // sequence_length)
        self._schema = pa.schema([("tokens", pa.list_(pa.int32(), sequence_length))])
        self._groups: list[Group] = []
        self._digests: dict[str, str] = {}
        self._held: list[pa.Table] = []
        with refusals(target):
            self._files, self._root = fsspec.core.url_to_fs(self._target)
            if listed(self._files, self._root):
                raise RecipeError(f"--to {target} is not empty: give a folder of its own")

    def add(self, rows: np.ndarray) -> None:
        """Adds rows; writes a shard once it is full."""
        for begin in range(0, len(rows), self._rows):
            flat = pa.array(rows[begin : begin + self._rows].reshape(-1))
            column = pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])
            self._held.append(pa.Table.from_arrays([column], schema=self._schema))
            if len(self._held) == SHARD_GROUPS:
                self._flush()

    def finish(self) -> dict[str, Any]:
        """Writes the last shard; what the index says of all."""
        self._flush()
        return {"groups": [asdict(group) for group in self._groups], "sha256": self._digests}

    def write(self, name: str, content: bytes) -> None:
        """Writes one file."""
        with refusals(self._target):
            if isinstance(self._files, LocalFileSystem):
                self._files.makedirs(self._root, exist_ok=True)
            with self._files.open(f"{self._root}/{name}", "wb") as stream:
                stream.write(content)

    def _flush(self) -> None:
        if not self._held:
            return
        name = f"tokens-{len(self._digests):05d}.parquet"
        buffer = io.BytesIO()
        with pq.ParquetWriter(
            buffer, self._schema, compression="zstd", use_dictionary=False, write_page_checksum=True
        ) as file:
            for table in self._held:
                file.write_table(table, row_group_size=self._rows)
        self._groups += [Group(name, at, table.num_rows) for at, table in enumerate(self._held)]
        self._digests[name] = hashlib.sha256(buffer.getbuffer()).hexdigest()
        self.write(name, buffer.getvalue())
        self._held = []


def main(arguments: list[str]) -> int:
    """Prepares data; the exit code."""
    parser = argparse.ArgumentParser(prog="trainer.prepare", description=__doc__)
    parser.add_argument("--source", required=True, help="folder or file: a path, s3:// or gs://")
    parser.add_argument("--to", required=True, help="an empty folder for the shards")
    parser.add_argument(
        "--tokenizer", default="bytes", help='"bytes", or a folder with a tokenizer of Hugging Face'
    )
    parser.add_argument("--sequence-length", type=int, default=128, help="tokens a row")
    parser.add_argument("--column", default="text", help="of Parquet and JSONL files")
    given = parser.parse_args(arguments)
    if given.sequence_length < 2:
        parser.error(f"--sequence-length {given.sequence_length}: give at least 2")
    try:
        index = prepare(given.source, given.to, encoder(given.tokenizer), given.sequence_length, given.column)
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    rows = sum(group["rows"] for group in index["groups"])
    print(
        f"event=prepared samples={rows} tokens={rows * given.sequence_length} shards={len(index['sha256'])}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
