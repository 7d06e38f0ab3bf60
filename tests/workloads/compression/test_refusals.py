"""What is refused, and that nothing of it is published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workloads.compression.conftest import MAIN, Bench

pytestmark = pytest.mark.slow

INT8 = {"method": "int8-weight-only"}


def test_the_gate_refuses_what_loses_too_much(bench: Bench, tmp_path: Path) -> None:
    ended = bench.compress(tmp_path / "released" / "m", method="magnitude", sparsity=0.9)
    assert (ended.code, list(tmp_path.iterdir())) == (65, [])
    for language in ("en", "hi", "ta"):
        assert f"error: {language}: perplexity rises from" in ended.errors
        assert f"error: {language}: the first choice stays for" in ended.errors
    assert "gate.minAgreement asks for 90.0%" in ended.errors
    assert "nothing was written there" in ended.output


def _truncated(source: Path) -> None:
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def _without_config(source: Path) -> None:
    (source / "config.json").unlink()


def _without_a_shard(source: Path) -> None:
    (source / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}})
    )


def _without_tokenizer(source: Path) -> None:
    (source / "tokenizer_config.json").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_truncated, "model.safetensors can't be read"),
        (_without_config, "has no config.json: it holds no model, or one that is only half copied"),
        (_without_a_shard, "lacks model-2.safetensors: it is only half copied"),
        (_without_tokenizer, "has no tokenizer_config.json: copy its tokenizer's files there too"),
    ],
)
def test_a_source_that_is_not_whole(
    bench: Bench, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    source = shutil.copytree(bench.folder / "source", tmp_path / "source")
    damage(source)
    ended = bench.compress(tmp_path / "target", source=str(source), **INT8)
    assert ended.code == 64
    assert ended.errors.startswith(f"error: source {source}")
    assert message in ended.errors
    assert not (tmp_path / "target").exists()


def test_a_published_source_with_another_byte_or_quantised_already(bench: Bench, tmp_path: Path) -> None:
    bench.published(tmp_path / "first", method="magnitude", sparsity=0.1)
    again = bench.compress(tmp_path / "second", source=str(tmp_path / "first"), **INT8)
    assert again.code == 0, again.errors
    quantised = bench.compress(tmp_path / "third", source=str(tmp_path / "second"), **INT8)
    assert quantised.code == 64
    assert "is quantised already: give the model that it was made of" in quantised.errors
    weights = tmp_path / "first" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    damaged = bench.compress(tmp_path / "third", source=str(tmp_path / "first"), **INT8)
    assert damaged.code == 64
    assert "model.safetensors is not as its manifest says" in damaged.errors
    assert not (tmp_path / "third").exists()


def test_a_student_with_another_vocabulary(bench: Bench, tmp_path: Path) -> None:
    student = shutil.copytree(bench.folder / "small", tmp_path / "student")
    tokenizer = json.loads((student / "tokenizer.json").read_text())
    words = tokenizer["model"]["vocab"]
    words["A"], words["B"] = words["B"], words["A"]
    (student / "tokenizer.json").write_text(json.dumps(tokenizer))
    ended = bench.compress(
        tmp_path / "target",
        method="distillation",
        texts=str(bench.folder / "texts"),
        distillation={"student": str(student), "steps": 1},
    )
    assert ended.code == 64
    assert f"distillation.student {student} has another vocabulary" in ended.errors


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({"method": "int3"}, "method is 'int3': Input should be 'int8-weight-only', 'int8-dynamic'"),
        (
            {"method": "int4", "groupSize": 48},
            "groupSize 48 does not divide the 64 weights of a row of model.layers.0",
        ),
        ({"method": "int4", "groupsize": 48}, "groupsize is 48: Extra inputs are not permitted"),
        ({"method": "magnitude", "sparsity": 1}, "sparsity is 1: Input should be less than 1"),
        ({"method": "distillation"}, "distillation is not given"),
        ({"method": "gptq"}, 'method "gptq" needs texts'),
        (
            {"method": "gptq", "texts": "held"},
            "needs datasets, which this image lacks: build it with requirements-llm",
        ),
        ({**INT8, "held": "nowhere"}, "held nowhere holds no text: give a file a language"),
        ({**INT8, "held": "few"}, "held few: ta.txt has 0 tokens: give at least 500"),
        ({**INT8, "target": "taken"}, "taken holds another model already: give a folder of its own"),
    ],
)
def test_a_job_that_is_wrong(bench: Bench, tmp_path: Path, job: dict[str, object], message: str) -> None:
    (few := tmp_path / "few").mkdir()
    (few / "ta.txt").write_text("ரயில்")
    (taken := tmp_path / "taken").mkdir()
    (taken / "config.json").write_text("{}")
    paths = {name: str(tmp_path / str(job[name])) for name in ("held", "target", "texts") if name in job}
    ended = bench.compress(**{"target": tmp_path / "target", **job, **paths})
    assert ended.code == 64, ended.output
    assert message in ended.errors.replace(f"{tmp_path}/", ""), ended.errors
    assert not (tmp_path / "target").exists()
    assert [path.name for path in taken.iterdir()] == ["config.json"]


KILLED = f"""
import os, sys
from fsspec.implementations.local import LocalFileSystem
import {MAIN} as program
before, job = int(sys.argv[1]), sys.argv[2]
put = LocalFileSystem.put_file
def dies(self, *arguments, **more):
    global before
    before -= 1
    if before < 0:
        os.kill(os.getpid(), 9)
    return put(self, *arguments, **more)
LocalFileSystem.put_file = dies
program.main(["--job", job])
"""


def test_a_killed_job_leaves_nothing_that_is_taken_for_whole_and_the_next_one_mends_it(
    bench: Bench, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    whole = tmp_path / "whole"
    bench.published(whole, **INT8)
    names = {path.name for path in whole.iterdir()}
    bench.compress(tmp_path / "refused", **{**INT8, "held": "nowhere"})
    job = bench.folder / "job.json"
    job.write_text(
        json.dumps({**json.loads(job.read_text()), "held": str(bench.folder / "held"), "target": str(target)})
    )
    # All but config.json and the manifest.
    for files in (len(names) // 2, len(names) - 2):
        ended = bench.forks.run_script(KILLED, str(files), str(job))
        assert ended.code == -9, ended.errors
        left = {path.name for path in target.iterdir()} if target.exists() else set()
        assert not left & {"config.json", "manifest.json"}
    assert bench.forks.main(MAIN, "--job", str(job)).code == 0
    assert {path.name for path in target.iterdir()} == names
    again = bench.forks.main(MAIN, "--job", str(job))
    assert (again.code, again.output) == (0, f"event=unchanged to={target}\n")
