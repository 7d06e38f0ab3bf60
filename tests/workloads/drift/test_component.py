"""DriftWatch and the template of a retraining as the engine sees them, and settings that the program would refuse."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.workloads.drift import Drift
from tests.infra.platform.gpu_cluster import TRAIN, gpu_cluster
from tests.program import whole_stacks
from workloads.drift.build import check_job, document
from workloads.drift.component import DriftWatch, DriftWatchArgs
from workloads.drift.needs import APP, METRICS_PORT_NAME, NEEDS
from workloads.drift.package import files
from workloads.drift.programs import flight
from workloads.drift.programs.job import Job
from workloads.training import retraining
from workloads.training.pod import TrainingJobArgs
from workloads.training.retraining import RetrainingTemplate, rupees

ASKED: dict[str, Any] = {
    "image": "registry.example/drift:1",
    "model": "loan-risk",
    "samples": "{features}/samples/loan-risk",
    "reference": "{features}/drift/loan-risk/reference",
    "results": "{features}/drift/loan-risk/results",
}
RETRAINING = {
    "cronJob": "llm-retrain",
    "commit": "{features}/tokens/newest",
    "budgetInr": 20_000,
    "evaluation": {"namespace": "evaluation", "cronJob": "golden"},
}
WORDS = {"{features}": "s3://mumbai-features"}


def watch(deploy: Any, **more: Any) -> Any:
    settings = Drift.model_validate({**ASKED, **more})

    def program() -> None:
        text = document(settings)
        args = DriftWatchArgs(gpu_cluster(TRAIN), settings.image, Job.read(text), text, WORDS)
        DriftWatch("drift-loan-risk", args)

    return deploy(program)


@pytest.fixture(scope="module")
def watched(deploy: Any) -> Any:
    return watch(deploy)


@pytest.fixture(scope="module")
def retrained(deploy: Any) -> Any:
    return watch(deploy, retraining=RETRAINING)


def pod_of(cron_job: Any) -> dict[str, Any]:
    return cron_job.inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_the_pods_have_the_program_and_the_job(watched: Any) -> None:
    pod = pod_of(watched.one("v1:CronJob"))
    (container,) = pod["containers"]
    assert container["command"] == ["python", "-m", "workloads.drift.programs"]
    assert container["args"] == ["--job", "/opt/drift/job.json", "score"]
    program = watched.one("v1:ConfigMap").inputs
    (volume,) = [each for each in pod["volumes"] if each["name"] == "program"]
    laid_out = {item["path"]: program["data"][item["key"]] for item in volume["configMap"]["items"]}
    assert Job.read(laid_out.pop("job.json")).samples == "s3://mumbai-features/samples/loan-risk"
    assert laid_out == files()
    served = watched.one("v1:Deployment").inputs["spec"]["template"]
    assert served["metadata"]["labels"]["app.kubernetes.io/name"] == APP
    (port,) = served["spec"]["containers"][0]["ports"]
    assert port["name"] == METRICS_PORT_NAME


def test_one_run_at_a_time_that_ends_before_a_payment_is_old(watched: Any) -> None:
    spec = watched.one("v1:CronJob").inputs["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    job = spec["jobTemplate"]["spec"]
    assert job["activeDeadlineSeconds"] == flight.DEADLINE.total_seconds()
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [64]


def test_without_a_retraining_it_may_ask_the_api_server_nothing(watched: Any) -> None:
    assert not watched.of("v1:Role")
    assert pod_of(watched.one("v1:CronJob"))["automountServiceAccountToken"] is False


def test_with_one_it_may_do_what_the_program_asks_and_no_more(retrained: Any) -> None:
    rules = {
        role.inputs["metadata"]["namespace"]: [
            (rule["apiGroups"], rule["resources"], sorted(rule["verbs"]), rule.get("resourceNames"))
            for rule in role.inputs["rules"]
        ]
        for role in retrained.of("v1:Role").values()
    }
    assert rules == {
        "drift": [
            (["coordination.k8s.io"], ["leases"], ["get", "update"], [flight.LEASE]),
            (["coordination.k8s.io"], ["leases"], ["create"], None),
        ],
        "training": [
            (["batch"], ["cronjobs"], ["get"], ["llm-retrain"]),
            (["batch"], ["jobs"], ["get"], ["llm-retrain"]),
            (["batch"], ["jobs"], ["create"], None),
        ],
        "evaluation": [
            (["batch"], ["cronjobs"], ["get"], ["golden"]),
            (["batch"], ["jobs"], ["create"], None),
        ],
    }
    pod = pod_of(retrained.one("v1:CronJob"))
    assert pod["automountServiceAccountToken"] is True
    served = retrained.one("v1:Deployment").inputs["spec"]["template"]["spec"]
    assert served["automountServiceAccountToken"] is False


def test_the_template_is_the_training_job_on_a_commit_and_says_what_it_costs(deploy: Any) -> None:
    def program() -> pulumi.Output[str]:
        args = TrainingJobArgs(
            cluster=gpu_cluster(TRAIN),
            pool="train",
            nodes=2,
            gpus_per_node=8,
            image="registry.example/training:1",
            recipe="{}",
            checkpoint_uri="s3://mumbai-checkpoints/jobs/llm",
            words=WORDS,
        )
        made = RetrainingTemplate("llm-retrain", args, "{features}/tokens/$(DATA_COMMIT)", 6, 48_000)
        return made.template.id

    template = deploy(program).one("v1:CronJob").inputs
    assert template["spec"]["suspend"] is True
    assert template["metadata"]["annotations"] == {retraining.ESTIMATE: "48000"}
    spec = template["spec"]["jobTemplate"]["spec"]
    assert (spec["activeDeadlineSeconds"], spec["completions"]) == (6 * 3600, 2)
    (container,) = spec["template"]["spec"]["containers"]
    asked = container["args"]
    assert asked[asked.index("--data-uri") + 1] == "s3://mumbai-features/tokens/$(DATA_COMMIT)"
    assert (
        asked[asked.index("--checkpoint-uri") + 1] == "s3://mumbai-checkpoints/jobs/llm-retrain/$(RETRAINING)"
    )
    assert spec["template"]["spec"]["subdomain"] == "llm-retrain"
    assert any("llm-retrain-0" in word for word in container["command"])


def test_both_sides_call_the_estimate_the_same() -> None:
    assert retraining.ESTIMATE == flight.ESTIMATE


def test_a_pool_without_a_price_has_no_budget() -> None:
    with pytest.raises(ValueError, match="'train' has no price"):
        rupees(TRAIN, 2, 6, 85)


def test_what_the_program_would_refuse_is_refused_before_anything_is_made() -> None:
    stack = {
        key.partition(":")[2]: value
        for key, value in whole_stacks.config_of("local").items()
        if key.startswith("india-ai-infra:")
    }
    confirm = {"alarms": 3, "windows": 2}
    with pytest.raises(SettingsError, match=r"alarms is 3, of 2 windows; give at most as many"):
        reading.parse({**stack, "workloads": {"drift": {**ASKED, "confirm": confirm}}}, check_job)


def test_it_writes_below_its_own_prefix_alone() -> None:
    (written,) = [grant for grant in NEEDS.grants if grant.right != "read"]
    assert (written.bucket, written.prefix) == ("features", "drift/")
    with pytest.raises(ValueError, match="results"):
        Drift.model_validate({**ASKED, "results": "{features}/elsewhere"})
