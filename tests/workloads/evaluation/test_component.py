"""The gate as the engine sees it: it judges the very pod that would be rolled out, and the server waits for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.workloads.evaluation import EvaluationRules
from tests.program import whole_stacks
from workloads.evaluation.build import check_gate
from workloads.evaluation.needs import NEEDS, VERDICTS
from workloads.evaluation.package import files
from workloads.evaluation.programs.job import Gate, Rules

SERVING = {"pool": "serve", "model": "Qwen/Qwen3-0.6B", "weights": "{models}/released/qwen3"}
ASKED = {
    "image": "registry.example/evaluation:1",
    "goldenSet": "{curated}/golden/support",
    "digest": "a" * 64,
    "rules": {"margin": 0.02, "minSlice": 0.8},
    "judge": {"url": "http://judge.serving.svc:8000", "model": "judge"},
    "signingSecret": "evaluation-key",
}


def config(**serving: Any) -> dict[str, Any]:
    """The stack `local`, with a server that waits for a gate."""
    found = whole_stacks.config_of("local")
    found["india-ai-infra:workloads"] |= {"serving": {**SERVING, **serving}, "evaluation": ASKED}
    return found


@pytest.fixture(scope="module")
def made(deploy: Any) -> Any:
    return whole_stacks.run(deploy, config())


def named(made: Any, kind: str, name: str) -> Any:
    (found,) = [each for each in made.resources if each.type.endswith(kind) and each.name == name]
    return found


@pytest.mark.slow
def test_the_candidate_is_the_server_to_the_letter_and_ends_with_the_gate(made: Any) -> None:
    pod = named(made, "v1:Job", "serve-gate").inputs["spec"]["template"]["spec"]
    server = named(made, "v1:Deployment", "serve").inputs["spec"]["template"]["spec"]
    (engine,), (judge,) = pod["initContainers"], pod["containers"]
    (serving,) = server["containers"]
    assert engine.pop("restartPolicy") == "Always"
    assert {name: value for name, value in serving.items() if name != "lifecycle"} == engine
    assert "lifecycle" not in engine and "startupProbe" in engine
    assert judge["command"] == ["python", "-m", "workloads.evaluation.programs", "gate"]
    assert judge["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["serviceAccountName"] == "evaluation" and pod["restartPolicy"] == "Never"
    assert pod["nodeSelector"] == server["nodeSelector"]
    # The server's own clients don't reach it: no Service has its labels.
    labels = named(made, "v1:Job", "serve-gate").inputs["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "rollout-gate"


@pytest.mark.slow
def test_the_program_is_there_with_a_job_that_it_reads(made: Any) -> None:
    pod = named(made, "v1:Job", "serve-gate").inputs["spec"]["template"]["spec"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "evaluation"]
    data = named(made, "v1:ConfigMap", "serve-gate-program").inputs["data"]
    laid_out = {item["path"]: data[item["key"]] for item in volume["configMap"]["items"]}
    job = Gate.read(laid_out.pop("job.json"))
    assert laid_out == files()
    assert job.golden_set.endswith("/golden/support") and job.golden_set.startswith("s3://")
    assert job.candidate.url == "http://localhost:8000/v1"
    assert job.candidate.revision.endswith("/released/qwen3")
    # A signed verdict names both by their files.
    assert job.candidate.weights == job.candidate.revision
    assert job.production and job.production.weights == "served"
    assert job.production.url == "http://serve.serving.svc:8000/v1"
    assert (job.rules.margin, job.rules.min_slice, job.key) == (0.02, 0.8, "/etc/evaluation/key.pem")
    assert job.target.endswith(f"/{VERDICTS}serve")


@pytest.mark.slow
def test_a_gate_that_fails_ends_the_update_before_the_server_changes(made: Any) -> None:
    job, server = named(made, "v1:Job", "serve-gate"), named(made, "v1:Deployment", "serve")
    assert job.urn in server.depends_on
    # It is waited for: nothing tells the engine to go on before it has succeeded.
    assert not job.inputs["metadata"].get("annotations")
    refused, evicted = job.inputs["spec"]["podFailurePolicy"]["rules"]
    assert (refused["action"], refused["onExitCodes"]["values"]) == ("FailJob", [64, 65])
    assert evicted["action"] == "Ignore"


@pytest.mark.slow
def test_it_may_read_what_it_judges_and_change_no_verdict(made: Any) -> None:
    assert [(grant.bucket, grant.right, grant.prefix) for grant in NEEDS.grants] == [
        ("curated", "read", "golden/"),
        ("models", "read", "released/"),
        ("audit", "add", VERDICTS),
    ]
    policies = {
        each.inputs["metadata"]["name"] for each in made.resources if each.type.endswith(":NetworkPolicy")
    }
    assert {"serve-gate-to-serving", "serve-gate-from-evaluation"} <= policies


def problems(serving: dict[str, Any] | None, **changes: Any) -> dict[str, str]:
    said = {
        key.partition(":")[2]: value
        for key, value in whole_stacks.config_of("local").items()
        if key.startswith("india-ai-infra:")
    }
    workloads = {"evaluation": {**ASKED, **changes}} | ({"serving": serving} if serving else {})
    try:
        reading.parse({**said, "workloads": workloads}, check_gate)
    except SettingsError as error:
        return {problem.path: str(problem) for problem in error.problems}
    return {}


@pytest.mark.parametrize(
    ("serving", "changes", "path", "message"),
    [
        (None, {}, "evaluation.server", "a model server: nothing"),
        (SERVING, {"server": "chat"}, "evaluation.server", "serve"),
        ({**SERVING, "engine": "triton"}, {}, "evaluation.server", "Triton"),
        ({**SERVING, "replicas": 99}, {}, "serving.replicas", "judged beside them"),
        (SERVING, {"digest": "latest"}, "evaluation.digest", ""),
        (SERVING, {"goldenSet": "{raw}/golden/x"}, "evaluation.goldenSet", ""),
        (
            SERVING,
            {"judge": {"url": "https://api.openai.com", "model": "x"}},
            "evaluation.judge.url",
            "a Service",
        ),
        (SERVING, {"rules": {"margin": 5}}, "evaluation.rules.margin", ""),
    ],
)
def test_a_gate_that_could_never_pass_is_refused_before_anything_is_made(
    serving: dict[str, Any] | None, changes: dict[str, Any], path: str, message: str
) -> None:
    found = problems(serving, **changes)
    assert message in found[f"workloads.{path}"]


def test_settings_default_to_what_the_program_does() -> None:
    assert problems(SERVING) == {}
    assert {**EvaluationRules().model_dump(), "seed": 0} == json.loads(Rules().model_dump_json())
