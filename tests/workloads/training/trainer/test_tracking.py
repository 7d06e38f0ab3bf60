"""What MLflow and W&B are sent."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from localcloud.environments import environment
from tests.workloads.training.trainer.conftest import TRAINING, Ranks

pytestmark = pytest.mark.slow

SENT = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
(run,) = client.search_runs([client.get_experiment_by_name("nightly").experiment_id])
losses = {metric.step: metric.value for metric in client.get_metric_history(run.info.run_id, "loss")}
print(json.dumps([run.info.status, run.data.params, losses, sorted(run.data.metrics)]))
"""


def test_each_reading_reaches_mlflow_once_whatever_the_number_of_ranks(ranks: Ranks, tmp_path: Path) -> None:
    # MLflow's own client and its store of files: the image has no MLflow server.
    store = (tmp_path / "store").as_uri()
    env = {"MLFLOW_ALLOW_FILE_STORE": "true", "TRAINING_JOB": "nightly"}
    ended = ranks.start(tmp_path / "c", 2, env=env, steps=3, tracking={"mlflowUri": store}).end()
    assert ended.codes == [0, 0], ended.output
    status, parameters, losses, metrics = json.loads(ranks.script(SENT, store, env=env))
    assert status == "FINISHED"
    assert parameters == {"model": "tiny", "data": "builtin", "steps": "3"}
    assert {int(step): loss for step, loss in losses.items()} == pytest.approx(ended.losses, abs=1e-6)
    assert metrics == ["gradient_norm", "learning_rate", "loss"]


def test_an_mlflow_that_does_not_answer_is_refused_at_the_start(ranks: Ranks, tmp_path: Path) -> None:
    ended = ranks.run(tmp_path, 2, tracking={"mlflowUri": "http://127.0.0.1:9"})
    assert ended.codes == [64, 64]
    assert "error: tracking.mlflowUri http://127.0.0.1:9 does not answer" in ended.output


TRACKED = """
import json
from trainer.progress import Reading
from trainer.recipe import Recipe
from trainer.tracking import Tracker
recipe = Recipe.read(json.dumps({"steps": 3, "tracking": {"wandb": "http://127.0.0.1:9"}}))
for first in (True, False):
    tracker = Tracker(recipe, first)
    for step in (1, 2, 3):
        tracker.log(Reading(step, 5.0 - step, 0.001, 0.5))
    tracker.end()
"""
# What the client would send: seven bytes, then records that each have a checksum, a length and a type before them.
KEPT = """
import glob, json
from wandb.proto.wandb_internal_pb2 import Record
(file,) = glob.glob("wandb/offline-run-*/*.wandb")
rows, project, content = [], "", open(file, "rb").read()[7:]
while content:
    length = int.from_bytes(content[4:6], "little")
    record, content = Record.FromString(content[7 : 7 + length]), content[7 + length :]
    project = record.run.project or project
    if record.HasField("history"):
        rows.append({item.nested_key[0]: json.loads(item.value_json) for item in record.history.item})
print(json.dumps([project, rows]))
"""


def test_each_reading_is_kept_by_a_wandb_that_is_offline(tmp_path: Path) -> None:
    # Its own client, and no server: offline it writes what it would send.
    python = environment(Path(__file__).with_name("requirements-wandb.txt"))
    offline = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "TRAINING_JOB": "nightly"}
    env = {**os.environ, **offline, "HOME": str(tmp_path), "PYTHONPATH": str(TRAINING)}

    def run(text: str) -> str:
        done = subprocess.run([python, "-c", text], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(TRACKED)
    project, rows = json.loads(run(KEPT))
    assert project == "nightly"
    sent = [(row["_step"], row["loss"], row["learning_rate"], row["gradient_norm"]) for row in rows]
    assert sent == [(1, 4, 0.001, 0.5), (2, 3, 0.001, 0.5), (3, 2, 0.001, 0.5)]
