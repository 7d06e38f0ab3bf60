"""What watches training jobs asks for metrics that the trainer really sets."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from infra.platform.monitoring import metric_names
from tests.workloads.training.metrics_table import constant
from workloads.kubernetes.grafana import expressions
from workloads.training import pod
from workloads.training.alerts import ALERTS, JOB, JOB_LABEL
from workloads.training.dashboard import DASHBOARD, ONE, PANELS

RUNBOOK = Path(__file__).parents[3] / "docs/training.md"


def set_by_the_trainer() -> set[str]:
    """The metrics of the table that some other module of the trainer sets."""
    others = [file.read_text() for file in pod.PACKAGE.glob("*.py") if file.name != "metrics.py"]
    return {name for name in constant("METRICS") if any(f'"{name}"' in text for text in others)}


def test_each_metric_of_a_panel_or_a_rule_is_one_that_the_trainer_sets() -> None:
    asked = metric_names(*expressions(PANELS, ONE), *(alert.expression for alert in ALERTS))
    assert len(asked) > 10
    assert set(asked) <= set_by_the_trainer()


def test_what_is_grouped_by_the_job_has_its_label() -> None:
    assert re.sub(r"\W", "_", JOB_LABEL) == JOB
    assert JOB_LABEL in pod.labels("train")
    for alert in ALERTS:
        assert f"by ({JOB})" in alert.expression and f"$labels.{JOB}" in alert.summary


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_each_alert_has_a_part_of_the_page_that_says_what_to_do(alert) -> None:
    page, _, part = alert.runbook.partition("#")
    assert page == "docs/training.md"
    headings = re.findall(r"^### (.+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert part in {heading.lower().replace(" ", "-") for heading in headings}


def test_the_dashboard_shows_one_job_and_its_panels_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert [panel["title"] for panel in panels] == [title for title, *_ in PANELS]
    assert len({panel["title"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)) and all(x < 24 for x, _ in cells)  # Grafana's grid has 24 columns
    for expression in expressions(PANELS, ONE):
        assert f'{JOB}="$job"' in expression
    assert json.loads(json.dumps(DASHBOARD)) == DASHBOARD
