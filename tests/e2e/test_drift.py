"""A retraining starts on a real API server, by a service account with the Roles of the component and nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings.workloads.drift import Drift
from localcloud.kubernetes import clusters
from localcloud.kubernetes.api import Api
from tests.infra.platform.gpu_cluster import TRAIN, gpu_cluster
from workloads.drift.build import document
from workloads.drift.component import DriftWatch, DriftWatchArgs
from workloads.drift.programs.cluster import answer, carried_out, connected
from workloads.drift.programs.flight import ESTIMATE, LEASE, Ask, Decision, Wanted, start
from workloads.drift.programs.job import Job

pytestmark = pytest.mark.e2e

NAME, REGION = "drift", "ap-south-1"
SETTINGS: dict[str, Any] = {
    "image": "drift:1",
    "model": "loan-risk",
    "samples": "{features}/samples",
    "reference": "{features}/drift/reference",
    "results": "{features}/drift/results",
    "retraining": {"cronJob": "llm-retrain", "commit": "{features}/newest", "budgetInr": 10_000},
}
POD = {"restartPolicy": "Never", "containers": [{"name": "trainer", "image": "trainer:1"}]}
TEMPLATE = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "llm-retrain", "namespace": "training", "annotations": {ESTIMATE: "4000"}},
    "spec": {
        "schedule": "0 0 1 1 *",
        "suspend": True,
        "jobTemplate": {"spec": {"template": {"spec": POD}}},
    },
}


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str]) -> Iterator[clusters.ClusterAccess]:
    yield clusters.start(NAME, REGION)
    clusters.stop(NAME)
    assert clusters.processes_of(NAME) == []


@pytest.fixture(scope="module")
def api(cluster: clusters.ClusterAccess, deploy: Any) -> Api:
    """The API server with the template, and with what the component grants to the service account of drift."""

    def program() -> None:
        text = document(Drift.model_validate(SETTINGS))
        DriftWatch("drift-loan-risk", DriftWatchArgs(gpu_cluster(TRAIN), "drift:1", Job.read(text), text))

    made = deploy(program)
    api = cluster.api()
    for namespace in ("drift", "training"):
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    api.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "drift", "namespace": "drift"}}
    )
    for kind in ("Role", "RoleBinding"):
        for resource in made.of(f"rbac.authorization.k8s.io/v1:{kind}").values():
            api.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, **resource.inputs})
    api.apply(TEMPLATE)
    return api


@pytest.fixture(scope="module")
def kubeconfig(cluster: clusters.ClusterAccess, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """How the program's pod would reach the API server: by the token of its service account."""
    path = "/api/v1/namespaces/drift/serviceaccounts/drift/token"
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600},
    }
    token = api.request("POST", path, asked)["status"]["token"]
    server = {"server": cluster.endpoint, "certificate-authority-data": cluster.ca_data}
    assert base64.b64decode(cluster.ca_data)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "drift",
        "contexts": [{"name": "drift", "context": {"cluster": "drift", "user": "drift"}}],
        "clusters": [{"name": "drift", "cluster": server}],
        "users": [{"name": "drift", "user": {"token": token}}],
    }
    (file := tmp_path_factory.mktemp("drift") / "kubeconfig.yaml").write_text(yaml.safe_dump(config))
    return file


def wanted(window: str) -> Wanted:
    return Wanted(
        "loan-risk", window, "c0ffee", "llm-retrain", "training", "drift", 10_000, timedelta(hours=24)
    )


def test_it_starts_once_is_paid_once_and_may_do_nothing_else(
    api: Api, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = connected(str(kubeconfig))
    first = carried_out(server, start(wanted("2026-11-20")))
    assert first == Decision(True, "training on commit c0ffee, at most ₹4,000")
    assert carried_out(server, start(wanted("2026-11-21"))) == Decision(False, "one is in flight")
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "llm-retrain", "namespace": "training"},
    }
    made = api.get(job)
    assert made is not None and made["spec"]["ttlSecondsAfterFinished"] == 86_400
    environment = made["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "DATA_COMMIT", "value": "c0ffee"} in environment
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": "drift"},
    }
    kept = api.get(lease)
    assert kept is not None and kept["spec"]["holderIdentity"] == "loan-risk/2026-11-20"
    (payment,) = json.loads(kept["metadata"]["annotations"]["drift.india-ai-infra/spent"])
    assert payment["inr"] == 4_000
    # The version that was read has been written over since: whoever still has it pays nothing.
    stale = {**kept, "metadata": {**kept["metadata"], "resourceVersion": "1"}}
    assert answer(server, Ask("update", "Lease", "drift", LEASE, stale)).status == 409
    for ask in (
        Ask("get", "Job", "training", "another"),
        Ask("update", "Job", "training", "llm-retrain", made),
        Ask("update", "CronJob", "training", "llm-retrain", TEMPLATE),
        Ask("get", "Lease", "drift", "another"),
        Ask("get", "Job", "drift", "llm-retrain"),
        Ask("create", "CronJob", "training", "mine", {**TEMPLATE, "metadata": {"name": "mine"}}),
    ):
        assert answer(server, ask).status == 403, ask
