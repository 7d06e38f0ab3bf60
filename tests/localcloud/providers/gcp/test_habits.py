"""What Google Cloud does beside keeping records: what must exist first, what is there from the start, what lingers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from localcloud.providers.gcp import habits as gcp_habits
from localcloud.providers.gcp import refusals as gcp_refusals
from localcloud.providers.gcp import table as gcp_table
from localcloud.providers.gcp.provider import Gcp
from localcloud.providers.gcp.side_effects import SIDE_EFFECTS, SideEffect
from localcloud.providers.protocol import Resource, ResourceError

BUCKET_GRANT, TOPIC_GRANT = (
    "gcp:storage/bucketIAMMember:BucketIAMMember",
    "gcp:pubsub/topicIAMMember:TopicIAMMember",
)
KEY_GRANT = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
IDENTITY, CHANNEL = "gcp:projects/serviceIdentity:ServiceIdentity", gcp_habits.CHANNEL
LOG_BUCKET, SINK, CLUSTER = gcp_habits.LOG_BUCKET, gcp_habits.SINK, gcp_habits.CLUSTER
PROJECT = "ai-team"


class Project:
    """A project of the local cloud, through its provider, with a clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 26, 10, tzinfo=UTC)
        self.provider = Gcp(lambda: self.now)
        self.provider.configure({"project": PROJECT, "region": "asia-south1"})
        asked = self.provider.invoke("gcp:organizations/getProject:getProject", {})
        self.number = asked["number"]

    def make(self, token: str, **inputs: Any) -> SimpleNamespace:
        urn = f"urn:pulumi:local::india-ai-infra::{token}::one"
        checked = self.provider.check(Resource(urn), {}, inputs)
        resource_id, outputs = self.provider.create(Resource(urn), checked)
        return SimpleNamespace(resource=Resource(urn, resource_id), inputs=checked, outputs=outputs)

    def delete(self, made: SimpleNamespace) -> None:
        self.provider.delete(made.resource, made.inputs, made.outputs)

    def grant(self, member: str, token: str = BUCKET_GRANT) -> SimpleNamespace:
        on = {
            BUCKET_GRANT: {"bucket": "lake"},
            TOPIC_GRANT: {"topic": "alerts"},
            KEY_GRANT: {"cryptoKeyId": "k"},
        }
        return self.make(token, role="roles/viewer", member=member, **on[token])

    def agent(self, name: str) -> str:
        return f"serviceAccount:service-{self.number}@{name}.iam.gserviceaccount.com"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
    plane = {"endpoint": "127.0.0.1:1", "ca": "Q0E=", "version": "1.35.8-gke.1036000"}
    noted = SideEffect(lambda i, s: plane, lambda i, s: {}, lambda i, s: None)
    played = SIDE_EFFECTS | {"cluster": noted, "pool": noted}
    monkeypatch.setattr("localcloud.providers.gcp.provider.SIDE_EFFECTS", played)
    yield Project()


# ── The table ────────────────────────────────────────────────────────────────────────────────────────────────────────
ROWS = yaml.safe_load(Path(gcp_habits.__file__).with_suffix(".yaml").read_text())


def test_each_habit_is_played_and_each_player_has_a_row():
    names = [row["name"] for row in ROWS]
    assert len(set(names)) == len(names)
    rules = {rule.__name__ for rule in gcp_refusals.HABITS}
    assert set(names) == {player.__name__ for player in gcp_habits.PLAYERS} | rules


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_a_row_says_where_it_is_from_and_names_types_of_the_local_cloud(row):
    assert set(row) == {"name", "types", "what", "source", "read"}
    assert all(row.values())
    assert set(row["types"]) <= {"grants", *gcp_table.tokens(), *gcp_table.invokes()}


# ── Agents ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("agent", "service"),
    [
        ("gcp-sa-monitoring-notification", "monitoring"),
        ("gcp-sa-logging", "logging"),
        ("gcp-sa-pubsub", "pubsub"),
        ("container-engine-robot", "container"),
    ],
)
def test_an_agent_is_granted_nothing_until_its_service_identity_is_asked_for(project, agent, service):
    member = project.agent(agent)
    with pytest.raises(ResourceError, match=r"Error 400: Service account service-\d+@.* does not exist"):
        project.grant(member)
    made = project.make(IDENTITY, service=f"{service}.googleapis.com")
    project.grant(member)
    project.delete(made)
    project.grant(member, TOPIC_GRANT)  # the agent outlives the resource


