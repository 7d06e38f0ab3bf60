"""Replicas that stay when spot is taken back: their Deployment, who counts them, and what the settings refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from infra.pricing import node_counts
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.errors import Problem
from infra.settings.stack import Usage
from infra.settings.valid_parts import parts_of
from infra.settings.workloads.scaling import OnDemandFloor, Scale
from infra.settings.workloads.serving import Serving
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from tests.infra.platform.test_rules import promtool, run  # noqa: F401
from workloads.serving import scaling
from workloads.serving.check_floor import FLOOR, check_floor
from workloads.serving.check_scale import check_scale
from workloads.serving.component import ModelServer
from workloads.serving.pod import Floor, ModelServerArgs

MODEL = "Qwen/Qwen3-8B"
STEADY = replace(
    SERVE,
    name="steady",
    purchase=("on-demand",),
    node_selector={"india-ai-infra/pool": "steady"},
    grace_seconds=100,
)


def deployed(deploy: Any, floor: int = 1, **scale: Any) -> Any:
    settings = Serving(
        name="chat",
        pool="serve",
        model=MODEL,
        replicas=3,
        on_demand_floor=OnDemandFloor(pool="steady", replicas=floor),
        scale=Scale(**scale) if scale else None,
    )

    def program() -> pulumi.Output[str]:
        cluster = gpu_cluster(SERVE, STEADY)
        args = ModelServerArgs(
            cluster=cluster,
            pool="serve",
            model=MODEL,
            replicas=scaling.first_replicas(settings),
            floor=Floor("steady", floor),
            adapters={"support": "s3://models/support"},
        )
        server = ModelServer("chat", args, scaling.options(settings))
        scaling.create(settings, cluster, server)
        return server.url

    return deploy(program)


def deployments(made: Any) -> dict[str, Any]:
    return {found.name: found.inputs["spec"] for found in made.of("v1:Deployment").values()}


def labels(spec: dict[str, Any]) -> dict[str, str]:
    return spec["template"]["metadata"]["labels"]


def test_the_floor_is_on_its_own_pool_and_the_rest_on_the_first(deploy: Any) -> None:
    found = deployments(deployed(deploy))
    assert {name: spec["replicas"] for name, spec in found.items()} == {"chat": 2, "chat-on-demand": 1}
    pods = {name: spec["template"]["spec"] for name, spec in found.items()}
    assert {name: pod["nodeSelector"]["india-ai-infra/pool"] for name, pod in pods.items()} == {
        "chat": "serve",
        "chat-on-demand": "steady",
    }
    assert pods["chat-on-demand"]["terminationGracePeriodSeconds"] == STEADY.grace_seconds
    same = [{**pod["containers"][0], "args": None, "lifecycle": None} for pod in pods.values()]
    assert same[0] == same[1], "one model server: but for the grace of its pool"


def test_one_service_and_one_budget_have_both_and_each_deployment_its_own(deploy: Any) -> None:
    made = deployed(deploy)
    found = deployments(made)
    service = made.one("v1:Service").inputs["spec"]["selector"]
    budget = made.one("v1:PodDisruptionBudget").inputs["spec"]["selector"]["matchLabels"]
    for name, spec in found.items():
        assert service.items() <= labels(spec).items() and budget.items() <= labels(spec).items()
        for other, its in found.items():
            selects = its["selector"]["matchLabels"].items() <= labels(spec).items()
            assert selects == (name == other), "no Deployment takes the other's pods"
        for spread in spec["template"]["spec"]["topologySpreadConstraints"]:
            assert spread["labelSelector"]["matchLabels"] == service
    urns = {made.one("v1:Deployment", name).urn for name in found}
    assert urns <= set(made.one("v1:Service").depends_on)


def test_an_update_waits_for_the_floor_though_nobody_knows_when_spot_comes(deploy: Any) -> None:
    waits = {
        found.name: found.inputs["metadata"].get("annotations")
        for found in deployed(deploy).of("v1:Deployment").values()
    }
    assert waits == {"chat": {"pulumi.com/waitFor": "jsonpath={.metadata.uid}"}, "chat-on-demand": None}


def test_a_month_counts_the_nodes_of_each_pool(deploy: Any) -> None:
    made = [
        Resource(found.type, found.urn, found.inputs)
        for found in deployed(deploy).of("v1:Deployment").values()
    ]
    graph = ResourceGraph(made, Usage())
    assert {name: node_counts.asked(graph, name, 1) for name in ("serve", "steady")} == {
        "serve": 2,
        "steady": 1,
    }


def test_without_it_the_server_is_what_it_was(deploy: Any) -> None:
    """Labels that stand: a selector that changes would replace the Deployment."""
    made = deploy(lambda: ModelServer("chat", ModelServerArgs(gpu_cluster(SERVE), "serve", MODEL)).url)
    (spec,) = deployments(made).values()
    own = {"app.kubernetes.io/name": "model-server", "app.kubernetes.io/instance": "chat"}
    assert spec["selector"]["matchLabels"] == made.one("v1:Service").inputs["spec"]["selector"] == own
    assert own.items() <= labels(spec).items() and "app.kubernetes.io/part-of" not in labels(spec)
    with_floor = deployments(deployed(deploy))["chat"]
    assert with_floor["selector"] == spec["selector"]


def test_a_floor_that_its_pool_cannot_hold_is_refused_before_anything_is_registered(deploy: Any) -> None:
    refused = []

    def program() -> None:
        with pytest.raises(ValueError) as caught:
            args = ModelServerArgs(gpu_cluster(SERVE, STEADY), "serve", MODEL, floor=Floor("steady", 5))
            ModelServer("chat", args)
        refused.append(str(caught.value))

    made = deploy(program)
    assert "'steady': 5 pods" in refused[0]
    assert not made.of("ModelServer")


def test_keda_has_the_replicas_above_the_floor(deploy: Any) -> None:
    made = deployed(deploy, floor=2, minimum=2, maximum=5, queue=10, kvCache=0.5)
    spec = made.one("ScaledObject").inputs["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 3)
    assert spec["scaleTargetRef"] == {"name": "chat"}
    found = {name: made.one("v1:Deployment", name) for name in ("chat", "chat-on-demand")}
    assert {name: each.inputs["spec"]["replicas"] for name, each in found.items()} == {
        "chat": 1,
        "chat-on-demand": 2,
    }
    assert {name: each.ignore_changes for name, each in found.items()} == {
        "chat": ("spec.replicas",),
        "chat-on-demand": (),
    }
    assert {trigger["metadata"]["ignoreNullValues"] for trigger in spec["triggers"]} == {"false"}


LOADS = ((5, 0), (20, 0), (21, 1), (60, 40))


@pytest.mark.slow
def test_what_the_floor_may_have_of_the_load_is_not_counted(promtool: Path, tmp_path: Path) -> None:  # noqa: F811
    """Two on the floor with ten requests each that wait: the rest is for others. promtool counts."""
    (queue, _) = scaling.triggers("chat", Scale(minimum=2, maximum=5, queue=10), floor=2)
    cases = [
        {
            "interval": "1m",
            "input_series": [
                {"series": _waiting("chat", "a"), "values": f"{waiting - 4}"},
                {"series": _waiting("chat-on-demand", "b"), "values": "4"},
                {"series": _waiting("other", "c"), "values": "900"},
            ],
            "promql_expr_test": [
                {
                    "expr": queue["metadata"]["query"],
                    "eval_time": "0m",
                    "exp_samples": [{"labels": "{}", "value": above}],
                }
            ],
        }
        for waiting, above in LOADS
    ]
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": cases}))
    assert "SUCCESS" in run(promtool, "test", "rules", file)


def _waiting(server: str, pod: str) -> str:
    names = f'namespace="serving",app_kubernetes_io_instance="{server}",pod="{pod}"'
    return f"vllm:num_requests_waiting{{{names}}}"


def pool(name: str, purchase: Any, **changes: Any) -> dict[str, Any]:
    return {"name": name, "gpu": "L4", "purchase": purchase, "maxNodes": 2, **changes}


POOLS = (
    pool("serve", "spot", maxNodes=4),
    pool("chain", ["spot", "on-demand"]),
    pool("steady", "on-demand"),
    pool("large", "on-demand", gpu="L40S"),
    pool("shared", "on-demand", sharing={"mode": "time-slicing", "parts": 2}),
)


def settings(replicas: int = 3, serving: str = "serve", **changes: Any) -> dict[str, Any]:
    asked = {
        "pool": serving,
        "model": MODEL,
        "replicas": replicas,
        "onDemandFloor": {"pool": "steady", "replicas": 1},
        **changes,
    }
    if "scale" in changes:
        del asked["replicas"]
    there = {"name": "hall", "gpu": "L4", "nodes": 2}
    return {
        "aws": {"region": "ap-south-1", "cluster": {"pools": list(POOLS)}},
        "gcp": {"region": "asia-south1", "cluster": {"pools": [pool("elsewhere", "on-demand")]}},
        "onPremises": {"pools": [there]},
        "workloads": {"serving": asked},
    }


def found(**changes: Any) -> dict[str, Problem]:
    parts = parts_of(settings(**changes))
    return {problem.path: problem for problem in (*check_floor(parts), *check_scale(parts))}


def floor(replicas: int = 1, of: str = "steady") -> dict[str, Any]:
    return {"onDemandFloor": {"pool": of, "replicas": replicas}}


@pytest.mark.parametrize(
    ("changes", "path", "words", "near"),
    [
        (floor(of="chain"), f"{FLOOR}.pool", "bought as on-demand or reserved alone: steady", "chain"),
        (floor(of="stedy"), f"{FLOOR}.pool", "beside serve with its GPUs (L4)", "steady"),
        (floor(of="large"), f"{FLOOR}.pool", "steady", None),
        (floor(of="shared"), f"{FLOOR}.pool", "steady", "steady"),
        (floor(of="elsewhere"), f"{FLOOR}.pool", "steady", None),
        (floor(3), f"{FLOOR}.replicas", "fewer than the server's replicas, 3", "2"),
        ({**floor(3), "replicas": 4}, f"{FLOOR}.replicas", "pool steady holds: 2", "2"),
        ({"replicas": 1}, f"{FLOOR}.replicas", "fewer than the server's replicas, 1", None),
        ({"serving": "large"}, FLOOR, "bought as on-demand, and nobody takes it back", None),
        ({"serving": "hall"}, FLOOR, "on premises", None),
        (
            {"scale": {"minimum": 1, "maximum": 4}, **floor(2)},
            "workloads.serving.scale.minimum",
            "no fewer than the 2 of onDemandFloor",
            "2",
        ),
        (
            {"scale": {"minimum": 2, "maximum": 9}, **floor(2)},
            "workloads.serving.scale.maximum",
            "holds beside the 2 on demand: 6 of 1 GPUs",
            "6",
        ),
    ],
)
def test_what_is_no_floor_is_refused(
    changes: dict[str, Any], path: str, words: str, near: str | None
) -> None:
    problems = found(**changes)
    assert problems.keys() == {path}
    assert words in problems[path].allowed
    if near != "chain":
        assert problems[path].nearest == near


@pytest.mark.parametrize(
    "changes", [{}, {"serving": "chain"}, {"scale": {"minimum": 1, "maximum": 5}}, {"serving": "nowhere"}]
)
def test_what_is_one_is_not(changes: dict[str, Any]) -> None:
    assert found(**changes) == {}
