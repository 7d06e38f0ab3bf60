"""ModelServer as the engine sees it."""

from dataclasses import replace

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.contracts import labels
from tests.infra.platform.gpu_cluster import SERVE, TRAIN, gpu_cluster
from workloads.serving.component import ModelServer
from workloads.serving.needs import NEEDS
from workloads.serving.pod import ModelServerArgs, drain_split

WEIGHTS = "s3://mumbai-models/qwen3-8b"


def server(**changes):
    args = {
        "cluster": gpu_cluster(SERVE, TRAIN),
        "pool": "serve",
        "model": "Qwen/Qwen3-8B",
        "replicas": 2,
        "weights": pulumi.Output.from_input(WEIGHTS),
    }
    return ModelServer("chat", ModelServerArgs(**args | changes))


@pytest.fixture(scope="module")
def made(deploy):
    return deploy(lambda: server().url)


@pytest.fixture(scope="module")
def pod(made):
    return made.one("v1:Deployment").inputs["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    (only,) = pod["containers"]
    return only


def environment(container):
    return {variable["name"]: variable["value"] for variable in container["env"]}


def deployment(made):
    return made.one("v1:Deployment").inputs["spec"]


def test_vllm_is_pinned_and_told_its_limits(container):
    assert container["image"] == "vllm/vllm-openai:v0.33.0"
    assert container["command"] == ["vllm", "serve"]
    assert container["args"][0] == WEIGHTS
    assert {
        "--served-model-name=Qwen/Qwen3-8B",
        "--tensor-parallel-size=1",
        "--gpu-memory-utilization=0.9",
        "--max-num-queued-reqs=64",
        "--load-format=runai_streamer",
    } <= set(container["args"])


def test_tensor_parallel_over_the_gpus_it_asks_for(deploy):
    made = deploy(lambda: server(pool="train", gpus=4, replicas=4, max_model_len=32768).url)
    (container,) = deployment(made)["template"]["spec"]["containers"]
    assert {"--tensor-parallel-size=4", "--max-model-len=32768"} <= set(container["args"])
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "4"


def test_each_answer_names_the_revision_where_there_is_one(deploy, container):
    made = deploy(lambda: server(revision="2026-11").url)
    (named,) = deployment(made)["template"]["spec"]["containers"]
    assert [word for word in named["args"] if word not in container["args"]] == [
        "--fingerprint-mode=custom",
        "--fingerprint-value=revision:2026-11",
    ]


def test_a_replica_answers_to_the_end_before_it_goes(pod, container):
    forget = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int(next(flag for flag in container["args"] if "shutdown-timeout" in flag).partition("=")[2])
    assert drain > 0
    assert forget + drain < pod["terminationGracePeriodSeconds"] == SERVE.grace_seconds


@given(st.integers(15, 600))
def test_whatever_the_grace_it_is_forgotten_drains_and_leaves(grace):
    forget, drain = drain_split(grace)
    assert 3 <= forget <= 10
    assert drain >= 10
    assert forget + drain < grace


def test_a_replica_leaves_within_the_grace_of_its_pool(deploy):
    made = deploy(lambda: server(cluster=gpu_cluster(replace(SERVE, grace_seconds=15))).url)
    pod = deployment(made)["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 15
    assert "--shutdown-timeout=10" in pod["containers"][0]["args"]
    assert pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == 3


def test_probes_leave_time_to_load(container):
    startup = container["startupProbe"]
    assert startup["failureThreshold"] * startup["periodSeconds"] >= 1800
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health", "port": "http"}


def test_nothing_is_reported_abroad_and_the_hub_is_off(container):
    values = environment(container)
    for name in ("VLLM_NO_USAGE_STATS", "DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE"):
        assert values[name] == "1"
    assert int(values["RUNAI_STREAMER_MEMORY_LIMIT"]) > 0


def test_weights_from_the_lake_need_no_internet_and_a_hub_model_says_that_it_does(deploy, made):
    (label,) = labels.INTERNET_EGRESS.items()
    assert label not in deployment(made)["template"]["metadata"]["labels"].items()
    from_hub = deploy(lambda: server(weights=None).url)
    assert label in deployment(from_hub)["template"]["metadata"]["labels"].items()
    (container,) = deployment(from_hub)["template"]["spec"]["containers"]
    assert container["args"][0] == "Qwen/Qwen3-8B"
    assert "HF_HUB_OFFLINE" not in environment(container)
    assert "--load-format=runai_streamer" not in container["args"]


def test_it_stands_on_its_pool_and_prefers_to_spread(pod):
    assert pod["nodeSelector"] == {"india-ai-infra/pool": "serve"}
    assert pod["tolerations"] == [dict(SERVE.tolerations[0])]
    assert [constraint["topologyKey"] for constraint in pod["topologySpreadConstraints"]] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert {constraint["whenUnsatisfiable"] for constraint in pod["topologySpreadConstraints"]} == {
        "ScheduleAnyway"
    }
    assert pod["priorityClassName"] == NEEDS.priority_class


def test_it_passes_pod_security_restricted(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False and pod["serviceAccountName"] == "serving"


def test_service_and_budget_pick_its_pods(made):
    labels = deployment(made)["template"]["metadata"]["labels"]
    service = made.one("v1:Service").inputs["spec"]
    assert service["type"] == "ClusterIP"
    assert service["selector"].items() <= labels.items()
    budget = made.one("v1:PodDisruptionBudget").inputs["spec"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    # A minimum would forbid the drain of a lone replica's node.
    assert budget["maxUnavailable"] == 1 and "minAvailable" not in budget
    assert made.result == "http://chat.serving.svc:8000/v1"


@pytest.mark.parametrize(
    ("purchase", "deployment_waits", "service_waits"),
    [
        (("spot", "on-demand"), None, None),
        (("spot",), {"pulumi.com/waitFor": "jsonpath={.metadata.uid}"}, {"pulumi.com/skipAwait": "true"}),
    ],
)
def test_an_update_waits_for_replicas_unless_nobody_knows_when_nodes_come(
    deploy, purchase, deployment_waits, service_waits
):
    made = deploy(lambda: server(cluster=gpu_cluster(replace(SERVE, purchase=purchase))).url)
    said = {
        kind: made.one(kind).inputs["metadata"].get("annotations") for kind in ("v1:Deployment", "v1:Service")
    }
    assert said == {"v1:Deployment": deployment_waits, "v1:Service": service_waits}


@pytest.mark.parametrize(("replicas", "surge", "unavailable"), [(3, 1, 0), (4, 0, 1)])
def test_a_full_pool_is_updated_in_place(deploy, replicas, surge, unavailable):
    made = deploy(lambda: server(replicas=replicas).url)
    rolling = deployment(made)["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": surge, "maxUnavailable": unavailable}


def test_it_goes_before_the_nodes_it_runs_on(made):
    nodes, cluster = made.one("cloud:Thing", "node-pool").urn, made.one("cloud:Thing", "mumbai").urn
    for kind in ("v1:Deployment", "v1:PodDisruptionBudget"):
        assert nodes in made.one(kind).depends_on
        assert not made.one(kind).deleted_with
    assert made.one("v1:Service").deleted_with == cluster


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gpus": 2}, ["'serve'", "2 GPUs", "1 x L4"]),
        ({"replicas": 5}, ["'serve'", "5 pods", "hold 4"]),
        ({"gpu_memory_utilization": 90}, ["gpu_memory_utilization", "90"]),
    ],
)
def test_what_fits_no_node_is_refused_before_anything_is_registered(deploy, changes, words):
    refusal = []

    def program():
        with pytest.raises(ValueError) as caught:
            server(**changes)
        refusal.append(str(caught.value))

    made = deploy(program)
    assert all(word in refusal[0] for word in words), refusal[0]
    assert not [found for found in made.resources if "ModelServer" in found.type or "apps" in found.type]
