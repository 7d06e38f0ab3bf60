"""Rows of a person in Parquet, JSON lines and CSV: theirs go, and every other row stays as it was, types too."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.erase.programs.whom import is_theirs, tag
from tests.commands.erase.conftest import Program
from tests.examples import examples

pytestmark = pytest.mark.slow

# In one and in two code points, with a comma, quotes and a line's end, and texts that look like numbers.
TEXTS = ("acc-4", "acc-40", "é", "e\u0301", "12", "012", "12.0", 'a,"b"\nc', "", " 12", "आशा")
WHOM = ("acc-4", "12", 'a,"b"\nc', "é", "आशा")
texts = st.sampled_from(TEXTS)
tables = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | texts,
            "number": st.none() | st.sampled_from([12, 120, -12, 2**53 + 1]),
            "measure": st.none() | st.sampled_from([12.0, 12.5, -0.0, float("inf")]),
            "who": st.none() | st.fixed_dictionaries({"id": st.none() | texts}),
            "many": st.lists(texts, max_size=2),
            "amount": st.integers(-5, 5),
        }
    ),
    max_size=12,
)

PARQUET = """
import tempfile
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from decimal import Decimal
from commands.erase.programs.table import Change, change
from commands.erase.programs.whom import is_theirs

schema = pa.schema([
    pa.field("id", pa.dictionary(pa.int8(), pa.string())), pa.field("number", pa.int64()),
    pa.field("measure", pa.float64()), pa.field("who", pa.struct([pa.field("id", pa.string())])),
    pa.field("many", pa.list_(pa.string())), pa.field("amount", pa.decimal128(9, 2), nullable=False),
    pa.field("at", pa.timestamp("ns", "Asia/Kolkata"), metadata={"unit": "ns"}),
], metadata={"made": "by a test"})
for rows, whom, columns, empty in json.loads(sys.argv[1]):
    full = [row | {"amount": Decimal(row["amount"]), "at": 7 * at} for at, row in enumerate(rows)]
    table = pa.Table.from_pylist(full, schema=schema)
    theirs = [False] * len(rows)
    match = is_theirs({"principal": whom})
    for at, row in enumerate(full):
        values = [row["who"] and row["who"]["id"] if name == "who.id" else row[name] for name in columns]
        theirs[at] = any(whom in value if isinstance(value, list) else match(value) for value in values)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "b"), Path(folder, "a")
        pq.write_table(table, before, row_group_size=5, compression={"id": "zstd", "amount": "none"})
        counted = change(before, "t.parquet", after, Change(match, tuple(columns), tuple(empty)))
        again, old = pq.ParquetFile(after), pq.ParquetFile(before)
        if empty:
            wanted = pa.Table.from_pylist(
                [row | dict.fromkeys(empty) if gone else row for row, gone in zip(full, theirs)], schema=schema)
        else:
            wanted = table.filter(pa.array([not gone for gone in theirs], pa.bool_()))
        assert (counted.found, counted.rows) == (sum(theirs), len(rows)), (counted, theirs)
        got = again.read()
        assert got.schema.equals(old.schema_arrow, check_metadata=True), got.schema
        assert got.to_pylist() == wanted.to_pylist(), (got.to_pylist(), wanted.to_pylist())
        assert again.num_row_groups == old.num_row_groups
        if len(rows):
            codecs = [[one.metadata.row_group(0).column(at).compression for at in range(7)] for one in (old, again)]
            assert codecs[0] == codecs[1], codecs
        assert change(after, "t.parquet", None, Change(match, tuple(columns))).found == 0
print("{}")
"""


asked = st.sampled_from([["id"], ["number", "measure"], ["who.id", "id"], ["many"], ["amount", "id"]])
removed = st.tuples(tables, st.sampled_from(WHOM), asked, st.just([]))
masked = st.tuples(
    tables, st.sampled_from(WHOM), st.just(["id", "number"]), st.just(["id", "number", "measure"])
)


# Ten tables at a time: each time is a process.
@given(st.lists(removed | masked, min_size=10, max_size=10))
@settings(max_examples=examples(8))
def test_parquet_loses_their_rows_and_nothing_else(program: Program, cases: Any) -> None:
    program.script(PARQUET, json.dumps(cases))


TEXT = """
import tempfile
from pathlib import Path
from commands.erase.programs.table import Change, TableError, change
from commands.erase.programs.whom import is_theirs

answers = []
for name, content, whom, columns, empty in json.loads(sys.argv[1]):
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "b"), Path(folder, "a")
        before.write_bytes(bytes.fromhex(content))
        asked = Change(is_theirs({"principal": whom}), tuple(columns), tuple(empty))
        try:
            counted = change(before, name, after, asked)
        except TableError as error:
            answers.append({"refused": str(error)})
            continue
        answers.append({"found": counted.found, "rows": counted.rows, "columns": counted.columns,
                        "content": after.read_bytes().hex()})
