"""The kubernetes provider without a cluster: names, replacements, awaiting, charts."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from infra.contracts.labels import CAPACITY_TYPE_LABEL
from localcloud.kubernetes import clusters, karpenter, nodes
from localcloud.kubernetes import crds as kubernetes_crds
from localcloud.providers.kubernetes import charts as kubernetes_charts
from localcloud.providers.kubernetes import pods as kubernetes_pods
from localcloud.providers.kubernetes import readiness as kubernetes_await
from localcloud.providers.kubernetes.diff import diff
from localcloud.providers.kubernetes.provider import (
    KubernetesProvider,
    as_it_is,
    server_of,
    with_name,
)
from localcloud.providers.protocol import UNKNOWN, InvalidInputsError, Resource, ResourceError

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [
        {"name": "other", "cluster": {"server": "https://127.0.0.1:1"}},
        {"name": "mine", "cluster": {"server": "https://127.0.0.1:2/"}},
    ],
    "contexts": [
        {"name": "other", "context": {"cluster": "other", "user": "aws"}},
        {"name": "mine", "context": {"cluster": "mine", "user": "aws"}},
    ],
    "current-context": "mine",
    "users": [{"name": "aws", "user": {"exec": {"command": "aws", "args": ["eks", "get-token"]}}}],
}


def resource(
    token: str = "kubernetes:core/v1:ConfigMap", name: str = "settings", preview: bool = False
) -> Resource:
    return Resource(f"urn:pulumi:local::india-ai-infra::{token}::{name}", preview=preview)


def thing(kind: str, api_version: str = "v1", name: str = "x", **fields) -> dict:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


class TestNames:
    def test_a_given_name_stays(self):
        inputs = thing("ConfigMap", name="mine")
        assert with_name(resource(), {}, inputs) == inputs

    def test_an_automatic_name_is_the_logical_name_and_eight_digits(self):
        named = with_name(resource(), {}, {"apiVersion": "v1", "kind": "ConfigMap"})
        assert re.fullmatch(r"settings-[0-9a-f]{8}", named["metadata"]["name"])
        assert named["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}

    def test_an_automatic_name_is_kept(self):
        first = with_name(resource(), {}, {"metadata": {"labels": {"a": "b"}}})
        assert with_name(resource(), first, {"metadata": {"labels": {"a": "b"}}}) == first

    def test_a_name_that_is_not_known_yet_stays(self):
        assert with_name(resource(), {}, {"metadata": UNKNOWN}) == {"metadata": UNKNOWN}
        assert with_name(resource(), {}, {"metadata": {"name": UNKNOWN}}) == {"metadata": {"name": UNKNOWN}}

    def test_a_release_is_named_too_and_keeps_its_name(self):
        first = kubernetes_charts.check(resource(name="queues"), {}, {"chart": "kueue"}, "default")
        assert re.fullmatch(r"queues-[0-9a-f]{8}", first["name"])
        assert first["namespace"] == "default"
        assert kubernetes_charts.check(resource(name="queues"), first, {"chart": "kueue"}, "default") == first


class TestReplacement:
    @pytest.mark.parametrize(
        ("old", "new", "replaces"),
        [
            (thing("Namespace", name="a"), thing("Namespace", name="b"), ["metadata"]),
            (
                thing("Job", "batch/v1", spec={"template": 1}),
                thing("Job", "batch/v1", spec={"template": 2}),
                ["spec"],
            ),
            (
                thing("Job", "batch/v1", spec={"ttlSecondsAfterFinished": 1}),
                thing("Job", "batch/v1", spec={"ttlSecondsAfterFinished": 2}),
                [],
            ),
            (
                thing("Deployment", "apps/v1", spec={"selector": {"matchLabels": {"a": "b"}}}),
                thing("Deployment", "apps/v1", spec={"selector": {"matchLabels": {"a": "c"}}}),
                ["spec"],
            ),
            (
                thing("Deployment", "apps/v1", spec={"selector": 1, "replicas": 1}),
                thing("Deployment", "apps/v1", spec={"selector": 1, "replicas": 2}),
                [],
            ),
            (
                thing("StatefulSet", "apps/v1", spec={"serviceName": "a"}),
                thing("StatefulSet", "apps/v1", spec={"serviceName": "b"}),
                ["spec"],
            ),
            (
                thing("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef={"name": "a"}),
                thing("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef={"name": "b"}),
                ["roleRef"],
            ),
            (thing("ConfigMap", data={"a": "1"}), thing("ConfigMap", data={"a": "2"}), ["data"]),
            (thing("NodePool", "karpenter.sh/v1", spec=1), thing("NodePool", "karpenter.sh/v1", spec=2), []),
        ],
    )
    def test_what_the_api_server_lets_nobody_change(self, old, new, replaces):
        found = diff(old, new, frozenset())
        assert found.changed
        assert found.replaces == replaces

    def test_nothing_changed(self):
        same = thing("Job", "batch/v1", spec={"template": {"a": [1, 2]}})
        assert diff(same, json.loads(json.dumps(same)), frozenset()).changed == []

    def test_a_mutable_config_map_is_changed_in_place_unless_it_says_immutable(self):
        old, new = thing("ConfigMap", data={"a": "1"}), thing("ConfigMap", data={"a": "2"})
        assert diff(old, new, frozenset({"ConfigMap"})).replaces == []
        assert diff(old, {**new, "immutable": True}, frozenset({"ConfigMap"})).replaces == ["data"]

    def test_the_old_one_goes_first_unless_the_name_is_automatic(self):
        old, new = thing("ConfigMap", data={"a": "1"}), thing("ConfigMap", data={"a": "2"})
        assert diff(old, new, frozenset()).delete_first
        for values in (old, new):
            values["metadata"] = {"name": "x-12345678", "annotations": {"pulumi.com/autonamed": "true"}}
        assert not diff(old, new, frozenset()).delete_first
        assert not diff(thing("Pod", name="a"), thing("Pod", name="b"), frozenset()).delete_first

    def test_an_unknown_value_is_a_change(self):
        old = thing("ConfigMap", data={"a": "1"})
        assert diff(old, thing("ConfigMap", data=UNKNOWN), frozenset()).changed == ["data"]

    def test_a_release_moves_with_its_name_and_namespace(self):
        old = {"chart": "kueue", "name": "a", "namespace": "n", "version": "1"}
        assert kubernetes_charts.diff(old, {**old, "version": "2"}).replaces == []
        assert kubernetes_charts.diff(old, {**old, "namespace": "m"}).replaces == ["namespace"]


class TestKubeconfig:
    @pytest.mark.parametrize("text", [json.dumps(KUBECONFIG), yaml.safe_dump(KUBECONFIG)])
    def test_the_server_of_the_current_context(self, text):
        assert server_of(text) == "https://127.0.0.1:2"

    @pytest.mark.parametrize("text", ["", "{}", "just text", "clusters: []\ncontexts: []", "{"])
    def test_what_is_no_kubeconfig(self, text):
        with pytest.raises(ResourceError, match="names no cluster"):
            server_of(text)

    def test_a_cluster_that_the_local_cloud_did_not_start(self, monkeypatch, tmp_path):
        monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
        provider = KubernetesProvider()
        provider.configure({"kubeconfig": json.dumps(KUBECONFIG)})
        with pytest.raises(ResourceError, match=r"no cluster at https://127.0.0.1:2"):
            provider.create(resource(), thing("ConfigMap"))
        # It took its objects with it: a destroy must still finish.
        assert provider.read(resource(), thing("ConfigMap"), {}) is None
        provider.delete(resource(), thing("ConfigMap"), {})

    def test_a_preview_before_the_cluster_exists_returns_the_inputs(self):
        provider = KubernetesProvider()
        provider.configure({"kubeconfig": UNKNOWN})
        assert provider.create(resource(preview=True), thing("ConfigMap")) == ("", thing("ConfigMap"))
        assert provider.update(resource(preview=True), {}, {}, thing("ConfigMap")) == thing("ConfigMap")
        release = {"chart": "kueue", "name": "kueue", "namespace": "kueue-system"}
        _, outputs = provider.create(resource(kubernetes_charts.RELEASE, preview=True), release)
        assert outputs["status"] is UNKNOWN

    def test_the_records_of_two_clusters_are_told_apart(self, monkeypatch, tmp_path):
        monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
        store = clusters.Store(tmp_path / "store.sqlite")
        for name, port in (("one", 1), ("two", 2)):
            record = {"region": "ap-south-1", "endpoint": f"https://127.0.0.1:{port}", "ca_data": ""}
            store.put("cluster", name, record)
        found = clusters.access("https://127.0.0.1:2/")
        assert found is not None
        assert found.name == "two"
        assert clusters.access("https://127.0.0.1:3") is None
        assert clusters.recorded() == ["one", "two"]
        assert clusters.running() == []


class TestAwait:
    def ready(self, live: dict) -> bool:
        rule = kubernetes_await.rule_for(live)
        return rule is None or rule(live).ready

    @pytest.mark.parametrize(
        ("expression", "status", "ready"),
        [
            ("jsonpath={.status.ready}=2", {"ready": 2}, True),
            ("jsonpath={.status.ready}=2", {"ready": 1}, False),
            ("jsonpath={.status.ready}=2", {}, False),
            ("jsonpath={.status.phase}='Running'", {"phase": "Running"}, True),
            ("jsonpath={.status.active}=true", {"active": True}, True),
            ("jsonpath={.status['succeeded','ready']}=2", {"ready": 2, "terminating": 0}, True),
            ("jsonpath={.status['succeeded','ready']}=2", {"ready": 0, "succeeded": 2}, True),
            ("jsonpath={.status['succeeded','ready']}=2", {"ready": 1, "succeeded": 1}, False),
            # The first that is there counts, as in pulumi-kubernetes, and not any.
            ("jsonpath={.status['succeeded','ready']}=2", {"ready": 2, "succeeded": 1}, False),
            ("jsonpath={.status.ready}", {"ready": 0}, True),
            ("jsonpath={.status.ready}", {}, False),
            (
                'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True',
                {"conditions": [{"type": "Ready", "status": "True"}]},
                True,
            ),
            ("condition=Ready", {"conditions": [{"type": "Ready", "status": "True"}]}, True),
            ("condition=Ready", {"conditions": [{"type": "Ready", "status": "False"}]}, False),
            ("condition=Ready=False", {"conditions": [{"type": "Ready", "status": "False"}]}, True),
            ('["condition=Ready", "jsonpath={.status.n}=1"]', {"n": 1}, False),
        ],
    )
    def test_wait_for(self, expression, status, ready):
        live = thing("Job", "batch/v1", status=status)
        live["metadata"]["annotations"] = {"pulumi.com/waitFor": expression}
        assert self.ready(live) is ready

    @pytest.mark.parametrize(
        "expression", ["jsonpath=.status.x", "jsonpath={.status.x", "", "jsonpath={..[}", "{x}", "[1"]
    )
    def test_a_wait_for_that_cannot_be_read_is_refused_by_the_check(self, expression):
        inputs = thing("Job", "batch/v1")
        inputs["metadata"]["annotations"] = {"pulumi.com/waitFor": expression}
        with pytest.raises(InvalidInputsError, match=r"pulumi\.com/waitFor"):
            KubernetesProvider().check(resource(), {}, inputs)

    def test_skip_await(self):
        live = thing("Deployment", "apps/v1", spec={"replicas": 3})
        assert not self.ready(live)
        live["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
        assert self.ready(live)

    @pytest.mark.parametrize(
        ("status", "ready"),
        [
            ({}, False),
            ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, False),
            ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, False),
            ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, False),
            ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, True),
        ],
    )
    def test_a_deployment_is_ready_when_its_newest_pods_are(self, status, ready):
        live = thing("Deployment", "apps/v1", spec={"replicas": 2}, status=status)
        live["metadata"]["generation"] = 2
        assert self.ready(live) is ready

    def test_a_failed_job_has_words(self):
        condition = {
            "type": "Failed",
            "status": "True",
            "reason": "BackoffLimitExceeded",
            "message": "too often",
        }
        live = thing("Job", "batch/v1", status={"conditions": [condition]})
        assert kubernetes_await.failure_of(live) == "the job failed: BackoffLimitExceeded: too often"


class TestSchedulingWords:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def event(self, source: str, reason: str, seconds_ago: int, message: str = "no") -> dict:
        when = (self.now - timedelta(seconds=seconds_ago)).isoformat()
        return {
            "reason": reason,
            "reportingComponent": source,
            "lastTimestamp": when,
            "firstTimestamp": when,
            "message": message,
        }

    def refusal(self, *events: dict, pending: int) -> str:
        return kubernetes_pods._refusal(list(events), self.now, self.now - timedelta(seconds=pending))

    def test_both_words_once_karpenter_refused(self):
        scheduler = self.event("default-scheduler", "FailedScheduling", 20, "0/3 nodes")
        refused = self.event("karpenter", "FailedScheduling", 20, "did not tolerate taint")
        said = self.refusal(scheduler, refused, pending=20)
        assert said == "default-scheduler: 0/3 nodes; karpenter: did not tolerate taint"

    def test_patience(self):
        scheduler = self.event("default-scheduler", "FailedScheduling", 20)
        assert self.refusal(scheduler, pending=20) == ""  # Karpenter may still be starting
        assert self.refusal(scheduler, pending=40)
        assert self.refusal(scheduler, self.event("karpenter", "FailedScheduling", 5), pending=20) == ""

    def test_a_promised_node_is_waited_for(self):
        scheduler = self.event("default-scheduler", "FailedScheduling", 50)
        refused = self.event("karpenter", "FailedScheduling", 40)
        assert self.refusal(scheduler, refused, self.event("karpenter", "Nominated", 20), pending=50) == ""


class TestDrift:
    def test_no_drift_keeps_the_inputs_as_they_were_written(self):
        inputs = {"spec": {"cpu": "1000m"}}
        assert (
            as_it_is(inputs, {"spec": {"cpu": "1"}, "status": 1}, {"spec": {"cpu": "1"}, "status": 1})
            is inputs
        )

    def test_a_changed_field_shows_its_live_value(self):
        inputs = {"spec": {"replicas": 2, "cpu": "1000m", "list": [{"a": 1}]}}
        restored = {"spec": {"replicas": 2, "cpu": "1", "list": [{"a": 1}]}}
        live = {"spec": {"replicas": 5, "cpu": "1", "list": [{"a": 2}]}}
        changed = {"spec": {"replicas": 5, "cpu": "1000m", "list": [{"a": 2}]}}
        assert as_it_is(inputs, restored, live) == changed


class TestCharts:
    @pytest.fixture(autouse=True)
    def collected(self, monkeypatch, tmp_path: Path):
        monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))

    def test_every_module_is_pinned_with_its_hash(self):
        modules = {
            s["module"] for entry in kubernetes_crds.charts().values() for s in entry.get("modules", ())
        }
        pinned = (kubernetes_crds.MODULES / "go.mod").read_text()
        hashes = (kubernetes_crds.MODULES / "go.sum").read_text()
        for module in modules:
            version = re.search(rf"{module} (v\S+)", pinned)
            assert version, module
            assert f"{module} {version.group(1)} h1:" in hashes

    def test_entries_have_known_keys_only(self):
        for chart, entry in kubernetes_crds.charts().items():
            assert set(entry) <= {"includes", "modules", "open", "controller"}, chart
            assert set(entry.get("includes", ())) <= set(kubernetes_crds.charts()), chart
            assert entry.get("controller", "karpenter") in kubernetes_charts._CONTROLLERS, chart
            for group in entry.get("open", ()):
                assert set(group) <= {"group", "versions", "Namespaced", "Cluster"}, chart

    def test_an_open_definition_is_whole(self):
        definitions = {d["metadata"]["name"]: d for d in kubernetes_crds.definitions_of("kuberay-operator")}
        cluster = definitions["rayclusters.ray.io"]["spec"]
        assert cluster["names"] == {
            "kind": "RayCluster",
            "listKind": "RayClusterList",
            "plural": "rayclusters",
            "singular": "raycluster",
        }
        assert [(v["name"], v["storage"]) for v in cluster["versions"]] == [("v1", True), ("v1alpha1", False)]

    def test_no_definition_is_written_twice_in_a_chart(self):
        for chart, entry in kubernetes_crds.charts().items():
            if not entry.get("modules"):
                names = [d["metadata"]["name"] for d in kubernetes_crds.definitions_of(chart)]
                assert len(names) == len(set(names)), chart

    def test_a_chart_nobody_listed_brings_nothing(self):
        assert list(kubernetes_crds.definitions_of("some-chart")) == []

    def test_definitions_that_were_not_fetched_are_missed_by_name(self):
        with pytest.raises(kubernetes_crds.CrdsUnavailableError, match="chart kueue"):
            list(kubernetes_crds.definitions_of("kueue"))

    @pytest.mark.parametrize("chart", ["kueue", "nvidia/kueue", "oci://registry.k8s.io/kueue/charts/kueue"])
    def test_the_name_of_a_chart(self, chart):
        assert kubernetes_charts.chart_name({"chart": chart}) == "kueue"


class TestMachines:
    def test_a_node_has_what_the_catalogue_says_less_what_the_system_keeps(self):
        from infra.catalog.machines import machine

        shape = machine("ap-south-1", "p5.48xlarge")
        capacity, allocatable = nodes.capacity(shape), nodes.allocatable(shape)
        assert capacity["nvidia.com/gpu"] == allocatable["nvidia.com/gpu"] == "8"
        assert capacity["vpc.amazonaws.com/efa"] == "32"
        assert capacity["hugepages-2Mi"] == "42242Mi"
        assert capacity["cpu"] == "192"
        assert int(allocatable["cpu"].removesuffix("m")) < 192_000
        assert int(allocatable["memory"].removesuffix("Mi")) < int(capacity["memory"].removesuffix("Mi"))

    def test_karpenter_is_offered_each_zone_at_its_price_by_the_accounts_own_names(self):
        from infra.catalog.machines import machine

        shape = machine("ap-south-1", "g6.xlarge")
        offered = karpenter._instance_type(shape, {"aps1-az1": "ap-south-1a", "aps1-az3": "ap-south-1b"})
        prices = {tuple(r["values"][0] for r in o["Requirements"]): o["Price"] for o in offered["offerings"]}
        assert prices == {
            ("spot", "ap-south-1a"): shape.price("spot", ["aps1-az1"]),
            ("on-demand", "ap-south-1a"): shape.on_demand_usd,
            ("spot", "ap-south-1b"): shape.price("spot", ["aps1-az3"]),
            ("on-demand", "ap-south-1b"): shape.on_demand_usd,
        }

    @pytest.mark.parametrize(
        ("asked", "played"),
        [(["reserved", "spot"], ["spot"]), (["reserved"], ["on-demand"]), (["spot"], ["spot"])],
    )
    def test_nothing_is_reserved_here(self, asked, played):
        need = {"key": CAPACITY_TYPE_LABEL, "operator": "In", "values": asked}
        other = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["reserved"]}
        spec = karpenter.simulated({"template": {"spec": {"requirements": [need, other]}}})
        assert spec["template"]["spec"]["requirements"] == [{**need, "values": played}, other]

    def test_the_class_of_a_node_pool_is_the_only_other_thing_replaced(self):
        spec = {
            "weight": 1,
            "template": {"metadata": 2, "spec": {"nodeClassRef": {"name": "gpu"}, "taints": [3]}},
        }
        replaced = karpenter.simulated(spec)
        assert replaced["template"]["spec"] == {"nodeClassRef": karpenter.NODE_CLASS, "taints": [3]}
        assert (replaced["weight"], replaced["template"]["metadata"]) == (1, 2)
        assert spec["template"]["spec"]["nodeClassRef"] == {"name": "gpu"}
