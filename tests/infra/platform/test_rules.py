"""Prometheus' own promtool on every rule of the project, and on each alert of training: it fires when it should."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.platform.managed_prometheus import rules_of_cluster
from infra.platform.monitoring import rule_groups
from localcloud.toolchain import install
from tests.workloads.registered import EVERY
from workloads.training.alerts import ALERTS, JOB

pytestmark = pytest.mark.slow

HOUR = 60  # minutes, which is how often a series has a value here
JOB_LABELS = f'{{{JOB}="llm", pod="llm-0"}}'
OTHER_POD = f'{{{JOB}="llm", pod="llm-1"}}'

# Of each alert: series in promtool's notation at which it fires after `minutes`, and at which it never does.
CASES: dict[str, tuple[int, dict[str, str], dict[str, str]]] = {
    "TrainingStalled": (
        30,
        {"training_step": "7x60", "training_left_seconds": "600x60"},
        {"training_step": "0+1x60", "training_left_seconds": "600-10x60"},
    ),
    "TrainingGoodputLow": (
        2 * HOUR,
        {"training_goodput_ratio": "0.79x150"},
        {"training_goodput_ratio": "0.81x150"},
    ),
    "TrainingCheckpointOld": (
        30,
        {"training_checkpoint_timestamp_seconds": "0x60", "training_checkpoint_interval_seconds": "600x60"},
        {
            "training_checkpoint_timestamp_seconds": "0+60x60",
            "training_checkpoint_interval_seconds": "600x60",
        },
    ),
    "TrainingRestartsOften": (50, {"training_starts": "1+1x60"}, {"training_starts": "1x40 5x20"}),
    "TrainingLossIsNoNumber": (10, {"training_loss": "2.5 2.4" + " NaN" * 20}, {"training_loss": "2.5x60"}),
}
# A job that is done stands still and saves no more, and nobody is told of it.
DONE = {"training_step": "9x60", "training_left_seconds": "0x60", "training_loss": "1x60"}


@pytest.fixture(scope="module")
def promtool() -> Path:
    return install.folder_of("promtool", lambda done, total, what: None) / "promtool"


def run(promtool: Path, *words: str | Path) -> str:
    done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(folder: Path, groups: list[dict[str, Any]]) -> Path:
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": groups}))
    return file


@pytest.mark.parametrize("groups", [rule_groups(EVERY), rules_of_cluster(EVERY, "llm-gke", "asia-south1")])
def test_promtool_takes_every_rule(promtool: Path, tmp_path: Path, groups: list[dict[str, Any]]) -> None:
    """Of the cluster's own Prometheus, and as Cloud Monitoring is given them."""
    rules = sum(len(group["rules"]) for group in groups)
    assert rules > len(ALERTS)
    said = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", written(tmp_path, groups))
    assert f"SUCCESS: {rules} rules found" in said


def series(values: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"series": f"{name}{labels}", "values": text}
        for name, text in values.items()
        for labels in (JOB_LABELS, OTHER_POD)
    ]


def case(name: str, minutes: int, values: dict[str, str], *, fires: bool) -> dict[str, Any]:
    alert = next(alert for alert in ALERTS if alert.name == name)
    summary = alert.summary.replace(f"{{{{ $labels.{JOB} }}}}", "llm")
    expected = {
        "exp_labels": {"severity": alert.severity, JOB: "llm"},
        "exp_annotations": {"summary": summary, "runbook": alert.runbook},
    }
    asked = {
        "eval_time": f"{minutes}m",
        "alertname": name,
        **({"exp_alerts": [expected]} if fires else {}),
    }
    return {
        "name": f"{name} {fires}",
        "interval": "1m",
        "input_series": series(values),
        "alert_rule_test": [asked],
    }


def test_each_alert_of_training_fires_once_for_its_job_and_else_does_not(
    promtool: Path, tmp_path: Path
) -> None:
    assert CASES.keys() == {alert.name for alert in ALERTS}
    written(tmp_path, rule_groups(EVERY))
    tests = [
        case(name, minutes, values, fires=fires)
        for name, (minutes, bad, good) in CASES.items()
        for fires, values in ((True, bad), (False, good))
    ]
    tests += [case(name, minutes, DONE, fires=False) for name, (minutes, *_) in CASES.items()]
    file = tmp_path / "tests.yaml"
    file.write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests})
    )
    assert "SUCCESS" in run(promtool, "test", "rules", file)
