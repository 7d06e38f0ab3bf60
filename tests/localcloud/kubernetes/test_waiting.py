"""What waits for nodes, as the API server tells of Jobs and Deployments."""

from __future__ import annotations

from typing import Any

import pytest

from commands.up.summary import show_waiting
from infra.contracts.labels import CAPACITY_TYPE_LABEL
from localcloud.kubernetes import karpenter
from localcloud.kubernetes.api import Api
from localcloud.kubernetes.waiting import Waiting, waiting
from localcloud.providers.aws.habits import NO_SPOT


class Objects(Api):
    """An API server that lists these."""

    def __init__(self, **kinds: list[dict[str, Any]]) -> None:
        self.kinds = kinds

    def list(self, api_version: str, kind: str, namespace: str | None = None, **_: Any) -> Any:
        return iter(self.kinds.get(kind, []))


def workload(name: str, spec: dict[str, Any], status: dict[str, Any], pool: str = "train") -> dict[str, Any]:
    selector = {"india-ai-infra/pool": pool} if pool else {}
    template = {"spec": {"nodeSelector": selector}}
    return {
        "metadata": {"name": name, "namespace": "training"},
        "spec": {**spec, "template": template},
        "status": status,
    }


def job(status: dict[str, Any], pool: str = "train") -> dict[str, Any]:
    return workload("train", {"parallelism": 4, "completions": 4}, status, pool)


@pytest.mark.parametrize(
    ("found", "ready_of"),
    [
        (job({}), (0, 4)),
        (job({"ready": 3}), (3, 4)),
        (job({"ready": 4}), None),
        (job({"ready": 1, "succeeded": 3}), None),
        (job({"ready": 0, "succeeded": 3}), (0, 1)),
        (job({"conditions": [{"type": "Complete", "status": "True"}]}), None),
        (job({"conditions": [{"type": "Failed", "status": "False"}]}), (0, 4)),
        (job({}, pool=""), None),
    ],
)
def test_which_jobs_wait(found: dict[str, Any], ready_of: tuple[int, int] | None) -> None:
    assert [(each.ready, each.wanted) for each in waiting(Objects(Job=[found]))] == (
        [ready_of] if ready_of else []
    )


def test_a_deployment_waits_for_its_replicas() -> None:
    servers = [workload("a", {"replicas": 3}, {"readyReplicas": 3}), workload("b", {"replicas": 3}, {})]
    assert waiting(Objects(Deployment=servers)) == [Waiting("deployment", "training", "b", "train", 0, 3)]


def test_a_job_that_failed_waits_for_nothing_and_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}
    left = waiting(Objects(Job=[job({"conditions": [failed]})]))
    assert [each.failed for each in left] == ["BackoffLimitExceeded: too often"]
    show_waiting([*left, Waiting("deployment", "serving", "chat", "serve", 1, 2)])
    said = capsys.readouterr().out
    assert "job training/train failed: BackoffLimitExceeded: too often" in said
    assert "deployment serving/chat waits for nodes of pool serve: 1 of 2 pods are ready" in said
    assert "kubectl -n serving describe deployment chat" in said


def test_spot_that_is_out_is_offered_to_karpenter_on_demand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NO_SPOT, "g6.12xlarge")
    zones = {f"aps1-az{number}": f"ap-south-1{letter}" for number, letter in ((1, "c"), (2, "a"), (3, "b"))}
    had = {
        (offered["name"], need["values"][0])
        for offered in karpenter._instance_types("ap-south-1", zones)
        for offering in offered["offerings"]
        for need in offering["Requirements"]
        if need["key"] == CAPACITY_TYPE_LABEL and offered["name"] in ("g6.12xlarge", "g6.xlarge")
    }
    assert had == {("g6.12xlarge", "on-demand"), ("g6.xlarge", "spot"), ("g6.xlarge", "on-demand")}
