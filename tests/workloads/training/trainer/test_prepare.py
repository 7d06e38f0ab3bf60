"""Text to shards to batches, in the training environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workloads.training.trainer.conftest import Ranks

pytestmark = pytest.mark.slow

ROUND_TRIP = """
import json, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from pathlib import Path
from trainer import prepare, data
from trainer.tokens import encoder
root = Path(sys.argv[1])
raw = root / "raw"; raw.mkdir()
texts = [f"{at}: \u0928\u092e\u0938\u094d\u0924\u0947 " + "x" * (at % 37) for at in range(900)]
pq.write_table(pa.table({"text": texts[:300], "id": range(300)}), raw / "a.parquet")
(raw / "b.jsonl").write_text("".join(json.dumps({"text": text}) + "\\n" for text in texts[300:600]))
(raw / "c.txt").write_text("\\n\\n".join(texts[600:]))
prepare.GROUP_TOKENS, prepare.SHARD_GROUPS = 640, 5
tokens = encoder("bytes")
index = prepare.prepare(str(raw), str(root / "tokens"), tokens, 64)
shards = data.Shards(str(root / "tokens"), data.read_index(str(root / "tokens")), seed=1)
expected = [token for text in texts for token in [*text.encode(), 256]]
expected = sorted(tuple(expected[at:at + 64]) for at in range(0, len(expected) - 63, 64))
epoch = [tuple(row) for row in shards.rows(np.arange(shards.samples)).tolist()]
second = [tuple(row) for row in shards.rows(np.arange(shards.samples, 2 * shards.samples)).tolist()]
resumed = shards.rows(np.arange(17, 40)).tolist()
builtin = data.Builtin(16, 3)
alone = np.concatenate([builtin.rows(np.array([at])) for at in range(100, 110)])
print(json.dumps({
    "samples": shards.samples, "shards": len(index["sha256"]), "groups": len(index["groups"]),
    "all once": sorted(epoch) == expected, "again": sorted(second) == expected, "shuffled anew": epoch != second,
    "shuffled": epoch != expected, "exact": [tuple(row) for row in resumed] == epoch[17:40],
    "builtin": bool((builtin.rows(np.arange(100, 110)) == alone).all() and (alone < 256).all()),
    "builtin of a seed": bool((data.Builtin(16, 4).rows(np.arange(100, 110)) != alone).any()),
}))
"""


def test_all_text_is_in_the_samples_once_an_epoch_from_any_position(
    script: Callable[..., str], tmp_path: Path
) -> None:
    found = json.loads(script(ROUND_TRIP, str(tmp_path)))
    assert found.pop("samples") > 200
    assert found.pop("shards") > 5
    assert found.pop("groups") > 20
    assert found == dict.fromkeys(found, True)


REFUSALS = """
import json, sys
from pathlib import Path
from trainer import prepare
root = Path(sys.argv[1])
def attempt(name, text, *flags):
    source = root / name
    source.parent.mkdir(exist_ok=True, parents=True)
    source.write_bytes(text)
    return prepare.main(["--source", str(source), "--to", str(root / "to"), *flags])
codes = [
    attempt("short.txt", b"few"), attempt("bad.jsonl", b"{"), attempt("column.jsonl", b'{"body": "x"}'),
    attempt("type.jsonl", b'{"text": 5}'), attempt("bad.parquet", b"no"), attempt("bytes.txt", b"\\xff\\xfe\\n"),
    attempt("none.csv", b"a,b"), prepare.main(["--source", str(root / "gone"), "--to", str(root / "to")]),
    prepare.main(["--source", str(root), "--to", str(root)]),
    prepare.main(["--source", str(root), "--to", str(root / "to"), "--tokenizer", "/nowhere"]),
]
print(json.dumps([codes, (root / "to").exists()]))
"""


def test_what_cannot_be_prepared_is_refused_and_leaves_no_index(
    script: Callable[..., str], tmp_path: Path
) -> None:
    codes, made = json.loads(script(REFUSALS, str(tmp_path)))
    assert codes == [64] * 10
    assert not made


PREPARED = """
import sys
from pathlib import Path
from trainer import prepare
root = Path(sys.argv[1])
(root / "raw.txt").write_text("\\n\\n".join(f"The answer to {at} is {at * at}." for at in range(500)))
assert prepare.main(["--source", str(root / "raw.txt"), "--to", str(root / "tokens"), "--sequence-length", "32"]) == 0
"""


def test_prepared_data_trains_and_resumes_and_other_shards_are_refused(
    script: Callable[..., str], ranks: Ranks, tmp_path: Path
) -> None:
    script(PREPARED, str(tmp_path))
    data = {"uri": str(tmp_path / "tokens"), "seed": 4}
    whole = ranks.train(tmp_path / "whole", 1, data=data)
    half = ranks.train(tmp_path / "parts", 2, data=data, steps=6, optimizer={"learningRate": 1e-9})
    assert half.losses.keys() == set(range(1, 7))
    assert whole.losses[12] < whole.losses[1]
    index = tmp_path / "tokens" / "index.json"
    text = index.read_text()
    for old, new, message in [
        ('"sequenceLength": 32', '"sequenceLength": 64', "data.sequenceLength is 32"),
        ('"digest": "', '"digest": "0', "was prepared with another tokenizer (bytes)"),
        ('"groups"', '"gruops"', "is no index of trainer.prepare"),
    ]:
        index.write_text(text.replace(old, new))
        ended = ranks.run(tmp_path / "other", 2, data=data)
        assert ended.codes == [64, 64]
        assert message in ended.output
