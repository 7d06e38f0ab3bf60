"""A TrainingJob of four pods really trains on the local cloud; a node is taken back, and the loss is that of a run that
nobody interrupted, step for step. Then as replicas: the others go on without the pod, and a new one copies them. Before
it all, `make demo` (whole_loop.py), which trains too.

The stack is `dev` with one pool of single L4 on spot. Pods are processes of this machine: the agent gives their node's
notice to them, and Karpenter drains it. The other run is four ranks of the same recipe, without Kubernetes.
Last the stack has a tracking server and a feature store instead (tracking_and_features.py).
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from commands import doctor
from commands.reclaim import command as reclaim
from commands.reclaim import interruption
from commands.stacks import settings_of
from localcloud import cloud, databases
from localcloud.directories import PROJECT, bin_dir
from localcloud.engine import Stack
from localcloud.environments import environment as environment_of
from localcloud.kubernetes import clusters
from localcloud.kubernetes.agent import claims, namespaces
from localcloud.kubernetes.api import Api
from tests.e2e import tracking_and_features, whole_loop
from tests.e2e.waiting import wait
from workloads.training import pod

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(namespaces.refused()), reason=namespaces.refused()),
]

# Longer than anybody waits: a node is taken back from a job at work, however fast the machine is. That such a job ends
# well is a stage of the whole loop.
PODS, STEPS = 4, 1_000_000
TRAINING = {
    "pool": "train",
    "image": "{registry}/own/training:1",
    "nodes": PODS,
    "gpusPerNode": 1,
    "steps": STEPS,
    "batch": 8,
    "precision": "fp32",
    "data": {"sequenceLength": 32, "seed": 7},
    "checkpoints": {"everySteps": STEPS},
}
POOL = {"name": "train", "gpu": "L4", "gpusPerNode": 1, "purchase": "spot", "maxNodes": 2 * PODS}
SECONDS = 900  # for what takes a minute on a machine with nothing else to do


@pytest.fixture(scope="module")
def python() -> Path:
    """Of the trainer, which the agent needs too: built once per user."""
    return environment_of(pod.PACKAGE.with_name("requirements.txt"))


@pytest.fixture(scope="module")
def stack(
    environment: dict[str, str], python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    config = tmp_path_factory.mktemp("config") / "Pulumi.dev.yaml"
    opened = Stack("dev", cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]), config_file=config)
    with pytest.MonkeyPatch.context() as patch:
        # The cluster's agent, which the update starts, runs pods with torch.
        patch.setenv(claims.HEAVY, "1")
        bring_up(opened, config, {"training": TRAINING})
    yield opened
    opened.unprotect()
    destroyed = opened.destroy()
    assert not destroyed.failed, "\n".join(destroyed.errors)
    assert list(doctor.leftovers("dev")) == []
    assert databases.stop_all() == [], "a server goes with its database"


def bring_up(stack: Stack, config: Path, workloads: dict[str, Any]) -> None:
    """Gives the stack these workloads."""
    values = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    said = values["config"]
    said["india-ai-infra:budget"] = {"monthlyInr": 100_000_000}
    said["india-ai-infra:aws"]["cluster"]["pools"] = [POOL]
    said["india-ai-infra:workloads"] = workloads
    config.write_text(yaml.safe_dump(values))
    outcome = stack.up()
    assert not outcome.failed, "\n".join(outcome.errors)


@pytest.fixture(scope="module")
def access(stack: Stack) -> clusters.ClusterAccess:
    (only,) = clusters.running()
    return only


def logs(access: clusters.ClusterAccess) -> str:
    """All that the pods of the job wrote, those that are gone too."""
    files = (clusters.folder(access.name) / "pods").glob("training_train-*/logs/trainer/*.log")
    return "\n".join(file.read_text() for file in files)


def losses(log: str) -> dict[int, str]:
    return {int(step): loss for step, loss in re.findall(r"\bstep=(\d+)/\d+ loss=(\S+)", log)}


def first_rank(api: Api) -> str | None:
    """The pod of index 0 that runs."""
    chosen = "batch.kubernetes.io/job-name=train,batch.kubernetes.io/job-completion-index=0"
    pods = api.list("v1", "Pod", "training", labelSelector=chosen)
    return next((each["metadata"]["name"] for each in pods if each["status"].get("phase") == "Running"), None)


def test_the_whole_loop_goes_round(environment: dict[str, str], tmp_path: Path) -> None:
    whole_loop.goes_round(environment, tmp_path)


def test_training_goes_on_after_a_reclaim_as_if_there_had_been_none(
    access: clusters.ClusterAccess,
    environment: dict[str, str],
    python: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INDIA_AI_INFRA_AWS_ENDPOINT", environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
    api = access.api()
    name = wait(lambda: first_rank(api), SECONDS, "a first rank that runs")
    kubectl = [bin_dir() / "kubectl", "--kubeconfig", access.kubeconfig_path, "-n", "training"]
    with (tmp_path / "followed.log").open("w") as followed:
        follower = subprocess.Popen([*kubectl, "logs", "-f", name], stdout=followed, stderr=subprocess.STDOUT)
        wait(lambda: losses(logs(access)), SECONDS, "a step")
        nodes = interruption.spot_nodes(api)
        there = {each["spec"].get("nodeName") for each in api.list("v1", "Pod", "training")}
        node = next(each for each in nodes if each.name in there)
        timeline = reclaim.interrupt(access, node, settings_of("dev"), 120)
        assert follower.wait(SECONDS) == 0, "kubectl follows the log to the pod's end"
    assert timeline.back_after is not None, timeline.events

    def since() -> list[int]:
        """Steps after the one at which the pods went on, once there are enough."""
        job = api.request("GET", "/apis/batch/v1/namespaces/training/jobs/train")
        assert not job["status"].get("failed"), job["status"]
        went_on = re.search(r"event=resumed step=(\d+) ranks=4", logs(access))
        steps = sorted(step for step in losses(logs(access)) if went_on and step > int(went_on[1]))
        return steps[:3] if len(steps) >= 3 else []

    last = wait(since, SECONDS, "steps after the reclaim")[-1]
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train", "namespace": "training"}}
    api.delete(job, "Background")  # the machine is the other run's now
    log = logs(access)
    stopped = re.search(r"event=stopped step=(\d+)", log)
    resumed = re.search(r"event=resumed step=(\d+) ranks=4", log)
    assert stopped and resumed and stopped[1] == resumed[1], log[-3000:]
    assert "event=stopped" in (tmp_path / "followed.log").read_text()
    ours = losses(log)
    assert any(step < int(stopped[1]) for step in ours)
    other = uninterrupted(api, python, tmp_path, last)
    assert set(other) == set(range(1, last + 1))
    assert {step: loss for step, loss in ours.items() if step <= last} == {
        step: other[step] for step in ours if step <= last
    }


def uninterrupted(api: Api, python: Path, folder: Path, last: int) -> dict[int, str]:
    """The losses of the recipe that the pods have up to a step, on four ranks that nothing interrupts."""
    (program,) = [
        each for each in api.list("v1", "ConfigMap", "training") if pod.RECIPE in (each.get("data") or {})
    ]
    recipe = json.loads(program["data"][pod.RECIPE])
    recipe["interruptions"] = {"cloud": "", "perHour": 0}
    (folder / "recipe.json").write_text(json.dumps(recipe))
    command = [python, "-m", "trainer.launch", f"--nproc-per-node={PODS}", "--nnodes=1", "--standalone", "--"]
    arguments = ["--recipe", folder / "recipe.json", "--checkpoint-uri", folder / "checkpoints"]
    with subprocess.Popen(
        [*command, *arguments, "--progress-seconds", "0"],
        cwd=pod.PACKAGE.parent,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "HOME": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    ) as ran:
        assert ran.stdout
        log = ""
        for line in ran.stdout:
            log += line
            if last in losses(line):
                ran.terminate()
                break
    return losses(log)


def test_replicas_go_on_without_the_one_whose_node_is_taken_back(
    stack: Stack, access: clusters.ClusterAccess, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INDIA_AI_INFRA_AWS_ENDPOINT", environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
    twins_of_two = TRAINING | {"name": "twins", "nodes": 2, "recovery": "replicas"}
    bring_up(stack, stack.config_file, {"training": twins_of_two})
    api = access.api()

    def twins() -> dict[str, str]:
        """The pods that run, and their nodes."""
        pods = api.list("v1", "Pod", "training", labelSelector="batch.kubernetes.io/job-name=twins")
        return {
            each["metadata"]["name"]: each["spec"]["nodeName"]
            for each in pods
            if each["status"].get("phase") == "Running" and "deletionTimestamp" not in each["metadata"]
        }

    def logs_of(pod_name: str) -> str:
        (file,) = (clusters.folder(access.name) / "pods").glob(f"training_{pod_name}_*/logs/trainer/*.log")
        return file.read_text()

    def quorums(pod_name: str) -> list[tuple[int, int]]:
        """The steps before which another number of replicas met, and how many."""
        met = re.findall(r"event=quorum step=(\d+) replicas=(\d+) of=2", logs_of(pod_name))
        return [(int(step), int(replicas)) for step, replicas in met]

    def both_train() -> bool:
        return len(twins()) == 2 and all(quorums(each)[-1:] and quorums(each)[-1][1] == 2 for each in twins())

    wait(both_train, SECONDS, "two replicas that train")
    before = twins()
    stays, goes = sorted(before)
    node = next(each for each in interruption.spot_nodes(api) if each.name == before[goes])
    until = len(quorums(stays))
    reclaim.interrupt(access, node, settings_of("dev"), 120)
    wait(lambda: set(twins()) - set(before) and both_train(), SECONDS, "two replicas that train again")
    (back,) = set(twins()) - {stays}
    assert twins()[back] != before[goes]
    healed = re.search(r"event=healed step=(\d+)", logs_of(back))
    assert healed and (int(healed[1]) + 1, 2) in quorums(stays), "who copied takes part in the next step"
    since = quorums(stays)[until:]
    assert any(replicas == 1 and step <= int(healed[1]) for step, replicas in since), since
    assert "event=stopped" in logs_of(goes)
    assert "event=resumed" not in logs_of(stays) + logs_of(back), (
        "no checkpoint was read, and no step was lost"
    )


def test_runs_and_features_are_kept_and_served_by_pods_of_the_stack(
    stack: Stack, access: clusters.ClusterAccess, environment: dict[str, str], tmp_path: Path
) -> None:
    for requirements in tracking_and_features.REQUIREMENTS.values():
        environment_of(requirements)
    bring_up(stack, stack.config_file, tracking_and_features.WORKLOADS)
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": access.region}
    s3 = boto3.client("s3", endpoint_url=environment["INDIA_AI_INFRA_AWS_ENDPOINT"], **keys)
    cluster = tracking_and_features.Cluster(access)
    tracking_and_features.keeps_runs(cluster, s3)
    tracking_and_features.serves_features(cluster, s3, tmp_path)
