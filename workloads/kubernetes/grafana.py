"""A dashboard of Grafana from a table of panels, as Grafana exports one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

SINGLE_NUMBERS = 6  # the first panels, in one row
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


class Panel(NamedTuple):
    """What is shown: its title, PromQL in which `{SEL}` stands for the one that is picked, and Grafana's name of the
    unit."""

    title: str
    expression: str
    unit: str


class Picked(NamedTuple):
    """What the dashboard shows one of at a time: Grafana's variable, its label in Prometheus, and a metric that each
    has."""

    variable: str
    label: str
    metric: str

    @property
    def selector(self) -> str:
        """The matchers of its metrics."""
        return f'{{{self.label}="${self.variable}"}}'


def expressions(panels: Sequence[Panel], picked: Picked) -> list[str]:
    """The PromQL of every panel."""
    return [panel.expression.replace("{SEL}", picked.selector) for panel in panels]


def dashboard(uid: str, title: str, panels: Sequence[Panel], picked: Picked) -> dict[str, Any]:
    """The dashboard's JSON: the first panels are numbers, the others curves, three in a row."""
    variable = {
        "name": picked.variable,
        "type": "query",
        "datasource": DATASOURCE,
        "query": f"label_values({picked.metric}, {picked.label})",
        "refresh": 2,
    }
    datasource = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    shown = zip(panels, expressions(panels, picked), strict=True)
    return {
        "uid": uid,
        "title": title,
        "tags": ["india-ai-infra"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [datasource, variable]},
        "panels": [_panel(at, panel, expression) for at, (panel, expression) in enumerate(shown)],
    }


def _panel(at: int, panel: Panel, expression: str) -> dict[str, Any]:
    single = at < SINGLE_NUMBERS
    after = at - SINGLE_NUMBERS
    place = (
        {"x": 4 * at, "y": 0, "w": 4, "h": 4}
        if single
        else {"x": 8 * (after % 3), "y": 4 + 8 * (after // 3), "w": 8, "h": 8}
    )
    return {
        "id": at + 1,
        "type": "stat" if single else "timeseries",
        "title": panel.title,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "targets": [{"refId": "A", "datasource": DATASOURCE, "expr": expression}],
    }
