"""Databases of pods: a real PostgreSQL for each, at its cloud's name, under TLS, by libpq as a pod has it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localcloud import databases
from localcloud.databases import Database
from localcloud.environments import environment
from localcloud.kubernetes.agent import namespaces
from localcloud.kubernetes.agent.databases import Databases
from localcloud.kubernetes.agent.references import NotThereError, References

pytestmark = pytest.mark.slow

FEATURES = Path(__file__).parents[4] / "workloads" / "features" / "requirements-tests.txt"
REGION_ROOT = Path(__file__).parents[4] / "infra" / "aws" / "rds_certificates" / "ap-south-1.pem"
TRACKING = Database(
    "stack-tracking.abc.ap-south-1.rds.amazonaws.com", "tracking", "tracking", 'it\'s "s3cret"'
)
CLIENT = """
import json, sys
import psycopg2
for asked in json.load(sys.stdin):
    try:
        connection = psycopg2.connect(**asked["to"])
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(asked["sql"])
        print(json.dumps(cursor.fetchone() if cursor.description else "done"))
        connection.close()
    except psycopg2.Error as error:
        print(json.dumps(f"refused: {error}"))
"""


class Secrets:
    """An API server with the Secret of a stack."""

    def __init__(self, database: Database) -> None:
        values = {"PGHOST": database.host, "ca.pem": REGION_ROOT.read_text()}
        self.data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}

    def get(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        return (
            {"data": self.data}
            if (wanted["kind"], wanted["metadata"]["name"]) == ("Secret", "database")
            else None
        )


def pod(database: Database) -> References:
    container = {"image": "tracking:1", "envFrom": [{"secretRef": {"name": "database"}}]}
    volumes = [{"name": "database", "secret": {"secretName": "database"}}]
    spec = {"containers": [container], "volumes": volumes}
    return References(Secrets(database), {"metadata": {"namespace": "tracking"}, "spec": spec})  # type: ignore[arg-type]


def ask(address: str, authority: Path, *cases: tuple[str, Mapping[str, str]]) -> list[Any]:
    """What statements answer, each on a connection as the pod's variables have it, but for what the case says."""
    to = {
        "host": TRACKING.host, "hostaddr": address, "dbname": "tracking", "user": "tracking",
        "password": TRACKING.password, "sslmode": "verify-full", "sslrootcert": str(authority),
    }  # fmt: skip
    asked = [{"sql": sql, "to": {**to, **others}} for sql, others in cases]
    words = [environment(FEATURES), "-c", CLIENT]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    ran = subprocess.run(
        words, input=json.dumps(asked), capture_output=True, text=True, env=clean, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    if refused := namespaces.refused():
        pytest.skip(refused)
    environment(FEATURES)
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path / "run"))
    yield tmp_path
    databases.stop_all()


def prepared(folder: Path, database: Database) -> tuple[str, Path]:
    """Address of a pod's database, and the pod's authority."""
    (folder / "pod" / "volumes" / "database").mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    agent = Databases(folder, lambda: names.append("changed"))
    agent.prepare(pod(database), folder / "pod")
    ((address, host),) = agent.names()
    assert (host, names) == (database.host, ["changed"])
    return address, folder / "pod" / "volumes" / "database" / "ca.pem"


def test_a_pod_s_variables_lead_to_a_database_of_its_own_and_nothing_else_does(cloud: Path) -> None:
    databases.made(TRACKING)
    address, authority = prepared(cloud / "first", TRACKING)
    as_asked, rights, regions, plain, other, wrong = ask(
        address,
        authority,
        ("create table runs as select 7 as id", {}),
        ("select current_user, rolsuper, current_database() from pg_roles where rolname = current_user", {}),
        ("select 1", {"sslrootcert": str(REGION_ROOT)}),
        ("select 1", {"sslmode": "disable"}),
        ("select 1", {"host": "another.abc.ap-south-1.rds.amazonaws.com"}),
        ("select 1", {"password": "guessed"}),
    )
    assert (as_asked, rights) == ("done", ["tracking", False, "tracking"])
    assert "certificate verify failed" in regions
    assert "no encryption" in plain
    assert "does not match host name" in other
    assert "password authentication failed" in wrong
    # Another password of the stack's, and an agent of another cluster: the data are there.
    changed = replace(TRACKING, password="another")
    databases.made(changed)
    address, authority = prepared(cloud / "second", changed)
    old, new = ask(address, authority, ("select 1", {}), ("select id from runs", {"password": "another"}))
    assert "password authentication failed" in old
    assert new == [7]
    databases.gone(TRACKING.host)
    assert "refused" in ask(address, authority, ("select 1", {"password": "another"}))[0]
    assert (databases.at(TRACKING.host), databases.stop_all()) == (None, [])
    assert not (databases.folder() / TRACKING.host).exists()


def test_a_pod_waits_for_its_secret_and_is_told_what_postgresql_says(cloud: Path, monkeypatch: Any) -> None:
    agent = Databases(cloud, lambda: None)
    databases.made(TRACKING)
    missing = pod(TRACKING)
    monkeypatch.setattr(missing.api, "get", lambda wanted: None)
    with pytest.raises(NotThereError, match='secret "database" not found'):
        agent.prepare(missing, cloud)
    # Data of another version, say.
    broken = databases.folder() / TRACKING.host / "data"
    broken.mkdir(parents=True)
    with pytest.raises(NotThereError, match="postgres failed"):
        agent.prepare(pod(TRACKING), cloud)
    # One that nobody made here stays as the Secret has it.
    agent.prepare(pod(replace(TRACKING, host="db.example")), cloud)
