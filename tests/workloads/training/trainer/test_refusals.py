"""What can't be trained is refused at the start: once, by all ranks, with 64."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.training.trainer.conftest import Ended, Ranks

pytestmark = pytest.mark.slow


def refused(ended: Ended, message: str) -> None:
    """All ranks ended with 64, and the first said why, once."""
    assert set(ended.codes) == {64}, ended.output
    (line,) = [line for line in ended.output.splitlines() if line.startswith("error: ")]
    assert message in line


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"mesh": {"shard": 3}},
            "mesh pipeline 1 x replicate 1 x shard 3 x tensor 1 has 3 ranks, and the job has 2",
        ),
        ({"mesh": {"pipeline": 2}}, "accumulate 1 is fewer parts than the 2 stages of mesh.pipeline"),
        ({"model": {"name": "/nowhere"}}, "model.name is /nowhere, which holds no model of Hugging Face"),
        (
            {"data": {"uri": "/nowhere"}},
            "data.uri /nowhere has no index.json: run python -m trainer.prepare first",
        ),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_a_recipe_that_fits_neither_the_ranks_nor_the_files(
    ranks: Ranks, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    refused(ranks.run(tmp_path, 2, **changes), message)


def test_a_tokenizer_of_another_vocabulary_is_refused_before_the_weights_are_read(
    ranks: Ranks, tmp_path: Path
) -> None:
    config = {"model_type": "llama", "vocab_size": 200, "num_hidden_layers": 1, "num_attention_heads": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    ended = ranks.run(tmp_path / "c", 2, model={"name": str(tmp_path)})
    refused(ended, f"data.tokenizer bytes has 264 tokens and the model {tmp_path} knows 200")


def test_a_checkpoint_of_another_model_or_other_data(ranks: Ranks, tmp_path: Path) -> None:
    ranks.train(tmp_path, 1, steps=4)
    ended = ranks.run(tmp_path, 2, data={"seed": 5})
    refused(ended, "is a checkpoint of another model (llama, 4 layers of 96")
    assert "with seed 5: give another folder for checkpoints" in ended.output


# The limit of a file's size stands in for a disk that is full: a mount needs root, and the write fails as late.
def test_a_scratch_folder_that_is_full(ranks: Ranks, tmp_path: Path) -> None:
    ended = ranks.start(tmp_path / "c", 2, file_bytes=1 << 16, env={"TMPDIR": str(tmp_path)}).end()
    refused(ended, f"{tmp_path} has no room for the files of a start (File too large): mount a larger volume")


def test_a_folder_for_checkpoints_that_cannot_be_made(ranks: Ranks) -> None:
    refused(ranks.run("/dev/null/checkpoints", 2), "/dev/null/checkpoints can't be made: Not a directory")


def test_a_disk_that_fills_while_it_trains_costs_the_checkpoint_and_at_the_end_the_job(
    ranks: Ranks, tmp_path: Path
) -> None:
    ended = ranks.start(tmp_path, 2, file_bytes=2_000_000).end()
    assert list(ended.losses) == list(range(1, 13)), "it goes on while somebody may make room"
    assert f"event=save-failed error='{tmp_path}/step-00000004-" in ended.output.replace('"', "'")
    assert "is full: make room, or keep fewer checkpoints (checkpoints.keep)" in ended.output
    assert ended.codes == [64, 64], ended.output
