"""Databases of pods: a real PostgreSQL for each, at its cloud's name, under TLS, by libpq as a pod has it."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localcloud import cloud, databases
from localcloud.databases import Database
from localcloud.environments import environment
from localcloud.kubernetes.agent import namespaces
from localcloud.kubernetes.agent.databases import Databases
from localcloud.kubernetes.agent.references import NotThereError, References
from localcloud.providers.gcp.provider import Gcp
from localcloud.providers.protocol import Resource, Values

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
        values = {"PGHOST": database.server, "ca.pem": REGION_ROOT.read_text()}
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
        "host": TRACKING.server, "hostaddr": address, "dbname": "tracking", "user": "tracking",
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
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
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
    assert (host, names) == (database.server, ["changed"])
    return address, folder / "pod" / "volumes" / "database" / "ca.pem"


def test_a_pod_s_variables_lead_to_a_database_of_its_own_and_nothing_else_does(home: Path) -> None:
    databases.made(TRACKING)
    address, authority = prepared(home / "first", TRACKING)
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
    address, authority = prepared(home / "second", changed)
    old, new = ask(address, authority, ("select 1", {}), ("select id from runs", {"password": "another"}))
    assert "password authentication failed" in old
    assert new == [7]
    assert cloud.stop() == [f"PostgreSQL of {TRACKING.server}"]
    assert "refused" in ask(address, authority, ("select 1", {"password": "another"}))[0]
    assert not databases.folder().exists()


def test_on_google_the_address_leads_there_as_its_forwarding_rule_says(home: Path) -> None:
    gcp, place = Gcp(), {"project": "acme", "region": "asia-south1"}
    gcp.configure(place)

    def make(token: str, **inputs: Any) -> tuple[Resource, Values, Values]:
        urn = f"urn:pulumi:unit::unit::gcp:{token}::db"
        checked = gcp.check(Resource(urn), {}, inputs)
        resource_id, outputs = gcp.create(Resource(urn), checked)
        return Resource(urn, resource_id), checked, outputs

    instance = make(
        "sql/databaseInstance:DatabaseInstance",
        **place,
        databaseVersion="POSTGRES_17",
        deletionProtection=False,
    )
    of_instance = {"project": "acme", "instance": instance[2]["name"], "name": "tracking"}
    make("sql/database:Database", **of_instance)
    make("sql/user:User", **of_instance, password=TRACKING.password)
    address = make("compute/address:Address", **place, name="db", addressType="INTERNAL")[2]
    host = address["address"]
    agent, asking = Databases(home, lambda: None), pod(replace(TRACKING, server=host))
    (home / "volumes" / "database").mkdir(parents=True)
    with pytest.raises(NotThereError, match=f"no forwarding rule leads {re.escape(host)} to a database"):
        agent.prepare(asking, home)
    way = {"ipAddress": address["selfLink"], "target": instance[2]["pscServiceAttachmentLink"]}
    make("compute/forwardingRule:ForwardingRule", **place, name="db", loadBalancingScheme="", **way)
    variables = agent.prepare(asking, home)
    assert (agent.names(), list(variables)) == ([], ["PGHOSTADDR"])
    to = {"host": host, "sslmode": "verify-ca"}
    authority = home / "volumes" / "database" / "ca.pem"
    assert ask(variables["PGHOSTADDR"], authority, ("select current_user", to)) == [["tracking"]]
    gcp.delete(*instance)
    assert databases.stop_all() == []
    assert not (databases.folder() / instance[2]["name"]).exists()


def test_a_pod_waits_for_its_secret_and_is_told_what_postgresql_says(home: Path, monkeypatch: Any) -> None:
    agent = Databases(home, lambda: None)
    databases.made(TRACKING)
    missing = pod(TRACKING)
    monkeypatch.setattr(missing.api, "get", lambda wanted: None)
    with pytest.raises(NotThereError, match='secret "database" not found'):
        agent.prepare(missing, home)
    # Data of another version, say.
    broken = databases.folder() / TRACKING.server / "data"
    broken.mkdir(parents=True)
    with pytest.raises(NotThereError, match="postgres failed"):
        agent.prepare(pod(TRACKING), home)
    # One that nobody made here stays as the Secret has it.
    agent.prepare(pod(replace(TRACKING, server="db.example")), home)
