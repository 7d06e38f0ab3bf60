"""The platform as the engine sees it: order, and the guards around workloads."""

import re
from dataclasses import replace

import pulumi
import pytest
import yaml

from infra.contracts.grants import KUBERNETES_GROUPS
from infra.gcp.fabric_pods import fabric_pod
from infra.platform import Platform, PlatformArgs
from infra.platform.charts import charts
from tests.infra.platform.gpu_cluster import PROFILES, SERVE, TRAIN, CloudThing, gpu_cluster
from tests.schemas import validate
from tests.workloads.registered import NEEDS, SERVICE_ACCOUNTS

WORKLOADS = tuple(each.namespace.name for each in NEEDS if each.namespace)


def platform(*pools, **changes):
    args = {
        "profile": PROFILES["aws"],
        "cluster": gpu_cluster(*pools, **changes),
        "cluster_name": pulumi.Output.from_input("mumbai-eks"),
        "https_cidrs": pulumi.Output.from_input(["10.0.0.0/16", "52.219.62.0/23"]),
        "workloads": NEEDS,
        "interruption_queue": pulumi.Output.from_input("mumbai-interruptions"),
        "controllers_depend_on": [CloudThing("system-nodes")],
    }
    return Platform("platform", PlatformArgs(**args))


@pytest.fixture(scope="module")
def made(deploy):
    return deploy(lambda: platform(SERVE, TRAIN).ready)


def release(made, name):
    return made.one("helm.sh/v3:Release", name).inputs


def test_everything_in_the_cluster_is_the_platforms_and_dies_with_the_cluster(made):
    cluster = made.one("cloud:Thing", "mumbai").urn
    component = made.one("platform:Platform")
    inside = [found for found in made.resources if found.type.startswith("kubernetes:")]
    assert len(inside) > 40
    for found in inside:
        assert found.deleted_with == cluster, found.name
        assert found.parent == component.urn, found.name
        assert "pulumi:providers:kubernetes::mumbai" in found.provider, found.name


def test_custom_resources_match_their_upstream_schemas(made):
    kinds = set()
    for found in made.resources:
        if found.type.startswith(("kubernetes:kueue", "kubernetes:monitoring")):
            validate(found.inputs)
            kinds.add(found.inputs["kind"])
    assert kinds == {"ResourceFlavor", "ClusterQueue", "LocalQueue", "PodMonitor", "PrometheusRule"}


def test_each_namespace_says_what_class_of_data_its_pods_handle(made):
    labels = {
        name: found.inputs["metadata"]["labels"] for name, found in made.of("core/v1:Namespace").items()
    }
    classes = {name.removesuffix("-namespace"): found["dpdp-data-class"] for name, found in labels.items()}
    assert {name for name, found in classes.items() if found == "personal"} == set(WORKLOADS)
    assert {classes[name] for name in classes.keys() - set(WORKLOADS)} == {"internal"}


def test_custom_resources_go_before_the_chart_that_controls_them(made):
    controllers = {"kueue.x-k8s.io": "kueue", "monitoring.coreos.com": "kube-prometheus-stack"}
    for found in made.resources:
        group = found.inputs.get("apiVersion", "").partition("/")[0]
        if group in controllers:
            assert made.one("Release", controllers[group]).urn in found.depends_on, found.name


def test_charts_are_pinned_awaited_and_leave_nothing_half_installed(made):
    table = charts()
    releases = made.of("helm.sh/v3:Release")
    assert set(releases) == set(table) - {"cilium", "dcgm-exporter"}, (
        "for nodes on premises; the GPU Operator's"
    )
    for name, found in releases.items():
        assert found.inputs["version"] == table[name].version
        assert found.inputs["namespace"] == table[name].namespace
        assert found.inputs["atomic"] and found.inputs["cleanupOnFail"] and not found.inputs["skipAwait"]
        assert made.one("cloud:Thing", "system-nodes").urn in found.depends_on


def test_a_release_waits_for_its_namespace(made):
    for name, found in made.of("helm.sh/v3:Release").items():
        namespace = charts()[name].namespace
        if namespace != "kube-system":
            assert made.one("v1:Namespace", f"{namespace}-namespace").urn in found.depends_on


def test_karpenter_hears_of_interruptions_and_waits_for_no_other_chart(made):
    values = release(made, "karpenter")["values"]
    assert values["settings"]["clusterName"] == "mumbai-eks"
    assert values["settings"]["interruptionQueue"] == "mumbai-interruptions"
    assert values["serviceAccount"]["name"] == "karpenter"
    others = {found.urn for name, found in made.of("Release").items() if name != "karpenter"}
    assert not others & made.one("Release", "karpenter").depends_on


