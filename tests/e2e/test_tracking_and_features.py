"""Pods of the tracking server and of the feature store really run on the local cloud: MLflow and Feast on PostgreSQL,
Redis, and the lake by their own rights.

The stack is `dev` without GPUs, and these two workloads.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from commands import doctor
from localcloud import cloud, databases
from localcloud.directories import PROJECT, bin_dir
from localcloud.engine import Stack
from localcloud.environments import environment as environment_of
from localcloud.kubernetes import clusters
from localcloud.kubernetes.agent import claims, namespaces
from localcloud.kubernetes.agent.stores import BESIDE
from tests.e2e.waiting import wait

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(namespaces.refused()), reason=namespaces.refused()),
]

REGION = "ap-south-1"
FEATURES = PROJECT / "workloads" / "features"
TRACKING = PROJECT / "workloads" / "tracking"
WORKLOADS = {
    "tracking": {"image": "{registry}/own/tracking:1", "replicas": 1, "workers": 1},
    "features": {
        "image": "{registry}/own/features:1",
        "redisImage": "{registry}/own/redis:8",
        "replicas": 1,
        "redisMemoryMib": 64,
        # By itself only on a day that hardly comes.
        "schedule": "15 1 29 2 *",
    },
}
SECONDS = 900  # for what takes a minute on a machine with nothing else to do
ACCOUNT = "acc-0000003"
# Writes the lake's files, and prints what yesterday's snapshot says of the account.
GENERATE = """
import json, sys
from datetime import date, timedelta
import pandas as pd
from programs.generate import Plan, generate
folder, account, yesterday = sys.argv[1], sys.argv[2], date.fromisoformat(sys.argv[3])
generate(folder, Plan(yesterday - timedelta(days=2), 5, 10, 7))
rows = pd.read_parquet(f"{folder}/transactions_7d/day={yesterday}", partitioning=None)
row = rows.set_index("account_id").loc[account]
print(json.dumps({name: row[name].item() for name in ("count_7d", "amount_7d")}))
"""
ASK = """
import json, sys, urllib.request
method, url, body = sys.argv[1:]
asked = urllib.request.Request(url, body.encode() or None, {"Content-Type": "application/json"}, method=method)
print(urllib.request.urlopen(asked).read().decode())
"""


ROWS = """
import json, psycopg2
connection = psycopg2.connect("")
cursor = connection.cursor()
cursor.execute("select run_uuid, current_user from runs")
print(json.dumps([*cursor.fetchone(), connection.info.ssl_in_use]))
"""


@dataclass(frozen=True)
class Cluster:
    """The cluster of the stack."""

    access: clusters.ClusterAccess

    def kubectl(self, *words: str) -> str:
        """What kubectl prints."""
        command = [bin_dir() / "kubectl", "--kubeconfig", self.access.kubeconfig_path, *words]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert ran.returncode == 0, f"{words}: {ran.stderr}\n{self.logs()}"
        return ran.stdout

    def told(self, namespace: str, name: str, path: str) -> str:
        """What is at a path (JSONPath) of an object."""
        return self.kubectl("get", "-n", namespace, name, "-o", f"jsonpath={path}")

    def ask(self, namespace: str, deployment: str, method: str, url: str, body: Any = None) -> Any:
        """What a server answers to a pod."""
        sent = json.dumps(body) if body is not None else ""
        words = [
            "exec",
            "-n",
            namespace,
            f"deploy/{deployment}",
            "--",
            "python",
            "-c",
            ASK,
            method,
            url,
            sent,
        ]
        return json.loads(self.kubectl(*words).strip() or "{}")

    def logs(self) -> str:
        """The ends of what all pods wrote."""
        files = sorted((clusters.folder(self.access.name) / "pods").glob("*/logs/*/*.log"))
        return "\n".join(f"{file}:\n{file.read_text()[-2000:]}" for file in files)


@pytest.fixture(scope="module")
def python() -> Path:
    """Of the feature store, and that of MLflow, which the agent needs too: built once per user."""
    environment_of(TRACKING / "requirements.txt")
    return environment_of(FEATURES / "requirements-tests.txt")


@pytest.fixture(scope="module")
def cluster(
    environment: dict[str, str], python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    config = tmp_path_factory.mktemp("config") / "Pulumi.dev.yaml"
    values = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())
    said = values["config"]
    said["india-ai-infra:aws"]["cluster"]["pools"] = []
    said["india-ai-infra:workloads"] = WORKLOADS
    config.write_text(yaml.safe_dump(values))
    # The cluster's agent, which the update starts, runs pods with environments of their own.
    env = cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]) | {claims.HEAVY: "1"}
    stack = Stack("dev", env, config_file=config)
    outcome = stack.up()
    assert not outcome.failed, "\n".join(outcome.errors)
    (access,) = clusters.running()
    yield Cluster(access)
    stack.unprotect()
    destroyed = stack.destroy()
    assert not destroyed.failed, "\n".join(destroyed.errors)
    assert list(doctor.leftovers("dev")) == []
    assert databases.stop_all() == [], "servers go with their databases"


@pytest.fixture(scope="module")
def s3(environment: dict[str, str]) -> Any:
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": REGION}
    return boto3.client("s3", endpoint_url=environment["INDIA_AI_INFRA_AWS_ENDPOINT"], **keys)


def test_runs_are_kept_in_postgresql_and_their_files_in_the_lake(cluster: Cluster, s3: Any) -> None:
    cluster.kubectl(
        "wait", "-n", "tracking", "--for=condition=Available", "deploy/tracking", f"--timeout={SECONDS}s"
    )
    server = "http://tracking.tracking.svc:5000/api/2.0"

    def ask(path: str, body: Any = None, method: str = "POST") -> Any:
        return cluster.ask("tracking", "tracking", method, f"{server}{path}", body)

    experiment = ask("/mlflow/experiments/create", {"name": "loans"})["experiment_id"]
    run = ask("/mlflow/runs/create", {"experiment_id": experiment, "start_time": 0})["run"]["info"]["run_id"]
    ask("/mlflow/runs/log-metric", {"run_id": run, "key": "loss", "value": 0.25, "timestamp": 1, "step": 7})
    ask(f"/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/note.json", {"kept": True}, "PUT")
    (kept,) = ask("/mlflow/runs/search", {"experiment_ids": [experiment]})["runs"]
    assert kept["data"]["metrics"] == [{"key": "loss", "value": 0.25, "timestamp": 1, "step": 7}]
    flags = json.loads(
        cluster.told("tracking", "deploy/tracking", "{.spec.template.spec.containers[0].args}")
    )
    bucket, folder = beside(flags[-2].removeprefix("--artifacts-destination="))
    body = s3.get_object(Bucket=bucket, Key=f"{folder}/{experiment}/{run}/artifacts/note.json")["Body"]
    assert json.load(body) == {"kept": True}
    # By the variables of the pod's Secret, as libpq reads them.
    inside = ["exec", "-n", "tracking", "deploy/tracking", "--", "python", "-c", ROWS]
    assert json.loads(cluster.kubectl(*inside)) == [run, "tracking", True]


def test_a_job_fills_redis_from_the_lake_and_the_server_answers(
    cluster: Cluster, s3: Any, python: Path, tmp_path: Path
) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    words = [python, "-c", GENERATE, tmp_path / "lake", ACCOUNT, str(yesterday)]
    made = subprocess.run(words, cwd=FEATURES, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert made.returncode == 0, made.stderr
    expected = json.loads(made.stdout)
    lake = cluster.told(
        "features", "cronjob/features-materialise", '{..env[?(@.name=="FEATURES_LAKE")].value}'
    )
    bucket, folder = beside(lake)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for file in (tmp_path / "lake").rglob("*.parquet"):
        s3.upload_file(str(file), bucket, f"{folder}/{file.relative_to(tmp_path / 'lake')}")
    cluster.kubectl("create", "job", "-n", "features", "--from=cronjob/features-materialise", "now")
    cluster.kubectl("wait", "-n", "features", "--for=condition=Complete", "job/now", f"--timeout={SECONDS}s")
    asked = {
        "features": [f"transactions_7d:{name}" for name in expected],
        "entities": {"account_id": [ACCOUNT, "acc-nobody"]},
    }
    url = "http://features.features.svc:6566/get-online-features"
    answer = wait(lambda: cluster.ask("features", "features", "POST", url, asked), SECONDS)
    columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    assert {name: columns[name]["values"][0] for name in expected} == expected
    assert {tuple(columns[name]["statuses"]) for name in expected} == {("PRESENT", "NOT_FOUND")}


def beside(uri: str) -> tuple[str, str]:
    """Where the gate of the pods keeps the objects of a folder of the lake: bucket and prefix."""
    bucket, _, folder = uri.removeprefix("s3://").partition("/")
    return bucket + BESIDE, folder
