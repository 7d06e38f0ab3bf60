"""Prometheus' rules on Google: one policy each, the rule's own expression, and the channels that are told."""

from __future__ import annotations

import promql_parser as promql
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.gcp.metric_alerts import MetricAlerts, MetricAlertsArgs, seconds, words
from infra.platform.managed_prometheus import of_cluster, rules_of_cluster
from infra.platform.monitoring import rule_groups
from tests.workloads.registered import NEEDS

RULES = {rule["alert"]: rule for group in rule_groups(NEEDS) for rule in group["rules"]}


@pytest.fixture(scope="module")
def policies(deploy, project):
    def program():
        rules = rules_of_cluster(NEEDS, "unit", "asia-south1")
        MetricAlerts("alerts", MetricAlertsArgs(project, "unit", rules, ["channel-1", "channel-2"]))
        return {}

    return deploy(program).of("alertPolicy:AlertPolicy")


def condition(policy):
    (found,) = policy.inputs["conditions"]  # Google allows one, where it is PromQL
    return found["conditionPrometheusQueryLanguage"]


def test_each_rule_has_a_policy_of_the_same_expression_and_severity(policies):
    by_rule = {condition(policy)["alertRule"]: policy for policy in policies.values()}
    assert set(by_rule) == set(RULES)
    assert len(by_rule) == len(policies)
    for name, rule in RULES.items():
        asked, severity = condition(by_rule[name]), rule["labels"]["severity"]
        assert asked["query"] == of_cluster(rule["expr"], "unit", "asia-south1")
        assert asked["labels"] == rule["labels"]
        assert by_rule[name].inputs["severity"] == severity.upper()
    assert condition(by_rule["GpuXidCritical"])["duration"] == "60s"
    assert condition(by_rule["GpuMemoryErrors"])["duration"] == "0s"


def selectors(expression: str) -> list[promql.VectorSelector]:
    """Every selector of a PromQL expression, as a parser of the language finds them."""
    seen: list[promql.VectorSelector] = []

    def note(expr: object) -> None:
        if isinstance(expr, promql.VectorSelector):
            seen.append(expr)

    promql.walk(promql.parse(expression), pre_visit=note)
    return seen


def matchers(selector: promql.VectorSelector) -> dict[str, str]:
    """What labels must equal: a rule may hold others to a pattern."""
    equal = [one for one in selector.matchers.matchers if one.op == promql.MatchOp.Equal]
    return {one.name: one.value for one in equal}


def test_every_metric_of_every_policy_is_of_the_stacks_own_cluster(policies):
    for policy in policies.values():
        found = selectors(condition(policy)["query"])
        assert found
        for selector in found:
            assert {"cluster": "unit", "location": "asia-south1"}.items() <= matchers(selector).items()


_metric = st.sampled_from(["up", "DCGM_FI_DEV_XID_ERRORS", "vllm:latency_bucket", "sum_of", "le"])
_labels = st.sampled_from(["", "{}", '{reason="up"}', '{reason="a}b", le="0.5"}', '{reason="up",}'])
_frame = st.sampled_from(
    [
        "{m} > 0",
        "sum by (le, model_name) (rate({m}[5m])) > 2",
        "histogram_quantile(0.95, sum(rate({m}[5m]))) > 1",
        "{m} == 46 or {m} == 48",
        "increase({m}[1h] offset 5m) unless on (gpu) {m}",
    ]
)


@given(_metric, _labels, _frame)
def test_an_expression_is_narrowed_and_nothing_else_of_it_changes(metric, labels, frame):
    # A metric may be called as a label of a list, or as a word in a text.
    expression = frame.replace("{m}", f"{metric}{labels}")
    before, after = selectors(expression), selectors(of_cluster(expression, "c-1", "asia-south2"))
    own = {"cluster": "c-1", "location": "asia-south2"}
    assert [one.name for one in after] == [one.name for one in before]
    assert [matchers(one) for one in after] == [{**own, **matchers(one)} for one in before]


def test_every_policy_tells_the_channels_and_can_be_made_before_its_metrics_are(policies):
    for policy in policies.values():
        assert policy.inputs["notificationChannels"] == ["channel-1", "channel-2"]
        assert condition(policy)["disableMetricValidation"] is True
        assert "alertStrategy" not in policy.inputs, "a rate limit is for conditions on logs"


def test_no_template_of_prometheus_is_left_in_a_mail(policies):
    for policy in policies.values():
        content = policy.inputs["documentation"]["content"]
        assert content
        assert "{{" not in content
    xid = policies["alerts-GpuXidCritical"].inputs["documentation"]["content"]
    assert xid == "XID ${metric.label.value} on GPU ${metric_or_resource.label.gpu}: drain the node"


def test_durations_are_googles():
    assert [seconds(text) for text in ("0s", "90s", "10m", "1h")] == ["0s", "90s", "600s", "3600s"]
    assert words("{{ $labels.model_name }}: slow") == "${metric_or_resource.label.model_name}: slow"


def test_a_severity_that_google_does_not_have_is_refused(deploy, project):
    rule = {**RULES["GpuXidCritical"], "labels": {"severity": "page"}}

    def program():
        with pytest.raises(KeyError, match="page"):
            MetricAlerts("odd", MetricAlertsArgs(project, "unit", [{"name": "g", "rules": [rule]}], []))
        return {}

    assert not deploy(program).of("alertPolicy:AlertPolicy")
