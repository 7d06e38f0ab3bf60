"""Requests of an hour as a model server's owner would sample them: `samples.py QUESTIONS FOLDER ROWS SEED`.

Runs in the environment of drift. QUESTIONS is JSON: questions with their language and weight. FOLDER is of the lake.
"""

import json
import random
import sys

import fsspec
import pyarrow as pa
import pyarrow.parquet as parquet

SCHEMA = pa.schema([("question", pa.string()), ("language", pa.string()), ("words", pa.int64())])


def main(questions: str, folder: str, rows: int, seed: int) -> None:
    """Write `rows` requests, drawn by their weights."""
    known = json.loads(questions)
    drawn = random.Random(seed).choices(known, [each["weight"] for each in known], k=rows)
    columns = [
        {"question": each["question"], "language": each["language"], "words": len(each["question"].split())}
        for each in drawn
    ]
    with fsspec.open(f"{folder}/part-0.parquet", "wb") as file:
        parquet.write_table(pa.Table.from_pylist(columns, SCHEMA), file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