def test_gpu_operator_leaves_to_the_image_what_the_image_has(made):
    values = release(made, "gpu-operator")["values"]
    assert values["driver"] == {"enabled": False}
    assert values["toolkit"] == {"enabled": False}
    assert values["devicePlugin"] == {"enabled": True}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in values["daemonsets"][
        "tolerations"
    ]
    # Its ServiceMonitors need Prometheus's definitions first.
    assert made.one("Release", "kube-prometheus-stack").urn in made.one("Release", "gpu-operator").depends_on


def test_efa_plugin_runs_on_efa_pools_only(made):
    values = release(made, "aws-efa-k8s-device-plugin")["values"]
    assert values["supportedInstanceLabels"] == {"keys": ["india-ai-infra/pool"], "values": ["train"]}


def test_no_efa_pool_no_efa_plugin(deploy):
    made = deploy(lambda: platform(SERVE).ready)
    assert "aws-efa-k8s-device-plugin" not in made.of("Release")


def test_kueue_never_gives_up_on_spot_and_counts_gpus_only(made):
    values = release(made, "kueue")["values"]
    configuration = yaml.safe_load(values["managerConfig"]["controllerManagerConfigYaml"])
    assert "backoffLimitCount" not in configuration["waitForPodsReady"]["requeuingStrategy"]
    assert "enable" not in configuration["waitForPodsReady"]
    excluded = tuple(configuration["resources"]["excludeResourcePrefixes"])
    for pool in (SERVE, TRAIN):
        counted = [name for name in ("cpu", "memory", *pool.limits) if not name.startswith(excluded)]
        assert counted == ["nvidia.com/gpu"]
    selector = configuration["managedJobsNamespaceSelector"]["matchLabels"]
    managed = {
        name
        for name, found in made.of("v1:Namespace").items()
        if selector.items() <= found.inputs["metadata"]["labels"].items()
    }
    assert managed == {f"{name}-namespace" for name in WORKLOADS}


def test_queue_has_the_gpus_of_every_pool(made):
    queue = made.one("ClusterQueue", "clusterqueue-gpus").inputs["spec"]
    (group,) = queue["resourceGroups"]
    quotas = {flavor["name"]: flavor["resources"][0]["nominalQuota"] for flavor in group["flavors"]}
    assert quotas == {"serve": 4, "train": 16}
    flavor = made.one("ResourceFlavor", "resourceflavor-train").inputs["spec"]
    assert flavor["nodeLabels"] == {"india-ai-infra/pool": "train"}
    assert {found.inputs["metadata"]["namespace"] for found in made.of("LocalQueue").values()} == set(
        WORKLOADS
    )


def test_no_pools_no_queues(deploy):
    made = deploy(lambda: platform().ready)
    assert not made.of("ClusterQueue") and not made.of("LocalQueue")
    assert (
        made.one("v1:ResourceQuota", "training-quota").inputs["spec"]["hard"]["requests.nvidia.com/gpu"]
        == "0"
    )


def test_pod_security_is_enforced_everywhere_and_restricted_for_workloads(made):
    levels = {
        found.inputs["metadata"]["name"]: found.inputs["metadata"]["labels"][
            "pod-security.kubernetes.io/enforce"
        ]
        for found in made.of("v1:Namespace").values()
    }
    assert {name: levels[name] for name in WORKLOADS} == dict.fromkeys(WORKLOADS, "restricted")
    assert levels["gpu-operator"] == "privileged"


def test_workload_namespaces_open_nothing_to_the_outside(made):
    for name in WORKLOADS:
        hard = made.one("v1:ResourceQuota", f"{name}-quota").inputs["spec"]["hard"]
        assert hard["services.loadbalancers"] == hard["services.nodeports"] == "0"
        assert hard["requests.nvidia.com/gpu"] == "20"
        limits = made.one("v1:LimitRange", f"{name}-limits").inputs["spec"]["limits"]
        assert all(set(limit) == {"type", "defaultRequest"} for limit in limits)


def test_service_accounts_are_those_of_the_pod_identity_associations(made):
    accounts = {
        (found.inputs["metadata"]["namespace"], found.inputs["metadata"]["name"])
        for found in made.of("v1:ServiceAccount").values()
    }
    assert accounts == {(account.namespace, account.name) for account in SERVICE_ACCOUNTS.values()}


