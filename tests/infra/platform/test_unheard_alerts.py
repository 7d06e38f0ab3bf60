"""The chart's own alerts: there where somebody is told of them, and off where nobody would be."""

from __future__ import annotations

from infra.platform.values import ALERT_GROUPS, kube_prometheus_stack
from tests.infra.platform.gpu_cluster import PROFILES


def test_without_receivers_no_alert_of_the_charts_own_is_there() -> None:
    made = kube_prometheus_stack(PROFILES["gcp"])
    assert made["alertmanager"] == {"enabled": False}
    assert made["defaultRules"]["rules"] == dict.fromkeys(ALERT_GROUPS, False)
    assert "create" not in made["defaultRules"], "recording rules stay: Grafana's dashboards need them"


def test_with_receivers_all_of_them_are() -> None:
    assert "defaultRules" not in kube_prometheus_stack(
        PROFILES["aws"], {"sns_configs": [{"topic_arn": "arn"}]}
    )
