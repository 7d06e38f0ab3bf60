"""Checkpoints of ranks: half is never whole, and the newest good one is taken."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workloads.training.trainer.conftest import Ended, Ranks

pytestmark = pytest.mark.slow

CLOSE = 2e-5


@pytest.fixture(scope="module")
def saved(ranks: Ranks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of steps 4 and 8, of two ranks that were stopped after step 8."""
    folder = tmp_path_factory.mktemp("saved")
    ended = ranks.train(folder, 2, steps=8)
    assert ended.events("saved") == [4, 8]
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def newest(folder: Path) -> Path:
    return sorted(folder.glob("step-*"))[-1]


def test_a_checkpoint_has_shards_of_each_rank_and_a_manifest_of_all_files(saved: Path) -> None:
    files = {path.name for path in newest(saved).iterdir()}
    assert files == {".metadata", "__0_0.distcp", "__1_0.distcp", "manifest.json"}
    assert set(json.loads((newest(saved) / "manifest.json").read_text())["files"]) == files - {
        "manifest.json"
    }


@pytest.mark.parametrize("file", [".metadata", "__0_0.distcp", "__1_0.distcp", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "missing"])
def test_an_older_good_one_is_taken_where_the_newest_is_bad(
    ranks: Ranks, copy: Path, file: str, damage: str
) -> None:
    path = newest(copy) / file
    content = path.read_bytes()
    middle = len(content) // 2
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:middle])
    else:
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    ended = ranks.train(copy, 1, steps=8)
    assert ended.events("resumed") == [4]
    assert sorted(ended.losses) == [5, 6, 7, 8]
    assert ("event=damaged" in ended.output) is (file != "manifest.json")


def test_checkpoints_none_of_which_is_good_are_refused_and_kept(ranks: Ranks, copy: Path) -> None:
    for path in copy.glob("step-*/__0_0.distcp"):
        path.write_bytes(b"")
    ended = ranks.run(copy, 2)
    assert ended.codes == [64, 64]
    assert f"no checkpoint in {copy} is good (" in ended.output
    assert len(list(copy.glob("step-*"))) == 2


@pytest.mark.parametrize("files", range(4))
def test_a_job_that_dies_in_its_save_goes_on_from_the_one_before(
    ranks: Ranks, whole: Ended, tmp_path: Path, files: int
) -> None:
    running = ranks.start(tmp_path, 2)
    while len(list(tmp_path.glob("step-00000004-*/*"))) < files:
        pass
    for rank in range(2):
        running.kill(rank, signal.SIGKILL)
    first = running.end()
    assert first.codes == [-9, -9]
    last = ranks.train(tmp_path, 2)
    assert first.losses | last.losses == pytest.approx(whole.losses, abs=CLOSE)
    assert all((folder / "manifest.json").exists() for folder in tmp_path.glob("step-*"))


def test_the_oldest_go_and_the_ledger_and_the_page_are_kept(ranks: Ranks, tmp_path: Path) -> None:
    ranks.train(tmp_path, 1, checkpoints={"keep": 1}, cost={"inrPerHour": 3600})
    assert len(list(tmp_path.glob("step-*"))) == 1
    ledger = json.loads((newest(tmp_path) / "manifest.json").read_text())["details"]["ledger"]
    assert [step for step, _ in ledger["losses"]] == list(range(1, 13))
    assert len(json.loads((tmp_path / "runs" / "runs.json").read_text())) == 1
    page = (tmp_path / "runs" / "report.html").read_text()
    assert "<polyline" in page
    assert "http" not in page


MIX = """
import json, sys, time
import torch
import torch.distributed as dist
from trainer import checkpoints
from trainer.publication import Folder
dist.init_process_group("gloo")
write = checkpoints.dcp.save
def slowly(*arguments, **more):
    time.sleep(0.3)
    write(*arguments, **more)
checkpoints.dcp.save = slowly
weights = torch.ones(1000)
saves = checkpoints.Checkpoints(sys.argv[1])
memory = []
for step in (1, 2):
    saves.start(step, {"model": {"w": weights.mul_(step)}}, {})
    memory.append(saves._copy._kept["model"]["w"].data_ptr())
weights.zero_()
saves.wait()
found = {}
for one in saves.folder.published():
    read = {"model": {"w": torch.empty(1000)}}
    saves.load(one, read)
    found[one.step] = read["model"]["w"].unique().tolist()
print(json.dumps({"found": found, "one buffer": memory[0] == memory[1] != weights.data_ptr()}))
"""


def test_two_saves_in_a_row_share_memory_and_do_not_mix(script: Callable[..., str], tmp_path: Path) -> None:
    printed = json.loads(script(MIX, str(tmp_path)))
    assert printed == {"found": {"1": [1.0], "2": [2.0]}, "one buffer": True}


EXPORT = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
from trainer.export import main
code = main(["--recipe", sys.argv[1], "--checkpoint-uri", sys.argv[2], "--to", sys.argv[3]])
tokens = AutoTokenizer.from_pretrained(sys.argv[3])("\u0928\u092e", return_tensors="pt")["input_ids"]
model = AutoModelForCausalLM.from_pretrained(sys.argv[3])
print(code, tokens.tolist()[0] == list("\u0928\u092e".encode()), model(tokens).logits.shape[-1])
"""


def test_an_export_is_a_model_of_hugging_face(script: Callable[..., str], copy: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"steps": 8}')
    printed = script(EXPORT, str(recipe), str(copy), str(tmp_path / "model"))
    assert "event=exported step=8" in printed
    assert printed.splitlines()[-1] == "0 True 264"
    assert (tmp_path / "model" / "model.safetensors").exists()
