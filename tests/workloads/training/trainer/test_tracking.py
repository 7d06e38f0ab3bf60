"""What MLflow is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workloads.training.trainer.conftest import Ranks

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
