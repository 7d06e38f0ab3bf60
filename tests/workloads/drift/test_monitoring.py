"""The alerts on drift fire when they should and else do not, on the series that the program serves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.platform.monitoring import metric_names, rule_groups
from localcloud.directories import PROJECT
from tests.infra.platform.test_rules import promtool, run, written  # noqa: F401
from workloads.drift.needs import ALERTS, NEEDS

LABELS = '{model="loan-risk", pod="drift-loan-risk-metrics-0"}'
DAY = 86_400
# Of each alert: series in promtool's notation, five minutes apart, at which it fires after a hundred hours, and at
# which it does not.
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "DriftConfirmed": ({"drift_confirmed": "0x600 1x700"}, {"drift_confirmed": "1x600 0x700"}),
    "DriftNotJudged": (
        {"drift_window_end_timestamp_seconds": "0x1300", "drift_window_seconds": f"{DAY}x1300"},
        {"drift_window_end_timestamp_seconds": "0+300x1300", "drift_window_seconds": f"{DAY}x1300"},
    ),
}


def case(name: str, series: dict[str, str], *, fires: bool) -> dict[str, Any]:
    alert = next(alert for alert in ALERTS if alert.name == name)
    expected = {
        "exp_labels": {"severity": alert.severity, "model": "loan-risk"},
        "exp_annotations": {
            "summary": alert.summary.replace("{{ $labels.model }}", "loan-risk"),
            "runbook": alert.runbook,
        },
    }
    asked = {"eval_time": "100h", "alertname": name, **({"exp_alerts": [expected]} if fires else {})}
    return {
        "name": f"{name} {fires}",
        "interval": "5m",
        "input_series": [{"series": metric + LABELS, "values": values} for metric, values in series.items()],
        "alert_rule_test": [asked],
    }


@pytest.mark.slow
def test_each_alert_fires_when_it_should(promtool: Path, tmp_path: Path) -> None:  # noqa: F811
    assert CASES.keys() == {alert.name for alert in ALERTS}
    written(tmp_path, rule_groups([NEEDS]))
    tests = [
        case(name, series, fires=fires)
        for name, both in CASES.items()
        for fires, series in zip((True, False), both, strict=True)
    ]
    file = tmp_path / "tests.yaml"
    asked = {"rule_files": ["rules.yaml"], "evaluation_interval": "5m", "tests": tests}
    file.write_text(yaml.safe_dump(asked))
    assert "SUCCESS" in run(promtool, "test", "rules", file)


def test_each_metric_is_served_and_each_alert_has_its_part_of_the_page() -> None:
    served = (PROJECT / "workloads/drift/programs/serve.py").read_text()
    for name in metric_names(*(alert.expression for alert in ALERTS)):
        assert f'"{name}"' in served
    headings = re.findall(r"^### (.+)$", (PROJECT / "docs/drift.md").read_text(), re.MULTILINE)
    for alert in ALERTS:
        page, _, part = alert.runbook.partition("#")
        assert page == "docs/drift.md"
        assert part in {heading.lower().replace(" ", "-") for heading in headings}
