"""A golden set in the training data is found, row by row, and clean data raises nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.workloads import languages
from tests.workloads.evaluation.conftest import MAIN
from tests.workloads.forks import Forks
from workloads.evaluation.package import ROOT
from workloads.evaluation.programs.cases import answers
from workloads.evaluation.programs.golden import read

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "workloads/evaluation/golden/example"
CASES = {case.id: case for case in read(str(EXAMPLE)).cases}
CLEAN = [learnt[:150] for learnt, _ in languages.texts().values()]
PARQUET = """
import json, sys
import pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.Table.from_pylist(json.load(open(sys.argv[1]))), sys.argv[2])
print("null")
"""


@pytest.fixture(scope="module")
def lake(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many clean rows with four that have a case, each in another disguise."""
    folder = tmp_path_factory.mktemp("lake")
    clean = [f"{text} {number}" for number in range(300) for text in CLEAN]
    rows = [{"messages": [{"role": "user", "content": text}], "score": 1.5} for text in clean]
    # As a chat, in capitals and without punctuation.
    spoken = CASES["en-gst"].prompt.upper().replace(".", "").replace("?", "")
    rows[233] = {"messages": [{"role": "user", "content": f"Q: {spoken} A: 5900"}], "score": 0.5}
    # The good answer of a judged case, in the middle of a text.
    (answer,) = answers(CASES["hi-pin"])
    rows[718] = {"messages": [{"role": "assistant", "content": f"यह पढ़िए: {answer} और आगे।"}], "score": 0.0}
    (source := folder / "rows.json").write_text(json.dumps(rows))
    (data := folder / "data").mkdir()
    forks.script(PARQUET, str(source), str(data / "chat.parquet"))
    lines = [{"text": text, "note": None} for text in clean[:500]]
    # With other spaces, digits and zero-width marks, and half of it in another field.
    prompt = CASES["ta-interest"].prompt.replace("1,50,000", "௧,௫௦,௦௦௦").replace(" ", " \u200c ")
    lines[41] = {"text": clean[41], "note": prompt}
    (data / "more.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    (data / "plain.txt").write_text("\n".join([*clean[:9], CASES["bn-extract"].prompt]))
    return data


def test_each_row_that_has_a_case_is_named(forks: Forks, lake: Path) -> None:
    ended = forks.main(MAIN, "leaks", "--golden-set", str(EXAMPLE), "--training", str(lake))
    assert ended.code == 65, ended.errors
    found = re.findall(r"leak file=\S+/(\S+) row=(\d+) case=(\S+) part=(\w+)", ended.output)
    assert found == [
        ("chat.parquet", "234", "en-gst", "prompt"),
        ("chat.parquet", "719", "hi-pin", "answer"),
        ("more.jsonl", "42", "ta-interest", "prompt"),
        ("plain.txt", "10", "bn-extract", "prompt"),
    ]


def test_clean_data_is_quiet_though_it_speaks_of_the_same(forks: Forks, tmp_path: Path) -> None:
    texts = [
        *CLEAN,
        "नई दिल्ली भारत की राजधानी है।",
        "Give the number alone. केवल संख्या लिखिए। எண்ணை மட்டும் எழுதுங்கள்.",
        "A bill of ₹800 gets 5% GST on top.",
        "சென்னை தமிழ்நாட்டின் தலைநகரம்.",
    ]
    (file := tmp_path / "clean.jsonl").write_text(
        "\n".join(json.dumps({"text": text}) for text in texts * 50)
    )
    ended = forks.main(MAIN, "leaks", "--golden-set", str(EXAMPLE), "--training", str(file))
    assert (ended.code, ended.output) == (0, "")


def test_what_cant_be_read_is_named(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_text("no parquet")
    for source, message in (
        (tmp_path, "broken.parquet can't be read as parquet"),
        (EXAMPLE / "none", "holds no file"),
    ):
        ended = forks.main(MAIN, "leaks", "--golden-set", str(EXAMPLE), "--training", str(source))
        assert ended.code == 64 and message in ended.errors
