"""Access: who may reach what, and that no key is handed out."""

from __future__ import annotations

import re

import pulumi_gcp as gcp
import pytest

from infra import contracts
from infra.contracts.governance import DATA
from infra.contracts.grants import Grant
from infra.gcp import grants
from infra.gcp.access import Access, AccessArgs, groups_domain
from tests.workloads.registered import NEEDS, WORKLOAD_GRANTS

PEOPLE = {
    "data-engineer": ["group:data@example.in"],
    "ml-engineer": ["group:ml@example.in", "user:lead@example.in"],
    "auditor": ["group:audit@example.in"],
}
MEMBERS = {
    "data-engineer": "group:data@example.in",
    "ml-engineer": "group:ml@example.in",
    "auditor": "group:audit@example.in",
    **{
        pod: "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/"
        f"unit-project.svc.id.goog/subject/ns/{pod}/sa/{pod}"
        for pod in WORKLOAD_GRANTS
    },
}
ALLOWS = {
    "roles/storage.bucketViewer": {"see"},
    "roles/storage.objectViewer": {"get", "list"},
    "roles/storage.objectCreator": {"create"},
    "roles/storage.objectUser": {"get", "list", "create", "delete"},
}


@pytest.fixture(scope="module")
def build(deploy, project, bucket):
    def run(people):
        def program():
            lake = contracts.Lake({role: bucket(role) for role in (*DATA, "audit")})
            cluster = gcp.container.Cluster("cluster", initial_node_count=1)
            Access("access", AccessArgs(project, lake, cluster, people, NEEDS))

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build(PEOPLE)


def _may(made, who, action, where):
    """Whether a binding allows it: IAM's reading of the two conditions that grants are made of."""
    role, _, path = where.partition("/")
    for binding in made.of("BucketIAMMember").values():
        said = binding.inputs
        if said["member"] != MEMBERS[who] or said["bucket"] != role or action not in ALLOWS[said["role"]]:
            continue
        below = said.get("condition")
        if below is None:
            return True
        name, listed = re.findall(r'startsWith\("([^"]*)"\)', below["expression"])
        if action == "list":
            return path.startswith(listed)
        if f"projects/_/buckets/{role}/objects/{path}".startswith(name):
            return True
    return False


@pytest.mark.parametrize(
    ("who", "action", "where", "allowed"),
    [
        ("data-engineer", "create", "raw/landing/day.parquet", True),
        ("data-engineer", "create", "raw/settled/day.parquet", False),
        ("data-engineer", "delete", "raw/landing/day.parquet", False),
        ("data-engineer", "create", "curated/day.parquet", True),
        ("data-engineer", "get", "models/released/m", False),
        ("ml-engineer", "get", "raw/landing/day.parquet", False),
        ("ml-engineer", "get", "curated/day.parquet", True),
        ("ml-engineer", "create", "curated/day.parquet", False),
        ("ml-engineer", "create", "models/released/m", True),
        ("ml-engineer", "create", "models/candidates/m", False),
        ("ml-engineer", "get", "audit/x", False),
        ("auditor", "get", "audit/x", True),
        ("auditor", "get", "raw/landing/day.parquet", False),
        ("auditor", "create", "audit/x", False),
        ("training", "get", "features/x", True),
        ("training", "create", "checkpoints/jobs/train/1.pt", True),
        ("training", "delete", "checkpoints/jobs/train/1.pt", True),
        ("training", "delete", "checkpoints/experiments/1.pt", False),
        ("training", "create", "models/released/m", False),
        ("training", "create", "models/candidates/m", True),
        ("training", "get", "raw/landing/day.parquet", False),
        ("serving", "get", "models/released/m", True),
        ("serving", "list", "models/released/", True),
        ("serving", "list", "models/", False),
        ("serving", "get", "models/candidates/m", False),
        ("serving", "create", "models/released/m", False),
        ("serving", "get", "checkpoints/jobs/train/1.pt", False),
    ],
)
def test_a_member_reaches_what_it_needs_and_no_more(made, who, action, where, allowed):
    assert _may(made, who, action, where) is allowed


def test_no_role_reaches_a_buckets_settings_and_no_account_has_a_key(made):
    assert {binding.inputs["role"] for binding in made.of("BucketIAMMember").values()} <= set(ALLOWS)
    assert not made.of("serviceaccount/key:Key") and not made.of("serviceaccount/account:Account")


def test_people_find_the_cluster_and_auditors_the_logs(made):
    roles: dict[str, set[str]] = {}
    for grant in made.of("projects/iAMMember:IAMMember").values():
        roles.setdefault(grant.inputs["member"], set()).add(grant.inputs["role"])
    find = {"roles/container.clusterViewer"}
    assert roles["user:lead@example.in"] == roles["group:data@example.in"] == find
    assert roles["group:audit@example.in"] == find | {
        "roles/iam.securityReviewer",
        "roles/logging.privateLogViewer",
    }


def test_a_role_without_people_is_nobodys(build):
    made = build({})
    assert not made.of("projects/iAMMember:IAMMember")
    members = {binding.inputs["member"] for binding in made.of("BucketIAMMember").values()}
    assert members == {MEMBERS[name] for name in WORKLOAD_GRANTS}


def test_pods_are_granted_once_the_cluster_made_their_identity_pool_and_people_at_once(made):
    cluster = made.one("container/cluster:Cluster").urn
    for binding in made.of("BucketIAMMember").values():
        pod = binding.inputs["member"].startswith("principal://")
        assert (cluster in binding.depends_on) is pod, binding.name


def test_a_grant_on_no_bucket_is_refused(bucket):
    with pytest.raises(LookupError, match="bucket lakes; there are raw"):
        list(grants.bindings({"raw": bucket("raw")}, [Grant("lakes", "read")]))


def test_the_domain_of_groups():
    assert groups_domain(PEOPLE) == "example.in"
    assert groups_domain({"auditor": ["user:a@example.in"]}) is None