def test_the_address_of_loggings_agent_is_told_by_nobody(project):
    assert project.make(IDENTITY, service="logging.googleapis.com").outputs.get("email") is None
    assert project.make(IDENTITY, service="pubsub.googleapis.com").outputs["email"]


def test_agents_of_apis_exist_and_those_of_other_projects_are_not_judged(project):
    project.grant(project.agent("compute-system"))
    project.grant("serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com")


@pytest.mark.parametrize(
    ("function", "field", "member"),
    [
        (
            "gcp:storage/getProjectServiceAccount:getProjectServiceAccount",
            "emailAddress",
            "gs-project-accounts",
        ),
        ("gcp:logging/getProjectCmekSettings:getProjectCmekSettings", "serviceAccountId", "cmek-p"),
    ],
)
def test_asking_for_an_agent_makes_it(project, function, field, member):
    known = {"gs-project-accounts": project.agent("gs-project-accounts")}
    name = known.get(member, f"serviceAccount:cmek-p{project.number}@gcp-sa-logging.iam.gserviceaccount.com")
    with pytest.raises(ResourceError, match="does not exist"):
        project.grant(name, KEY_GRANT)
    assert f"serviceAccount:{project.provider.invoke(function, {})[field]}" == name
    project.grant(name, KEY_GRANT)


def test_a_first_channel_makes_monitorings_agent_and_one_by_mail_does_not(project):
    member = project.agent("gcp-sa-monitoring-notification")
    project.make(CHANNEL, type="email", labels={"email_address": "soc@example.in"})
    with pytest.raises(ResourceError, match="does not exist"):
        project.grant(member)
    project.make(CHANNEL, type="pubsub", labels={"topic": "t"})
    project.grant(member)


def test_an_account_of_the_project_exists_before_its_grant(project):
    member = f"serviceAccount:nodes-x@{PROJECT}.iam.gserviceaccount.com"
    with pytest.raises(ResourceError, match=f"Service account nodes-x@{PROJECT}.* does not exist"):
        project.grant(member)
    project.make("gcp:serviceaccount/account:Account", accountId="nodes-x")
    project.grant(member)


def test_every_kind_of_grant_is_judged(project):
    absent = project.agent("gcp-sa-pubsub")
    policy = json.dumps({"bindings": [{"role": "roles/viewer", "members": [absent]}]})
    with pytest.raises(ResourceError, match="does not exist"):
        project.make("gcp:storage/bucketIAMPolicy:BucketIAMPolicy", bucket="b", policyData=policy)
    binding = {"bucket": "b", "role": "roles/viewer"}
    with pytest.raises(ResourceError, match="does not exist"):
        project.make("gcp:storage/bucketIAMBinding:BucketIAMBinding", members=[absent], **binding)
    made = project.make(
        "gcp:storage/bucketIAMBinding:BucketIAMBinding", members=["user:a@example.in"], **binding
    )
    with pytest.raises(ResourceError, match="does not exist"):
        project.provider.update(
            made.resource, made.inputs, made.outputs, {**made.inputs, "members": [absent]}
        )


@pytest.mark.parametrize("policy", ["", "[]", "{", "text"])
def test_a_policy_that_is_no_policy_is_refused_in_a_sentence(project, policy):
    with pytest.raises(ResourceError, match="policyData must be the JSON of an IAM policy"):
        project.make("gcp:storage/bucketIAMPolicy:BucketIAMPolicy", bucket="b", policyData=policy)


# ── Identity pools, and other organisations ──────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "member",
    [
        "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ai-team.svc.id.goog"
        "/subject/ns/training/sa/training",
        "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ai-team.svc.id.goog"
        "/namespace/training",
        "serviceAccount:ai-team.svc.id.goog[training/training]",
    ],
)
def test_a_pod_is_granted_nothing_until_a_cluster_made_the_identity_pool(project, member):
    refused = pytest.raises(ResourceError, match=r"Identity Pool does not exist \(ai-team\.svc\.id\.goog\)")
    with refused:
        project.grant(member)
    plain = {"initialNodeCount": 1, "deletionProtection": False}
    project.make(CLUSTER, name="plain", **plain)
    with refused:
        project.grant(member)
    made = project.make(
        CLUSTER, name="gke", workloadIdentityConfig={"workloadPool": "ai-team.svc.id.goog"}, **plain
    )
    project.grant(member)
    project.delete(made)
    project.grant(member, TOPIC_GRANT)  # the pool is the project's


