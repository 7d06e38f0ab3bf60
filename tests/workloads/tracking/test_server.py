"""MLflow's server as the pod runs it, on a real PostgreSQL and an S3: what it does, exports and refuses."""

from __future__ import annotations

import re

import pytest
import requests

from tests.workloads.tracking.conftest import BUCKET, Lake, Server
from workloads.tracking.needs import ALERTS

pytestmark = pytest.mark.slow

RUN = """
import json, pathlib, sys, mlflow
mlflow.set_experiment("nightly")
with mlflow.start_run(run_name="first") as run:
    mlflow.log_param("steps", 3)
    for step in range(3):
        mlflow.log_metric("loss", 3.0 - step, step=step)
    mlflow.log_text("hello", "notes/first.txt")
back = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/first.txt")
print(json.dumps([run.info.run_id, run.info.artifact_uri, back]))
"""


@pytest.fixture(scope="module")
def run(server: Server) -> list[str]:
    """The ID of a run, where its artifacts are, and what one of them has."""
    return server.script(RUN)


def test_a_run_and_what_it_keeps_are_in_the_database_and_the_lake(run: list[str], lake: Lake) -> None:
    of, uri, back = run
    # The client has no key of the lake's: the server is asked.
    assert uri.startswith("mlflow-artifacts:/")
    assert back == "hello"
    (found,) = lake.s3.list_objects_v2(Bucket=BUCKET, Prefix="tracking/")["Contents"]
    assert found["Key"] == f"tracking/{uri.partition(':/')[2]}/notes/first.txt"
    assert of in uri


@pytest.mark.usefixtures("run")
def test_alerts_name_metrics_that_the_server_exports(server: Server) -> None:
    text = requests.get(f"{server.url}/metrics", timeout=60).text
    exported = set(re.findall(r"^([a-z_]+)(?=[{ ])", text, re.MULTILINE))
    for alert in ALERTS:
        named = set(re.findall(r"\bmlflow_[a-z_]+", alert.expression))
        assert named
        assert named <= exported, alert.name
        assert {*re.findall(r"(\w+)=~", alert.expression)} <= {*re.findall(r'(\w+)="', text)}


@pytest.mark.parametrize(
    ("host", "answer"), [("tracking.tracking.svc:5000", 200), ("evil.example", 403), ("10.0.0.1:5000", 403)]
)
def test_it_answers_to_the_names_that_it_was_given_alone(server: Server, host: str, answer: int) -> None:
    found = requests.get(f"{server.url}/metrics", headers={"Host": host}, timeout=60)
    assert found.status_code == answer
    # Probes are by the pod's address.
    assert requests.get(f"{server.url}/health", headers={"Host": host}, timeout=60).status_code == 200


def test_another_sites_page_can_t_write(server: Server) -> None:
    address = f"{server.url}/api/2.0/mlflow/experiments/create"
    origin = {"Origin": "https://evil.example"}
    refused = requests.post(address, json={"name": "stolen"}, headers=origin, timeout=60)
    assert refused.status_code == 403


def test_a_database_of_a_newer_mlflow_is_named_and_left_alone(server: Server) -> None:
    version = "import json, psycopg2, sys; c = psycopg2.connect(''); c.autocommit = True; k = c.cursor(); "
    select = "k.execute('SELECT version_num FROM alembic_version'); print(json.dumps(k.fetchone()[0]))"
    update = "k.execute('UPDATE alembic_version SET version_num = %s', (sys.argv[1],)); print('0')"
    before = server.script(version + select)
    server.script(version + update, "ffffffffffff")
    try:
        replica = server.migrate()
        _, error = replica.communicate(timeout=300)
        assert replica.returncode == 1
        assert "error: a newer MLflow than 3.17.2 has migrated the database" in error
        assert "Traceback" not in error
        assert server.script(version + select) == "ffffffffffff"
    finally:
        server.script(version + update, before)
