"""What watches model servers asks for metrics that vLLM really exports, and each alert fires when it should."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.platform.monitoring import metric_names, rule_groups
from tests.infra.platform.test_rules import promtool, run, written  # noqa: F401
from tests.workloads.registered import NEEDS
from tests.workloads.serving.engine_metrics import exported
from workloads.kubernetes.grafana import expressions
from workloads.serving.alerts import ALERTS, SERVER, SERVER_LABEL
from workloads.serving.dashboard import DASHBOARD, ONE, PANELS
from workloads.serving.pod import labels_of

RUNBOOK = Path(__file__).parents[3] / "docs/scaling.md"
# Of the platform: kube-state-metrics (docs/metrics/workload/pod-metrics.md, cluster/node-metrics.md), and OpenCost
# (opencost/opencost@02e0666, pkg/costmodel/metrics.go).
OF_PLATFORM = {
    "kube_pod_container_resource_requests",
    "kube_node_status_allocatable",
    "node_total_hourly_cost",
}


def test_each_metric_of_a_panel_or_a_rule_is_one_that_is_exported() -> None:
    asked = set(metric_names(*expressions(PANELS, ONE), *(alert.expression for alert in ALERTS)))
    assert len(asked) > 15
    assert asked - exported() == OF_PLATFORM
    assert ONE.metric in exported()
    # Gone since 2025, and still in many dashboards.
    assert not {"vllm:gpu_cache_usage_perc", "vllm:time_per_output_token_seconds_bucket"} & exported()


def test_series_have_the_servers_name() -> None:
    assert re.sub(r"\W", "_", SERVER_LABEL) == SERVER
    assert SERVER_LABEL in labels_of("chat")
    (monitor,) = next(each for each in NEEDS if each.name == "serving").monitors
    assert monitor.labels == (SERVER_LABEL,)
    for expression in expressions(PANELS, ONE):
        assert f'{SERVER}="$server"' in expression or '"$server-' in expression


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_each_alert_has_a_part_of_the_page_that_says_what_to_do(alert: Any) -> None:
    page, _, part = alert.runbook.partition("#")
    assert page == "docs/scaling.md"
    headings = re.findall(r"^### (.+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert part in {heading.lower().replace(" ", "-") for heading in headings}
    assert "by (model_name)" in alert.expression or "model_name)" in alert.expression


def test_the_panels_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert [panel["title"] for panel in panels] == [panel.title for panel in PANELS]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)) and all(x < 24 for x, _ in cells)  # Grafana's grid has 24 columns


def histogram(metric: str, below: str, above: str) -> dict[str, str]:
    """A histogram whose observations are all in the bucket between two bounds."""
    return {
        f'{metric}_bucket{{model_name="m",le="{below}"}}': "0x60",
        f'{metric}_bucket{{model_name="m",le="{above}"}}': "0+60x60",
        f'{metric}_bucket{{model_name="m",le="+Inf"}}': "0+60x60",
    }


WAITING = 'vllm:num_requests_waiting_by_reason{model_name="m",reason="capacity"}'
PREEMPTIONS = 'vllm:num_preemptions_total{model_name="m"}'
REJECTIONS = 'vllm:admission_rejections_total{model_name="m",reason="queue"}'
# Of each alert: series in promtool's notation at which it fires after half an hour, and at which it never does.
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "TimeToFirstTokenHigh": (
        histogram("vllm:time_to_first_token_seconds", "2.5", "5"),
        histogram("vllm:time_to_first_token_seconds", "0.5", "1"),
    ),
    "InterTokenLatencyHigh": (
        histogram("vllm:inter_token_latency_seconds", "0.15", "0.2"),
        histogram("vllm:inter_token_latency_seconds", "0.025", "0.05"),
    ),
    "ModelServerSaturated": ({WAITING: "3x60"}, {WAITING: "0x10 3x5 0x45"}),
    "ModelServerPreempts": ({PREEMPTIONS: "0+30x60"}, {PREEMPTIONS: "0+1x60"}),
    "ModelServerRejects": ({REJECTIONS: "0+1x60"}, {REJECTIONS: "7x60"}),
}


def case(name: str, series: dict[str, str], *, fires: bool) -> dict[str, Any]:
    alert = next(alert for alert in ALERTS if alert.name == name)
    expected = {
        "exp_labels": {"severity": alert.severity, "model_name": "m"},
        "exp_annotations": {
            "summary": alert.summary.replace("{{ $labels.model_name }}", "m"),
            "runbook": alert.runbook,
        },
    }
    asked = {"eval_time": "30m", "alertname": name, **({"exp_alerts": [expected]} if fires else {})}
    return {
        "name": f"{name} {fires}",
        "interval": "1m",
        "input_series": [{"series": named, "values": values} for named, values in series.items()],
        "alert_rule_test": [asked],
    }


def rupees() -> dict[str, Any]:
    """Two replicas of a GPU each, one on a node of four at ₹400 an hour, one on a node of its own at ₹150, answer 100
    tokens a second: ₹250 an hour for 360,000 tokens."""
    panel = next(panel for panel in PANELS if panel.title == "Rupees per million tokens answered")
    requests = 'kube_pod_container_resource_requests{namespace="serving",resource="nvidia_com_gpu",'
    series = {
        f'{requests}node="a",pod="chat-5d9-x1"}}': "1x120",
        f'{requests}node="b",pod="chat-5d9-x2"}}': "1x120",
        f'{requests}node="b",pod="chat-two-5d9-x3"}}': "1x120",
        'kube_node_status_allocatable{resource="nvidia_com_gpu",node="a"}': "4x120",
        'kube_node_status_allocatable{resource="nvidia_com_gpu",node="b"}': "1x120",
        'node_total_hourly_cost{node="a"}': "400x120",
        'node_total_hourly_cost{node="b"}': "150x120",
        f'vllm:generation_tokens_total{{{SERVER}="chat",pod="chat-5d9-x1"}}': "0+3600x120",
        f'vllm:generation_tokens_total{{{SERVER}="chat",pod="chat-5d9-x2"}}': "0+2400x120",
    }
    (expression,) = expressions([panel], ONE)
    return {
        "name": "rupees",
        "interval": "1m",
        "input_series": [{"series": named, "values": values} for named, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f"round({expression.replace('$server', 'chat')}, 0.01)",
                "eval_time": "100m",
                "exp_samples": [{"labels": "{}", "value": 694.44}],
            }
        ],
    }


@pytest.mark.slow
def test_each_alert_fires_when_it_should_and_rupees_are_right(promtool: Path, tmp_path: Path) -> None:  # noqa: F811
    assert CASES.keys() == {alert.name for alert in ALERTS}
    written(tmp_path, rule_groups(NEEDS))
    tests = [
        case(name, series, fires=fires)
        for name, both in CASES.items()
        for fires, series in zip((True, False), both, strict=True)
    ]
    file = tmp_path / "tests.yaml"
    asked = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [*tests, rupees()]}
    file.write_text(yaml.safe_dump(asked))
    assert "SUCCESS" in run(promtool, "test", "rules", file)
