"""A day on which spot has no H100 machine, through the real engine: what must stand fails the update, in the words of
EKS; the same pool from zero comes up, training waits for its nodes and the update does not, and the proof runs when
somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import doctor
from localcloud import cloud
from localcloud.directories import PROJECT
from localcloud.engine import Stack
from localcloud.kubernetes import clusters, karpenter, waiting
from localcloud.kubernetes.api import Api
from localcloud.providers.aws.habits import NO_SPOT

pytestmark = pytest.mark.e2e

POOL = {"name": "train", "gpu": "H100", "gpusPerNode": 8, "purchase": "spot", "fabric": "efa", "maxNodes": 2}
WORKLOADS = {
    "training": {"pool": "train", "image": "{registry}/own/training:1", "nodes": 2, "gpusPerNode": 8},
    "proof": {"image": "{registry}/own/proof:1", "dcgmImage": "{registry}/own/dcgm:4"},
}


def write(config: Path, **pool: Any) -> None:
    values = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    said = values["config"]
    said["india-ai-infra:budget"] = {"monthlyInr": 100_000_000}
    said["india-ai-infra:aws"]["cluster"]["pools"] = [{**POOL, **pool}]
    said["india-ai-infra:workloads"] = WORKLOADS
    config.write_text(yaml.safe_dump(values))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "Pulumi.dev.yaml"


@pytest.fixture(scope="module")
def stack(environment: dict[str, str], config: Path) -> Iterator[Stack]:
    variables = cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]) | {NO_SPOT: "p5.48xlarge"}
    opened = Stack("dev", variables, config_file=config)
    yield opened
    opened.unprotect()
    destroyed = opened.destroy()
    assert not destroyed.failed, "\n".join(destroyed.errors)
    assert list(doctor.leftovers("dev")) == []


def test_a_pool_that_must_stand_fails_and_from_zero_it_comes_up(stack: Stack, config: Path) -> None:
    write(config)
    outcome = stack.up()
    assert outcome.failed
    assert "AsgInstanceLaunchFailures: Could not launch Spot Instances" in "\n".join(outcome.errors)
    write(config, elastic=True)
    outcome = stack.up()
    assert not outcome.failed, "\n".join(outcome.errors)


def test_training_waits_for_spot_and_runs_when_it_comes(
    stack: Stack, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update was done before; Karpenter, with spot as it is on another day, brings the nodes."""
    (name,) = clusters.recorded()
    (left,) = waiting.settle([name], seconds=5)
    assert (left.kind, left.pool, left.ready, left.wanted) == ("job", "train", 0, 2)
    karpenter.stop(name)
    monkeypatch.setenv("INDIA_AI_INFRA_AWS_ENDPOINT", environment["INDIA_AI_INFRA_AWS_ENDPOINT"])
    karpenter.start(name)
    assert waiting.settle([name], seconds=180) == []
    assert stack.preview(policies=False).unchanged


def test_the_proof_runs_when_somebody_asks(stack: Stack) -> None:
    """What `kubectl create job --from=cronjob/…` sends."""
    api: Api = clusters.running()[0].api()
    cron = api.request("GET", "/apis/batch/v1/namespaces/proof/cronjobs/nccl-test-train")
    assert cron["spec"]["suspend"] is True
    assert (
        list(api.list("batch/v1", "Job", "proof", labelSelector="app.kubernetes.io/instance=nccl-test-train"))
        == []
    )
    template = cron["spec"]["jobTemplate"]
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {**template["metadata"], "name": "today", "namespace": "proof"},
        "spec": template["spec"],
    }
    made = api.request("POST", "/apis/batch/v1/namespaces/proof/jobs", job)
    assert made["spec"]["template"]["spec"]["initContainers"][0]["name"] == "dcgm"
    pods = made["spec"]["completions"]
    assert pods == 2
    outcome = stack.preview()
    assert outcome.unchanged, "a Job that somebody made is none of the stack's"
