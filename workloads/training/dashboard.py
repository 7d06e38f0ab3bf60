"""The dashboard of training jobs, as Grafana exports one: a row of the table is a panel. Metrics: trainer/metrics."""

from __future__ import annotations

from typing import Any

from workloads.training.alerts import JOB

# What is shown, in PromQL over the job that is picked, and Grafana's name of the unit.
PANELS = (
    ("Progress", "max(training_step{SEL}) / max(training_steps{SEL})", "percentunit"),
    ("Time left", "max(training_left_seconds{SEL})", "s"),
    ("Goodput", "max(training_goodput_ratio{SEL})", "percentunit"),
    ("Rupees so far", "max(training_cost_inr{SEL})", "currencyINR"),
    ("Rupees to the end", "max(training_cost_to_end_inr{SEL})", "currencyINR"),
    ("Starts", "max(training_starts{SEL})", "short"),
    ("Loss", "max(training_loss{SEL})", "short"),
    ("Learning rate", "max(training_learning_rate{SEL})", "short"),
    ("Norm of the gradients", "max(training_gradient_norm{SEL})", "short"),
    ("Tokens a second", "max(training_tokens_per_second{SEL})", "short"),
    ("Model FLOP utilisation", "max(training_mfu_ratio{SEL})", "percentunit"),
    ("Time lost, by cause", "max by (cause) (training_lost_seconds{SEL})", "s"),
    ("Age of the newest checkpoint", "time() - max(training_checkpoint_timestamp_seconds{SEL})", "s"),
    ("Interval that loses least", "max(training_checkpoint_interval_seconds{SEL})", "s"),
    ("A save, and how long training stood still for it", "max(training_checkpoint_save_seconds{SEL})", "s"),
    ("Stall of the latest save", "max(training_checkpoint_stall_seconds{SEL})", "s"),
)
SELECTED = f'{{{JOB}="$job"}}'
SINGLE_NUMBERS = 6  # the first panels, in one row
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def expressions() -> list[str]:
    """The PromQL of every panel."""
    return [expression.replace("{SEL}", SELECTED) for _, expression, _ in PANELS]


def _panel(at: int, title: str, expression: str, unit: str) -> dict[str, Any]:
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
        "title": title,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"refId": "A", "datasource": DATASOURCE, "expr": expression}],
    }


DASHBOARD: dict[str, Any] = {
    "uid": "training-jobs",
    "title": "Training jobs",
    "tags": ["india-ai-infra"],
    "schemaVersion": 39,
    "refresh": "30s",
    "time": {"from": "now-6h", "to": "now"},
    "templating": {
        "list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus"},
            {
                "name": "job",
                "type": "query",
                "datasource": DATASOURCE,
                "query": f"label_values(training_steps, {JOB})",
                "refresh": 2,
            },
        ]
    },
    "panels": [
        _panel(at, title, expression, unit)
        for at, ((title, _, unit), expression) in enumerate(zip(PANELS, expressions(), strict=True))
    ],
}
