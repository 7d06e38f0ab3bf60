"""Replicas by load: what KEDA is given, what Pulumi leaves to it, and what the settings refuse."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra.contracts.cluster import Pool
from infra.platform.monitoring import metric_names
from infra.settings.errors import Problem
from infra.settings.valid_parts import Parts, parts_of
from infra.settings.workloads.scaling import MOST_WAITING, Scale
from infra.settings.workloads.serving import Serving
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from tests.infra.platform.test_rules import promtool, run  # noqa: F401
from tests.infra.settings.test_workloads import problems, stack
from tests.schemas import validate
from tests.workloads.serving.engine_metrics import exported
from workloads.serving import scaling
from workloads.serving.check_scale import GATEWAY, check_scale
from workloads.serving.cold_start import cold_start, parts
from workloads.serving.component import ModelServer
from workloads.serving.pod import ModelServerArgs

MODEL = "Qwen/Qwen3-8B"
ON_DEMAND = replace(SERVE, purchase=("on-demand",))


def deployed(deploy: Any, pool: Pool = ON_DEMAND, **scale: Any) -> Any:
    settings = Serving(name="chat", pool="serve", model=MODEL, scale=Scale(**scale) if scale else None)

    def program() -> pulumi.Output[str]:
        cluster = gpu_cluster(pool)
        replicas = scaling.first_replicas(settings)
        args = ModelServerArgs(cluster=cluster, pool="serve", model=MODEL, replicas=replicas)
        server = ModelServer("chat", args, scaling.options(settings))
        scaling.create(settings, cluster, server)
        return server.url

    return deploy(program)


def scaled_object(made: Any) -> dict[str, Any]:
    inputs = made.one("ScaledObject").inputs
    validate(inputs)
    return inputs["spec"]


def test_keda_is_told_which_deployment_and_between_what(deploy: Any) -> None:
    made = deployed(deploy, minimum=2, maximum=4, cooldownMinutes=10)
    spec = scaled_object(made)
    deployment = made.one("v1:Deployment")
    assert spec["scaleTargetRef"] == {"name": deployment.inputs["metadata"]["name"]}
    assert (
        made.one("ScaledObject").inputs["metadata"]["namespace"] == deployment.inputs["metadata"]["namespace"]
    )
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 4)
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] == spec["cooldownPeriod"] == 600
    # The next pod goes when the one before has had its grace.
    assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": SERVE.grace_seconds}]


def test_replicas_are_kedas_and_everything_else_is_not(deploy: Any) -> None:
    assert deployed(deploy, maximum=4).one("v1:Deployment").ignore_changes == ("spec.replicas",)
    fixed = deployed(deploy)
    assert fixed.one("v1:Deployment").ignore_changes == ()
    assert not fixed.of("ScaledObject")


@pytest.mark.parametrize(
    ("minimum", "deployment_waits", "service_waits"),
    [
        (1, None, None),
        (0, {"pulumi.com/waitFor": "jsonpath={.metadata.uid}"}, {"pulumi.com/skipAwait": "true"}),
    ],
)
def test_an_update_waits_for_no_replica_where_there_may_be_none(
    deploy: Any, minimum: int, deployment_waits: Any, service_waits: Any
) -> None:
    made = deployed(deploy, minimum=minimum, maximum=4)
    for kind, waits in (("v1:Deployment", deployment_waits), ("v1:Service", service_waits)):
        assert made.one(kind).inputs["metadata"].get("annotations") == waits
    assert made.one("v1:Deployment").inputs["spec"]["replicas"] == 1


@pytest.mark.parametrize(("scale", "replicas"), [(None, 2), ((0, 4), 1), ((1, 4), 1), ((3, 4), 3)])
def test_the_first_update_starts_the_fewest_and_at_least_one(
    scale: tuple[int, int] | None, replicas: int
) -> None:
    given = Scale(minimum=scale[0], maximum=scale[1]) if scale else None
    assert scaling.first_replicas(Serving(pool="a", model=MODEL, replicas=2, scale=given)) == replicas


@given(st.integers(0, 3), st.integers(1, MOST_WAITING), st.floats(0.01, 1))
def test_each_trigger_asks_for_what_the_engine_exports(minimum: int, queue: int, kv_cache: float) -> None:
    scale = Scale(minimum=minimum, maximum=4, queue=queue, kv_cache=kv_cache)
    triggers = {trigger["name"]: trigger for trigger in scaling.triggers("chat", scale)}
    assert triggers.keys() == {"queue", "kv-cache"} | ({"asked"} if minimum == 0 else set())
    for name in ("queue", "kv-cache"):
        asked = triggers[name]["metadata"]
        (metric,) = metric_names(asked["query"])
        assert metric in exported()
        assert float(asked["threshold"]) == pytest.approx({"queue": queue, "kv-cache": kv_cache}[name], 1e-4)
        # No replica is no fault at zero; with one the silence of the engine is, and replicas stay as they are.
        assert asked["ignoreNullValues"] == ("true" if minimum == 0 else "false")
    # KEDA falls back for averages alone.
    assert {trigger["metricType"] for trigger in triggers.values()} == {"AverageValue"}


def test_a_queue_longer_than_a_server_takes_is_refused() -> None:
    assert ModelServerArgs(cluster=None, pool="p", model="m").max_queued_requests > MOST_WAITING  # type: ignore[arg-type]
    assert problems(stack(serving=serving(scale={"maximum": 2, "queue": MOST_WAITING + 1}))).keys() == {
        "workloads.serving.scale.queue"
    }


def serving(**changes: Any) -> dict[str, Any]:
    return {"pool": "a", "model": MODEL, **changes}


def found(*, gateway: bool = False, **changes: Any) -> dict[str, Problem]:
    read = parts_of(stack(serving=serving(**changes)))
    if gateway:
        read = replace(read, workloads={**read.workloads, GATEWAY: read.workloads["workloads.serving"]})
    return {problem.path.removeprefix("workloads.serving."): problem for problem in check_scale(read)}


@pytest.mark.parametrize(
    ("changes", "path", "words", "nearest"),
    [
        ({"scale": {"maximum": 3}}, "scale.maximum", "pool a holds: 2 of 1 GPUs", "2"),
        (
            {"scale": {"maximum": 2}, "replicas": 1},
            "replicas",
            "beside scale: it says how many, 1 to 2",
            None,
        ),
        ({"scale": {"minimum": 0, "maximum": 2}}, "scale.minimum", "without workloads.gateway", "1"),
        ({"scale": {"maximum": 2}, "engine": "sglang"}, "scale", "metrics of vLLM", "engine: vllm"),
        (
            {"scale": {"minimum": 0, "maximum": 2, "cooldownMinutes": 5}, "gateway": True},
            "scale.cooldownMinutes",
            "6 to 15 minutes (16.4 GB)",
            "15",
        ),
    ],
)
def test_what_cannot_scale_is_refused_before_anything_is_made(
    changes: dict[str, Any], path: str, words: str, nearest: str | None
) -> None:
    problems = found(**changes)
    assert problems.keys() == {path}
    assert words in problems[path].allowed and problems[path].nearest == nearest


def test_a_minimum_above_the_maximum_is_refused() -> None:
    assert problems(stack(serving=serving(scale={"minimum": 3, "maximum": 2}))) == {
        "workloads.serving.scale.maximum": "3"
    }


@pytest.mark.parametrize("changes", [{}, {"scale": {"maximum": 2}}])
def test_what_can_is_not(changes: dict[str, Any]) -> None:
    assert found(**changes) == {}
    assert found(gateway=True, scale={"minimum": 0, "maximum": 2}) == {}
    assert check_scale(Parts(clouds=(), pool_names=(), workloads={})) == []


def test_the_cold_start_is_the_sum_of_its_parts_and_grows_with_the_model() -> None:
    assert {part.per for part in parts()} == {"start", "GB"}
    assert all(0 <= part.low_seconds < part.high_seconds for part in parts())
    small = cold_start(Serving(pool="a", model=MODEL))
    large = cold_start(Serving(pool="a", model="Qwen/Qwen3-32B"))
    assert small.weights_gb and large.weights_gb
    assert small.weights_gb == pytest.approx(16.4, abs=0.1)
    more = large.weights_gb - small.weights_gb
    assert large.high_seconds - small.high_seconds == pytest.approx(1.88 * more)
    unknown = cold_start(Serving(pool="a", model="nobody/knows"))
    assert unknown.weights_gb is None and "left out" in str(unknown)
    assert unknown.high_seconds < small.high_seconds


ASKED_TESTS = (
    # Minute of the look, the series, and the answer: a gateway's first request begins a series.
    ("the first request of a gateway", 3, {"a": "_ _ 1 1"}, [1]),
    ("nobody asked", 3, {}, []),
    ("asked long ago", 20, {"a": "1x30"}, []),
    ("asked again", 20, {"a": "1x18 2x10"}, [1]),
    ("many, at two gateways", 20, {"a": "1x18 90x10", "b": "5x18 7x10"}, [1]),
    ("a gateway that began anew", 20, {"a": "9x10", "b": "_x18 1x10"}, [1]),
)


@pytest.mark.slow
def test_a_request_that_met_no_replica_wakes_one_and_no_more(promtool: Path, tmp_path: Path) -> None:  # noqa: F811
    cases = [
        {
            "name": name,
            "interval": "1m",
            "input_series": [
                {
                    "series": f'smg_router_request_errors_total{{error_type="no_workers",model="other",pod="{pod}"}}',
                    "values": values,
                }
                for pod, values in series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": scaling.asked(),
                    "eval_time": f"{minute}m",
                    "exp_samples": [{"labels": "{}", "value": value} for value in expected],
                }
            ],
        }
        for name, minute, series, expected in ASKED_TESTS
    ]
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": cases}))
    assert "SUCCESS" in run(promtool, "test", "rules", file)
    cases[0]["promql_expr_test"][0]["exp_samples"] = []
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": cases}))
    broken = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert broken.returncode != 0, "promtool looks at the answers"


def test_the_page_has_the_table_of_the_cold_start() -> None:
    page = (Path(__file__).parents[3] / "docs/scaling.md").read_text()
    for part in parts():
        each = ", each GB" if part.per == "GB" else ""
        row = f"| {part.part}{each} | {part.low_seconds:g} to {part.high_seconds:g} | {part.basis} |"
        assert row in page
    start = cold_start(Serving(pool="a", model=MODEL))
    assert f"{start.low_seconds / 60:.0f} to {start.high_seconds / 60:.0f} minutes" in page
    assert f"({start.weights_gb:.1f} GB)" in page
