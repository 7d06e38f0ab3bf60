"""What Google's collectors send: every metric that the rules use, whole, and no other."""

from __future__ import annotations

import re

import pulumi
import pytest

from infra.platform import Platform, PlatformArgs, network_policies
from infra.platform.managed_prometheus import targets
from infra.platform.monitoring import metric_names, rule_groups
from tests.infra.platform.gpu_cluster import PROFILES, SERVE, gpu_cluster
from tests.schemas import validate
from tests.workloads.registered import NEEDS
from workloads.serving.needs import NEEDS as SERVING

CHARTS = {"dcgm-exporter": "monitoring", "kueue": "kueue-system"}


@pytest.fixture(scope="module")
def google(deploy):
    def program():
        cluster = gpu_cluster(SERVE, cloud="gcp", region="asia-south1")
        return Platform(
            "platform", PlatformArgs(PROFILES["gcp"], cluster, "mumbai-gke", ["10.64.0.0/20"], NEEDS)
        ).ready

    return deploy(program)


@pytest.fixture(scope="module")
def monitorings(google):
    return {one.inputs["metadata"]["name"]: one.inputs for one in google.of("PodMonitoring").values()}


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ("a_total == 46 or a_total == 48", ["a_total"]),
        ("increase(DCGM_X[10m]) > 0", ["DCGM_X"]),
        ('sum by (le, q) (rate(vllm:t_bucket{reason="not_this or_that"}[5m])) > 1e3', ["vllm:t_bucket"]),
        ("a / on (b) group_left (c) d unless e offset 5m > bool 2", ["a", "d", "e"]),
    ],
)
def test_metrics_are_read_from_an_expression(expression, metrics):
    assert metric_names(expression) == metrics


def test_a_pod_monitoring_is_what_googles_definition_allows(monitorings):
    for inputs in monitorings.values():
        validate(inputs)


def test_each_group_of_rules_sends_its_metrics_and_no_other(monitorings):
    assert set(monitorings) == set(targets(NEEDS)) == {group["name"] for group in rule_groups(NEEDS)}
    for group in rule_groups(NEEDS):
        (endpoint,) = monitorings[group["name"]]["spec"]["endpoints"]
        (keep,) = endpoint["metricRelabeling"]
        assert (keep["action"], keep["sourceLabels"]) == ("keep", ["__name__"])
        for metric in metric_names(*(rule["expr"] for rule in group["rules"])):
            assert re.fullmatch(keep["regex"], metric), metric
        assert not re.fullmatch(keep["regex"], "DCGM_FI_DEV_GPU_UTIL")
        assert not re.fullmatch(keep["regex"], "go_goroutines")


def test_a_histogram_is_sent_whole(monitorings):
    (endpoint,) = monitorings["model-servers"]["spec"]["endpoints"]
    for part in ("bucket", "sum", "count"):
        name = f"vllm:time_to_first_token_seconds_{part}"
        assert re.fullmatch(endpoint["metricRelabeling"][0]["regex"], name)


def test_targets_are_where_the_charts_and_workloads_put_them(google, monitorings):
    for chart, namespace in CHARTS.items():
        assert google.one("Release", chart).inputs["namespace"] == namespace
    placed = {
        inputs["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]: inputs["metadata"]["namespace"]
        for inputs in monitorings.values()
    }
    of_workloads = {monitor.app: each.name for each in NEEDS for monitor in each.monitors}
    assert placed == {**CHARTS, **of_workloads}


def test_a_metric_has_the_labels_of_its_pod_by_which_rules_group(monitorings):
    # As the Prometheus operator writes them in the cluster, so that one rule serves both.
    (label,) = monitorings["training-jobs"]["spec"]["targetLabels"]["fromPod"]
    assert label == {"from": "app.kubernetes.io/instance", "to": "app_kubernetes_io_instance"}
    assert "targetLabels" not in monitorings["queues"]["spec"]


def test_collectors_show_kueue_a_token_that_only_reads_metrics(google, monitorings):
    (endpoint,) = monitorings["queues"]["spec"]["endpoints"]
    token = endpoint["authorization"]["credentials"]["secret"]
    secret = google.one("core/v1:Secret").inputs
    account = google.one("v1:ServiceAccount", "kueue-metrics-reader-account")
    assert secret["metadata"]["name"] == token["name"]
    assert secret["metadata"]["namespace"] == monitorings["queues"]["metadata"]["namespace"]
    assert secret["type"] == "kubernetes.io/service-account-token"
    assert account.urn in google.one("core/v1:Secret").depends_on, "else Kubernetes deletes the token"
    binding = google.one("ClusterRoleBinding", "kueue-metrics-reader").inputs
    assert binding["roleRef"]["name"] == "kueue-metrics-reader"
    assert [one["name"] for one in binding["subjects"]] == [account.inputs["metadata"]["name"]]
    (rule,) = google.one("v1:Role", "kueue-metrics-token").inputs["rules"]
    assert (rule["resourceNames"], rule["verbs"]) == ([token["name"]], ["get"])
    reader = google.one("v1:RoleBinding", "kueue-metrics-token-of-collectors").inputs["subjects"]
    assert [(one["namespace"], one["name"]) for one in reader] == [("gmp-system", "collector")]


@pytest.mark.parametrize(
    ("cloud", "scrapers"), [("aws", {"monitoring"}), ("gcp", {"monitoring", "gmp-system"})]
)
def test_who_scrapes_may_reach_the_model_servers(deploy, cloud, scrapers):
    def program():
        network_policies.create_network_policies(
            SERVING, PROFILES[cloud], ["10.0.0.0/16"], pulumi.ResourceOptions()
        )
        return {}

    (rule,) = deploy(program).one("v1:NetworkPolicy", "serving-allow-ingress").inputs["spec"]["ingress"]
    found = [one["namespaceSelector"]["matchLabels"] for one in rule["from"] if "namespaceSelector" in one]
    assert {labels["kubernetes.io/metadata.name"] for labels in found} == scrapers


def test_aws_has_none(deploy):
    made = deploy(
        lambda: (
            Platform(
                "platform", PlatformArgs(PROFILES["aws"], gpu_cluster(SERVE), "eks", ["10.0.0.0/16"], NEEDS)
            ).ready
        )
    )
    assert not made.of("PodMonitoring")
    assert not made.of("core/v1:Secret")