@pytest.mark.parametrize(
    ("member", "permitted"),
    [
        ("group:cloud-storage-analytics@google.com", False),
        ("user:somebody@gmail.com", False),
        ("domain:google.com", False),
        ("group:ml@example.in", True),
        ("user:a@mygoogle.com", True),
    ],
)
def test_members_of_other_organisations_are_refused(project, member, permitted):
    if permitted:
        project.grant(member)
        return
    with pytest.raises(
        ResourceError, match=r"do not belong to a permitted customer.*allowedPolicyMemberDomains"
    ):
        project.grant(member)


# ── What lingers ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _log_bucket(project: Project, name: str, days: int = 400) -> SimpleNamespace:
    where = {"project": PROJECT, "location": "asia-south1"}
    return project.make(LOG_BUCKET, bucketId=name, retentionDays=days, **where)


def test_up_down_up_meets_the_deleted_log_bucket_for_a_week(project):
    project.delete(_log_bucket(project, "audit"))
    with pytest.raises(ResourceError, match="Error 400: Buckets must be in an ACTIVE state to be modified"):
        _log_bucket(project, "audit")
    _log_bucket(project, "audit-a1b2c3")
    project.now += timedelta(days=6, hours=23)
    with pytest.raises(ResourceError, match="ACTIVE state"):
        _log_bucket(project, "audit")
    project.now += timedelta(hours=2)
    _log_bucket(project, "audit")


def test_a_log_bucket_that_stands_is_taken_over(project):
    _log_bucket(project, "audit", 30)
    assert _log_bucket(project, "audit", 400).outputs["retentionDays"] == 400


def test_the_id_of_a_deleted_identity_pool_is_held_for_a_month(project):
    def make() -> SimpleNamespace:
        return project.make(gcp_habits.IDENTITY_POOL, workloadIdentityPoolId="ci-pool")

    project.delete(make())
    project.now += timedelta(days=29)
    with pytest.raises(ResourceError, match=r"Error 409: .*ci-pool already exists"):
        make()
    project.now += timedelta(days=2)
    make()


def test_the_name_of_a_deleted_database_is_held_for_a_week(project):
    def make() -> SimpleNamespace:
        settings = {"tier": "db-custom-1-3840", "edition": "ENTERPRISE"}
        return project.make(
            gcp_habits.DATABASE,
            name="tracking",
            databaseVersion="POSTGRES_17",
            settings=settings,
            deletionProtection=False,
        )

    project.delete(make())
    project.now += timedelta(days=6)
    with pytest.raises(ResourceError, match=r"Error 409: .*tracking already exists"):
        make()
    project.now += timedelta(days=2)
    make()


def test_key_rings_and_keys_never_go(project):
    ring = project.make(gcp_habits.KEY_RING, name="ring", location="asia-south1")
    key = project.make(gcp_habits.KEY, name="key", keyRing=ring.resource.id)
    for made in (key, ring):
        project.delete(made)
    project.now += timedelta(days=1000)
    with pytest.raises(ResourceError, match="Error 409"):
        project.make(gcp_habits.KEY_RING, name="ring", location="asia-south1")
    with pytest.raises(ResourceError, match="Error 409"):
        project.make(gcp_habits.KEY, name="key", keyRing=ring.resource.id)


# ── Sinks of every project ───────────────────────────────────────────────────────────────────────────────────────────
def _sink(name: str) -> Resource:
    return Resource(f"urn:pulumi:local::india-ai-infra::{SINK}::one", f"projects/{PROJECT}/sinks/{name}")


def test_a_project_begins_with_a_sink_to_global_that_a_program_takes_over_and_leaves_behind(project):
    begins = project.provider.read(_sink("_Default"), {}, {})
    assert begins is not None
    assert begins[1]["destination"].endswith(f"projects/{PROJECT}/locations/global/buckets/_Default")
    regional = f"logging.googleapis.com/projects/{PROJECT}/locations/asia-south1/buckets/audit"
    made = project.make(SINK, name="_Default", destination=regional)
    project.delete(made)
    left = project.provider.read(_sink("_Default"), {}, {})
    assert left is not None
    assert left[1]["destination"] == regional, "deleting the resource restores nothing"
    project.make(SINK, name="_Default", destination=regional)


def test_a_sink_of_ones_own_goes(project):
    project.delete(project.make(SINK, name="mine", destination="storage.googleapis.com/b"))
    assert project.provider.read(_sink("mine"), {}, {}) is None


def test_nobody_changes_what_google_requires(project):
    with pytest.raises(ResourceError, match="_Required can't be changed"):
        project.make(SINK, name="_Required", destination="storage.googleapis.com/b")
