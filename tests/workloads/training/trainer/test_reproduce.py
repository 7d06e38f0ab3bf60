"""A run's record, and the run made again from it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from localcloud.directories import PROJECT
from localcloud.environments import environment
from tests.workloads.training.trainer.conftest import Ranks
from tests.workloads.training.trainer.test_prepare import PREPARED

pytestmark = pytest.mark.slow

REPRODUCE = """
import sys
from trainer import reproduce
sys.stderr = sys.stdout
print("code", reproduce.main(sys.argv[1:]))
"""
CODE = {
    "CODE_COMMIT": "0123456789abcdef0123456789abcdef01234567",
    "IMAGE": "registry.example/training@sha256:00",
}
Reproduce = Callable[..., str]


@pytest.fixture(scope="module")
def data(script: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    script(PREPARED, str(folder))
    return folder / "tokens"


@pytest.fixture(scope="module")
def run(ranks: Ranks, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two ranks on prepared data, which the pod names and the recipe does not."""
    folder = tmp_path_factory.mktemp("run") / "checkpoints"
    recipe = {"steps": 6, "data": {"uri": f"{data}-of-yesterday", "seed": 4, "commit": "v1"}}
    ended = ranks.start(folder, 2, env=CODE, arguments=["--data-uri", str(data)], **recipe).end()
    assert ended.codes == [0, 0], ended.output
    return folder


@pytest.fixture
def changed(run: Path) -> Callable[[Callable[[dict[str, Any]], object]], None]:
    """Changes the record of the run, with a digest that is right; it is put back afterwards by `kept`."""

    def change(edit: Callable[[dict[str, Any]], object]) -> None:
        _rewrite(run, edit)

    return change


@pytest.fixture(autouse=True)
def kept(run: Path) -> Any:
    record = run / "runs" / "run.json"
    text = record.read_text()
    yield
    record.write_text(text)


