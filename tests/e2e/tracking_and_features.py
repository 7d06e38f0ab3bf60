"""What pods of the tracking server and of the feature store do on the local cloud: MLflow and Feast on PostgreSQL,
Redis, and the lake by their own rights. test_training_survives.py has the stack: to bring one up costs as much again.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from localcloud.directories import PROJECT, bin_dir
from localcloud.environments import environment as environment_of
from localcloud.kubernetes import clusters
from localcloud.kubernetes.agent.stores import BESIDE

REGION = "ap-south-1"
FEATURES = PROJECT / "workloads" / "features"
REQUIREMENTS = {
    "features": FEATURES / "requirements-tests.txt",
    "tracking": PROJECT / "workloads" / "tracking" / "requirements.txt",
}
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
# Writes the lake's files, and prints what each day's snapshot says of the account.
GENERATE = """
import json, sys
from datetime import date, timedelta
import pandas as pd
from programs.generate import Plan, generate
folder, account, first = sys.argv[1], sys.argv[2], date.fromisoformat(sys.argv[3])
generate(folder, Plan(first, 5, 10, 7))
rows = pd.concat(pd.read_parquet(f"{folder}/transactions_7d/day={first + timedelta(days=day)}") for day in range(5))
own = rows[rows.account_id == account]
print(json.dumps({
    moment.date().isoformat(): {"count_7d": count, "amount_7d": amount}
    for moment, count, amount in zip(own.event_timestamp, own.count_7d, own.amount_7d)
}))
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


def keeps_runs(cluster: Cluster, s3: Any) -> None:
    """A run that a pod logs is in PostgreSQL, and its file in the lake."""
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


def serves_features(cluster: Cluster, s3: Any, home: Path) -> None:
    """A Job of the CronJob fills Redis from the lake, and a pod gets the features from the server."""
    # From days ago to tomorrow, so that the end of a day while this runs changes nothing.
    first = (datetime.now(UTC) - timedelta(days=3)).date()
    words = [environment_of(REQUIREMENTS["features"]), "-c", GENERATE, home, ACCOUNT, str(first)]
    made = subprocess.run(words, cwd=FEATURES, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert made.returncode == 0, made.stderr
    by_day = json.loads(made.stdout)
    path = '{..env[?(@.name=="FEATURES_LAKE")].value}'
    bucket, folder = beside(cluster.told("features", "cronjob/features-materialise", path))
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for file in home.rglob("*.parquet"):
        s3.upload_file(str(file), bucket, f"{folder}/{file.relative_to(home)}")
    cluster.kubectl("create", "job", "-n", "features", "--from=cronjob/features-materialise", "now")
    cluster.kubectl("wait", "-n", "features", "--for=condition=Complete", "job/now", f"--timeout={SECONDS}s")
    asked = {
        "features": ["transactions_7d:count_7d", "transactions_7d:amount_7d"],
        "entities": {"account_id": [ACCOUNT, "acc-nobody"]},
    }
    answer = cluster.ask(
        "features", "features", "POST", "http://features.features.svc:6566/get-online-features", asked
    )
    columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    for name in ("count_7d", "amount_7d"):
        assert columns[name]["statuses"] == ["PRESENT", "NOT_FOUND"]
        # Which snapshot is the last one depends on the hour.
        snapshot = columns[name]["event_timestamps"][0][:10]
        assert columns[name]["values"][0] == by_day[snapshot][name]


def beside(uri: str) -> tuple[str, str]:
    """Where the gate of the pods keeps the objects of a folder of the lake: bucket and prefix."""
    bucket, _, folder = uri.removeprefix("s3://").partition("/")
    return bucket + BESIDE, folder