@pytest.mark.parametrize("namespace", WORKLOADS)
def test_traffic_is_denied_unless_named(made, namespace):
    deny = made.one("v1:NetworkPolicy", f"{namespace}-default-deny").inputs["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    egress = made.one("v1:NetworkPolicy", f"{namespace}-allow-egress").inputs["spec"]["egress"]
    blocks = {
        peer["ipBlock"]["cidr"]: [port["port"] for port in rule["ports"]]
        for rule in egress
        for peer in rule["to"]
        if "ipBlock" in peer
    }
    assert blocks == {"10.0.0.0/16": [443], "52.219.62.0/23": [443], "169.254.170.23/32": [80]}
    dns = next(rule for rule in egress if any(port["port"] == 53 for port in rule.get("ports", [])))
    assert {port["protocol"] for port in dns["ports"]} == {"UDP", "TCP"}


def test_the_internet_is_open_only_to_serving_pods_that_say_so(made):
    open_to_all = {
        found.name: found.inputs["spec"]["podSelector"].get("matchLabels")
        for found in made.of("v1:NetworkPolicy").values()
        if "0.0.0.0/0" in str(found.inputs["spec"])
    }
    assert open_to_all == {"serving-allow-internet": {"india-ai-infra/egress": "internet"}}


def test_nobody_gets_everything_secrets_or_a_shell(made):
    for found in made.of("v1:ClusterRole").values():
        for rule in found.inputs["rules"]:
            given = {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}
            assert not given & {"*", "secrets", "pods/exec", "pods/attach", "escalate", "bind", "impersonate"}


def test_auditors_read_and_never_write(made):
    rules = made.one("v1:ClusterRole", "audit-role").inputs["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    covered = {resource for rule in rules for resource in rule["resources"]}
    assert covered >= {"networkpolicies", "clusterrolebindings", "nodes", "pods"}


def test_every_group_of_the_access_entries_has_rights_and_every_right_a_group(made):
    bindings = [*made.of("v1:ClusterRoleBinding").values(), *made.of("v1:RoleBinding").values()]
    groups = {subject["name"] for found in bindings for subject in found.inputs["subjects"]}
    assert groups == set(KUBERNETES_GROUPS.values())
    roles = {found.inputs["metadata"]["name"] for found in made.of("v1:ClusterRole").values()}
    assert {found.inputs["roleRef"]["name"] for found in bindings} == roles


def test_serving_outranks_training_which_evicts_nobody(made):
    serving = made.one("PriorityClass", "serving-priority").inputs
    training = made.one("PriorityClass", "training-priority").inputs
    assert serving["value"] > training["value"]
    assert training["preemptionPolicy"] == "Never"


def test_alerts_name_metrics_that_exist(made):
    rules = made.one("PrometheusRule", "prometheusrule-gpu-platform").inputs["spec"]["groups"]
    expressions = " ".join(rule["expr"] for group in rules for rule in group["rules"])
    for metric in (
        "DCGM_FI_DEV_XID_ERRORS",
        "vllm:time_to_first_token_seconds_bucket",
        "vllm:num_requests_waiting_by_reason",
        "kueue_evicted_workloads_total",
    ):
        assert metric in expressions
    for removed in ("gpu_cache_usage_perc", "time_per_output_token"):
        assert removed not in expressions


def test_every_alert_on_gpus_has_a_counter_on_either_cloud(made, google):
    operator = release(made, "gpu-operator")["values"]["dcgmExporter"]["config"]
    assert operator["create"] and operator["name"]
    exporter = release(google, "dcgm-exporter")["values"]
    for recorded, counters in ((made, operator["data"]), (google, exporter["customMetrics"])):
        counted = {line.split(",")[0] for line in counters.splitlines() if not line.startswith("#")}
        groups = recorded.one("PrometheusRule", "prometheusrule-gpu-platform").inputs["spec"]["groups"]
        (gpus,) = [group for group in groups if group["name"] == "gpus"]
        asked = {name for rule in gpus["rules"] for name in re.findall(r"DCGM_\w+", rule["expr"])}
        assert {"XID_ERRORS", "ECC_DBE_VOL_TOTAL", "THERMAL_VIOLATION"} <= {
            name.removeprefix("DCGM_FI_DEV_") for name in asked
        }
        assert asked <= counted


def test_googles_exporter_is_left_its_profiling_and_ours_sees_gpus_of_any_pod(google):
    values = release(google, "dcgm-exporter")["values"]
    assert "DCGM_FI_PROF" not in values["customMetrics"]
    assert values["securityContext"] == {"privileged": True}
    assert made_privileged(google, "monitoring")
    assert (
        google.one("Release", "kube-prometheus-stack").urn
        in google.one("Release", "dcgm-exporter").depends_on
    )


def made_privileged(recorded, namespace):
    labels = recorded.one("v1:Namespace", f"{namespace}-namespace").inputs["metadata"]["labels"]
    return labels["pod-security.kubernetes.io/enforce"] == "privileged"


def test_workloads_are_restricted_by_pod_security_unless_a_fabric_has_a_daemon(deploy, google):
    assert not google.of("ValidatingAdmissionPolicy")
    assert not any(made_privileged(google, name) for name in WORKLOADS)

    def program():
        pools = [
            replace(TRAIN, name=kind, fabric=kind, fabric_pod=fabric_pod(kind, kind))
            for kind in ("rdma", "tcpx")
        ]
        given = PlatformArgs(
            PROFILES["gcp"], gpu_cluster(*pools, **GOOGLE), "mumbai-gke", ["10.64.0.0/20"], NEEDS
        )
        return Platform("platform", given).ready

    made = deploy(program)
    policy = made.one("ValidatingAdmissionPolicy")
    binding = made.one("ValidatingAdmissionPolicyBinding").inputs["spec"]
    assert binding["validationActions"] == ["Deny"]
    assert policy.inputs["spec"]["failurePolicy"] == "Fail"
    selector = binding["matchResources"]["namespaceSelector"]["matchLabels"]
    for name in WORKLOADS:
        namespace = made.one("v1:Namespace", f"{name}-namespace")
        assert made_privileged(made, name)
        assert selector.items() <= namespace.inputs["metadata"]["labels"].items()
        assert {policy.urn, made.one("ValidatingAdmissionPolicyBinding").urn} <= namespace.depends_on


GOOGLE = {"cloud": "gcp", "region": "asia-south1"}


@pytest.fixture(scope="module")
def google(deploy):
    def program():
        given = PlatformArgs(
            profile=PROFILES["gcp"],
            cluster=gpu_cluster(SERVE, **GOOGLE),
            cluster_name="mumbai-gke",
            https_cidrs=["10.64.0.0/20", "199.36.153.8/30"],
            workloads=NEEDS,
            people={"ml-engineers": ["group:ml@example.in", "user:lead@example.in"], "auditors": []},
            controllers_depend_on=[CloudThing("system-nodes")],
        )
        return Platform("platform", given).ready

    return deploy(program)


def test_gke_brings_driver_device_plugin_and_autoscaler_itself(google):
    assert set(google.of("Release")) == {
        "kube-prometheus-stack",
        "keda",
        "kueue",
        "dcgm-exporter",
        "opencost",
    }
    assert "gpu-operator-namespace" not in google.of("v1:Namespace")
    monitors = {f"podmonitor-{monitor.name}" for each in NEEDS for monitor in each.monitors}
    assert set(google.of("PodMonitor")) == monitors


def test_what_gke_makes_of_custom_resources_matches_their_schemas_too(google):
    found = [r for r in google.resources if r.type.startswith(("kubernetes:kueue", "kubernetes:monitoring"))]
    assert len(found) == 12
    for resource in found:
        validate(resource.inputs)


def test_on_gke_pods_reach_the_metadata_server_and_the_cache_of_names(google):
    egress = google.one("v1:NetworkPolicy", "training-allow-egress").inputs["spec"]["egress"]
    blocks = {
        peer["ipBlock"]["cidr"]: [port["port"] for port in rule["ports"]]
        for rule in egress
        for peer in rule["to"]
        if "ipBlock" in peer
    }
    assert blocks == {
        "10.64.0.0/20": [443],
        "199.36.153.8/30": [443],
        "169.254.169.254/32": [80],
        "169.254.169.252/32": [988],
    }
    dns = next(rule for rule in egress if any(port["port"] == 53 for port in rule.get("ports", [])))
    assert {peer["podSelector"]["matchLabels"]["k8s-app"] for peer in dns["to"]} == {
        "kube-dns",
        "node-local-dns",
    }


def test_on_gke_groups_are_addresses_and_a_group_of_nobody_stays_a_name(google):
    def subjects(kind, name):
        return [(said["kind"], said["name"]) for said in google.one(kind, name).inputs["subjects"]]

    assert subjects("v1:RoleBinding", "training-train-ml-engineers") == [
        ("Group", "ml@example.in"),
        ("User", "lead@example.in"),
    ]
    assert subjects("v1:ClusterRoleBinding", "audit-auditors") == [("Group", "auditors")]


def test_on_gke_kueue_does_not_wait_for_the_networks_of_a_fabric(google):
    values = release(google, "kueue")["values"]
    configuration = yaml.safe_load(values["managerConfig"]["controllerManagerConfigYaml"])
    assert "networking.gke.io.networks/" in configuration["resources"]["excludeResourcePrefixes"]
