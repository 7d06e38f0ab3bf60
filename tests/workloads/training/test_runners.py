"""A TrainJob and a RayJob run the same pods as a Job, and are what their definitions allow."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.contracts.labels import QUEUE_LABEL
from infra.settings.workloads.training import Training
from tests.schemas import validate
from tests.workloads.training.test_component import job
from workloads.training import operators, ray_job
from workloads.training.needs import NEEDS

# What the runners may differ in: names, and what starts the trainer.
OF_RUNNER = ("name", "command", "args", "ports", "readinessProbe")


@pytest.fixture(scope="module")
def made(deploy) -> dict[str, Any]:
    return {
        runner: deploy(lambda runner=runner: job(runner=runner).job.id)
        for runner in ("job", "trainjob", "rayjob")
    }


@pytest.fixture(scope="module")
def trainjob(made) -> dict[str, Any]:
    return made["trainjob"].one(":TrainJob").inputs


@pytest.fixture(scope="module")
def runtime(made) -> dict[str, Any]:
    return made["trainjob"].one(":TrainingRuntime").inputs


@pytest.fixture(scope="module")
def rayjob(made) -> dict[str, Any]:
    return made["rayjob"].one(":RayJob").inputs


def of_job(made) -> dict[str, Any]:
    return made["job"].one("v1:Job").inputs["spec"]


def node(runtime) -> dict[str, Any]:
    (only,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    return only


def workers(rayjob) -> dict[str, Any]:
    (only,) = rayjob["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    return only


def bare(template: dict[str, Any]) -> dict[str, Any]:
    """The pod without what its runner adds."""
    (container,) = template["spec"]["containers"]
    spec = {
        name: value for name, value in template["spec"].items() if name not in ("containers", "subdomain")
    }
    # The ConfigMap of Ray's has its entry too, and so another name.
    spec["volumes"] = [volume for volume in spec["volumes"] if "configMap" not in volume]
    kept = {name: value for name, value in container.items() if name not in OF_RUNNER}
    kept["env"] = [variable for variable in kept["env"] if not variable["name"].startswith("RAY_")]
    return {"metadata": template["metadata"], "spec": spec, "container": kept}


def test_all_three_run_the_same_pod(made, runtime, rayjob):
    plain = bare(of_job(made)["template"])
    assert bare(node(runtime)["template"]["spec"]["template"]) == plain
    assert bare(workers(rayjob)["template"]) == plain
    assert plain["container"]["resources"]["limits"]["nvidia.com/gpu"] == "8"


def test_what_they_make_is_what_their_definitions_allow(trainjob, runtime, rayjob):
    for resource in (trainjob, runtime, rayjob):
        validate(resource)
    jobs = {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "metadata": {"name": "llama"}}
    validate(jobs | {"spec": runtime["spec"]["template"]["spec"]})


def test_the_trainjob_counts_failures_as_the_job_does(made, runtime):
    ours, plain = node(runtime)["template"]["spec"], of_job(made)
    by_name = json.loads(json.dumps(plain["podFailurePolicy"]).replace('"trainer"', '"node"'))
    assert ours["podFailurePolicy"] == by_name
    for same in ("completions", "parallelism", "completionMode", "backoffLimit"):
        assert ours[same] == plain[same]


def test_the_operator_finds_the_node_and_its_ranks_meet_at_the_names_that_it_gives(trainjob, runtime):
    # pkg/webhooks/trainingruntime_webhook.go: one replica, and a container called node.
    found = node(runtime)
    assert found["replicas"] == 1 and found["name"] == "node"
    assert found["template"]["metadata"]["labels"] == {
        "trainer.kubeflow.org/trainjob-ancestor-step": "trainer"
    }
    (container,) = found["template"]["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "node"
    name = trainjob["metadata"]["name"]
    assert f"--rdzv-endpoint={name}-node-0-0.{name}.training.svc:29400" in container["command"]
    assert trainjob["spec"]["runtimeRef"]["name"] == runtime["metadata"]["name"]
    assert trainjob["metadata"]["namespace"] == runtime["metadata"]["namespace"]
    assert trainjob["spec"]["trainer"] == {"numNodes": 2, "numProcPerNode": 8}


def test_the_queue_is_that_of_the_object_and_of_nothing_below_it(made, trainjob, runtime, rayjob):
    for resource in (made["job"].one("v1:Job").inputs, trainjob, rayjob):
        assert resource["metadata"]["labels"][QUEUE_LABEL] == "gpus"
    assert QUEUE_LABEL not in json.dumps([runtime, workers(rayjob)["template"]])


def test_ray_starts_a_worker_on_every_gpu_and_the_head_has_none(rayjob):
    spec = rayjob["spec"]
    assert spec["shutdownAfterJobFinishes"] is True  # or Kueue could not suspend it
    group = workers(rayjob)
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] == 2
    assert group["rayStartParams"]["num-gpus"] == "8"
    (container,) = group["template"]["spec"]["containers"]
    assert "command" not in container and "args" not in container  # KubeRay starts Ray
    assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"], (
        "nothing is sent to Ray's makers"
    )
    assert spec["entrypoint"].startswith(
        "python -m ray_entry --workers 16 --gpu --recipe /opt/training/recipe.json"
    )
    head = spec["rayClusterSpec"]["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    (container,) = head["template"]["spec"]["containers"]
    assert "nvidia.com/gpu" not in json.dumps(container["resources"])
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert head["template"]["metadata"]["labels"]["app.kubernetes.io/name"] != NEEDS.monitors[0].app


def test_rays_entry_lies_beside_the_trainer_for_ray_alone(made):
    programs = {runner: found.one("v1:ConfigMap").inputs["data"] for runner, found in made.items()}
    assert programs["rayjob"]["ray_entry.py"] == ray_job.ENTRY.read_text()
    assert "ray_entry.py" not in programs["job"]


@pytest.mark.parametrize("runner", ["trainjob", "rayjob"])
def test_another_recipe_is_another_object_for_it_takes_no_change_while_it_runs(made, runner):
    kind = {"trainjob": ":TrainJob", "rayjob": ":RayJob"}[runner]
    assert made[runner].one(kind).delete_before_replace


def settings(runner: str) -> Training:
    return Training.model_validate({"pool": "train", "image": "training:1", "runner": runner})


def test_a_runner_brings_its_operator_and_a_job_none():
    assert operators.needs_for(settings("job")) == NEEDS
    for runner, chart in (("trainjob", "kubeflow-trainer"), ("rayjob", "kuberay-operator")):
        (found,) = operators.needs_for(settings(runner)).charts
        assert found.name == chart


def test_only_rays_operator_may_call_the_pods():
    assert operators.needs_for(settings("trainjob")).clients == ()
    ((label, namespace),) = operators.needs_for(settings("rayjob")).clients[0].items()
    assert (label, namespace) == ("kubernetes.io/metadata.name", operators.KUBERAY.namespace)