def _rewrite(run: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    import hashlib

    record = run / "runs" / "run.json"
    starts = json.loads(record.read_text())["starts"]
    edit(starts[-1])
    digest = hashlib.sha256(json.dumps(starts, sort_keys=True).encode()).hexdigest()
    record.write_text(json.dumps({"starts": starts, "sha256": digest}))


def test_the_record_says_what_the_run_was(run: Path, data: Path) -> None:
    (start,) = json.loads((run / "runs" / "run.json").read_text())["starts"]
    assert start["code"]["commit"] == CODE["CODE_COMMIT"]
    assert start["image"] == CODE["IMAGE"]
    assert start["recipe"]["steps"] == 6
    assert start["seed"] == 4
    assert start["ranks"] == 2
    assert start["device"] == "cpu"
    assert start["data"]["commit"] == "v1"
    assert start["recipe"]["data"]["uri"] == str(data), "the folder that was trained on, of --data-uri"
    assert list(start["data"]["files"]) == ["index.json"]
    assert start["arithmetic"]["threads"] == 1
    assert start["arithmetic"]["deterministicAlgorithms"]
    assert {"torch", "transformers", "numpy", "pyarrow"} <= start["libraries"].keys()


def test_a_run_made_again_is_the_same_bit_for_bit(run: Path, script: Reproduce) -> None:
    printed = script(REPRODUCE, f"{run}/runs/run.json")
    assert "code 0" in printed, printed
    assert "the same: 6 losses, and the weights and the optimizer's state of step 6" in printed


def test_a_start_like_the_latest_adds_nothing_and_another_one_is_named(
    ranks: Ranks, run: Path, data: Path, script: Reproduce
) -> None:
    recipe = {"steps": 6, "data": {"uri": str(data), "seed": 4, "commit": "v1"}}
    before = (run / "runs" / "run.json").read_text()
    assert ranks.start(run, 2, env=CODE, **recipe).end().codes == [0, 0]
    assert (run / "runs" / "run.json").read_text() == before
    assert ranks.start(run, 1, env={**CODE, "IMAGE": "another"}, **recipe).end().codes == [0]
    assert "its 2 starts differed in image, ranks" in script(REPRODUCE, str(run))


def test_a_byte_of_data_that_changed_is_named(run: Path, data: Path, script: Reproduce) -> None:
    shard = next(data.glob("*.parquet"))
    content = shard.read_bytes()
    shard.write_bytes(content[:99] + bytes([content[99] ^ 1]) + content[100:])
    try:
        printed = script(REPRODUCE, str(run))
    finally:
        shard.write_bytes(content)
    assert "code 64" in printed
    assert f"{data}/{shard.name} is not as it was: SHA-256 " in printed
    assert "Give a folder that has the data of then, DATA=… (v1)" in printed
    assert f"{data.parent}/gone/index.json is not there" in script(
        REPRODUCE, str(run), "--data", f"{data.parent}/gone"
    )


# The training itself, which takes a quarter of a minute, is in the test of a run that is made again.
ANYWAY = """
import sys
from trainer import reproduce
def trained(start, recipe, scratch):
    print("asked", start["ranks"], recipe.steps, recipe.data.uri)
    return reproduce.Folder(sys.argv[1]).published()[0]
reproduce.train_again = trained
print("code", reproduce.main(sys.argv[1:]))
"""


def test_what_differs_is_made_again_where_somebody_says_so_and_is_listed(
    run: Path, data: Path, changed: Any, script: Reproduce
) -> None:
    """With --anyway, on data that are elsewhere today."""
    moved = data.with_name("moved")
    data.rename(moved)
    changed(_library)
    try:
        printed = script(ANYWAY, str(run), "--anyway", "--data", str(moved))
    finally:
        moved.rename(data)
    assert f"asked 2 6 {moved}\n" in printed
    assert "code 0" in printed, printed
    assert "the same: 6 losses" in printed
    (listed,) = re.findall(r"^not as recorded: (.*)", printed, re.M)
    assert listed.startswith("other versions here: numpy 1.0 (") and "no-such-library 2 (none here)" in listed


AGAIN = """
import json, sys
from pathlib import Path
from trainer import record, reproduce
from trainer.publication import Folder
from trainer.recipe import RecipeError
run, dvc, scratch, data = sys.argv[1:5]
start = record.read(Folder(run))[-1]
start["recipe"]["data"] |= json.loads(data)
start["data"]["files"] |= json.loads(sys.argv[5])
Path(scratch).mkdir()
try:
    print("data", reproduce.data_again(start, None, Path(dvc), Path(scratch)))
except RecipeError as error:
    print("refused", error)
"""


def test_data_that_dvc_versions_are_fetched_from_its_remote(
    run: Path, data: Path, script: Reproduce, tmp_path: Path
) -> None:
    dvc = environment(PROJECT / "commands" / "dvc" / "requirements.txt").with_name("dvc")
    ours, remote, gone = tmp_path / "ours", tmp_path / "remote", str(tmp_path / "gone")
    shutil.copytree(data, ours / "data")
    for words in ("init --no-scm", f"remote add --default lake {remote}", "add data", "push"):
        quiet = {**os.environ, "DVC_NO_ANALYTICS": "1"}
        subprocess.run([dvc, *words.split()], cwd=ours, env=quiet, capture_output=True, check=True)
    (out,) = yaml.safe_load((ours / "data.dvc").read_text())["outs"]
    versioned = {"uri": gone, "commit": out["md5"], "remote": str(remote)}

    def again(name: str, files: Mapping[str, str] | None = None, **changed: str) -> str:
        words = (json.dumps({**versioned, **changed}), json.dumps(files or {}))
        return script(AGAIN, str(run), str(dvc), str(tmp_path / name), *words)

    printed = again("one")
    assert f"event=fetching reason='{gone}/index.json is not there' commit={out['md5']}" in printed
    fetched = Path(printed.rpartition("data ")[2].strip())
    assert {file.name for file in fetched.iterdir()} == {file.name for file in data.iterdir()}
    assert all((fetched / file.name).read_bytes() == file.read_bytes() for file in data.iterdir())

    unknown = f"{'0' * 32}.dir"
    assert f"refused the data {unknown} can't be had from {remote}: dvc pull: " in again(
        "two", commit=unknown
    )
    other = again("three", {"index.json": "1" * 64})
    assert f"refused the data of {out['md5']} are not those of the run: " in other
    assert "/index.json is not as it was: SHA-256 " in other and f"…, and {'1' * 16}… then" in other


def _library(start: dict[str, Any]) -> None:
    start["libraries"] |= {"numpy": "1.0", "no-such-library": "2"}


def _code(start: dict[str, Any]) -> None:
    start["code"]["sha256"] = "0"


def _dirty(start: dict[str, Any]) -> None:
    start["code"] = {"sha256": "0", "commit": "abc-dirty"}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_library, "other versions here: numpy 1.0 ("),
        (_library, "no-such-library 2 (none here). ANYWAY=1 makes it again all the same"),
        (_code, f"the trainer's code is not the one here: check out {CODE['CODE_COMMIT']}"),
        (_dirty, "its tree had changes that abc-dirty does not have"),
        (lambda start: start.update(device="NVIDIA H100"), "it ran on NVIDIA H100: kernels of GPUs add in an order"),
        (lambda start: start["recipe"].update(replicas=2), "it had replicas"),
        (lambda start: start["recipe"].update(steps=9), "its newest checkpoint is of step 6, and the recipe has 9"),
        (lambda start: start["arithmetic"].update(instructions="AVX9"), "it ran on processors with AVX9 ("),
    ],
)  # fmt: skip
def test_what_cannot_be_made_again_is_refused_in_one_message(
    run: Path, changed: Any, script: Reproduce, edit: Any, message: str
) -> None:
    changed(edit)
    printed = script(REPRODUCE, str(run))
    assert "code 64" in printed
    assert message in printed
    assert printed.count("error: ") == 1


def test_a_record_that_was_changed_or_is_not_there_is_refused(
    run: Path, tmp_path: Path, script: Reproduce
) -> None:
    record = run / "runs" / "run.json"
    record.write_text(record.read_text().replace('"ranks": 2', '"ranks": 1'))
    assert "has not its own digest: it was changed" in script(REPRODUCE, str(run))
    record.write_text("{")
    assert "is no record of a run" in script(REPRODUCE, str(run))
    assert "is not there: give the folder of a job's checkpoints" in script(REPRODUCE, str(tmp_path))


COMPARED = """
import sys
from dataclasses import replace
from trainer import reproduce
from trainer.publication import Folder
one = Folder(sys.argv[1]).published()[0]
losses = [[step, loss + (step > 3)] for step, loss in one.details["ledger"]["losses"]]
other = replace(one, details={"ledger": {"losses": losses}})
files = tuple(replace(file, sha256="0") for file in one.files)
print(reproduce.compare(one, other, []), reproduce.compare(one, replace(one, files=files), ["numpy 1 (2 here)"]))
"""


def test_the_first_difference_is_shown(run: Path, script: Reproduce) -> None:
    printed = script(COMPARED, str(run))
    assert [line.split()[0] for line in printed.splitlines() if line.endswith("differs")] == ["4", "5", "6"]
    assert "different: the first of 3 steps is 4" in printed
    assert "not as recorded: numpy 1 (2 here)" in printed
    assert "different: 6 losses are the same, and the weights are not" in printed
    assert printed.splitlines()[-1] == "1 1"