print(json.dumps(answers))
"""


@dataclass(frozen=True)
class Asked:
    """A file, and whose rows in which columns are to go, or to lose the columns `empty`."""

    name: str
    content: bytes
    whom: str
    columns: list[str]
    empty: list[str] = field(default_factory=list)


def _changed(program: Program, *asked: Asked) -> list[Any]:
    cases = [[one.name, one.content.hex(), one.whom, one.columns, one.empty] for one in asked]
    answers = program.script(TEXT, json.dumps(cases))
    return [one | {"content": bytes.fromhex(one.get("content", ""))} for one in answers]


def _lines(rows: Any, whom: str, end: bytes) -> tuple[Asked, bytes, int]:
    """JSON lines, what is to be left of them, and how many rows go."""
    mine = is_theirs({"principal": whom})
    lines = [json.dumps(row, ensure_ascii=False).encode() + end for row in rows]
    gone = [mine(row["id"]) or mine((row["who"] or {}).get("id")) for row in rows]
    left = [line for line, theirs in zip(lines, gone, strict=True) if not theirs]
    return Asked("t.jsonl", b"".join(lines), whom, ["id", "who.id"]), b"".join(left), sum(gone)


def _csv(rows: Any, whom: str, end: bytes) -> tuple[Asked, bytes, int]:
    records = [[row["id"] or "", "x", row["number"]] for row in rows]
    left = [record for record in records if record[0] != whom]
    texts = []
    for some in (records, left):
        out = io.StringIO()
        csv.writer(out, lineterminator=end.decode()).writerows([["\ufeffid", "n,o", "number"], *some])
        texts.append(out.getvalue().encode())
    return Asked("t.csv", texts[0], whom, ["id"]), texts[1], len(records) - len(left)


files = st.builds(
    lambda make, *of: make(*of),
    st.sampled_from([_lines, _csv]),
    tables,
    st.sampled_from(WHOM),
    st.sampled_from([b"\n", b"\r\n"]),
)


@given(st.lists(files, min_size=10, max_size=10))
@settings(max_examples=examples(8))
def test_lines_and_csv_keep_other_rows_byte_for_byte(program: Program, cases: Any) -> None:
    answers = _changed(program, *(asked for asked, _, _ in cases))
    for (_, left, gone), got in zip(cases, answers, strict=True):
        assert (got["content"], got["found"]) == (left, gone)


def test_packed_files_stay_packed_and_what_is_emptied_stays_a_row(program: Program) -> None:
    content = b'id,name,note\r\nacc-4,Asha,"a\r\nb"\r\nacc-40,Ravi,x\xff\r\n'
    lines = b'{"who": [{"id": "acc-4", "n": 1}], "t": 5}\r\n{"who": []}\n'
    packed, emptied, nested, other = _changed(
        program,
        Asked("t.csv.gz", gzip.compress(content), "acc-4", ["id"]),
        Asked("t.csv", content, "acc-4", ["id"], ["id", "name"]),
        Asked("t.jsonl", lines, "acc-4", ["who.id"], ["who.id"]),
        Asked("t.tsv", b"a\tb\n1\t2\n", "1", ["c"]),
    )
    assert gzip.decompress(packed["content"]) == b"id,name,note\r\nacc-40,Ravi,x\xff\r\n"
    assert emptied["content"] == b'id,name,note\r\n,,"a\r\nb"\r\nacc-40,Ravi,x\xff\r\n'
    assert nested["content"] == b'{"who": [{"id": null, "n": 1}], "t": 5}\r\n{"who": []}\n'
    assert other["columns"] == [] and other["found"] == 0


def test_a_table_that_can_not_be_read_whole_is_not_changed(program: Program) -> None:
    wrong = {
        ("t.jsonl", b'{"id": "a"}\n{"id": '): "line 2 is no JSON",
        # A quote that never ends would make the rest of the file one row.
        ("t.csv", b'id,n\na,"1\nb,2\nc,3\n'): "no CSV",
        ("t.csv", b"id,n\na,1,2\n"): "line 2 has 3 fields, and the head 2",
        ("t.csv.gz", b"\x1f\x8bnot packed"): "can't be unpacked",
        ("t.parquet", b"PAR1 cut short"): "can't be read as Parquet",
    }
    answers = _changed(program, *(Asked(name, content, "a", ["id"]) for name, content in wrong))
    assert [why for why, got in zip(wrong.values(), answers, strict=True) if why not in got["refused"]] == []


@given(st.text(max_size=5), st.text(max_size=5))
def test_a_tag_finds_its_identifier_alone(one: str, other: str) -> None:
    key = "k" * 16
    assert is_theirs({"tags": [tag(key, one)], "key": key})(other) == (one == other)
    assert not is_theirs({"tags": [tag(key, one)], "key": key * 2})(one)
