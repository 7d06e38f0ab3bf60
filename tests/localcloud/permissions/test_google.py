"""Every call that was recorded on Google is allowed by what the stack renders, and no more is granted than is used."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.contracts.grants import HUMANS, Grant
from localcloud.permissions.gcs_calls import Call, needs, read
from localcloud.permissions.google_policies import (
    Binding,
    UnknownRoleError,
    allowing,
    holds,
    refusals,
    roles,
)
from tests.localcloud.permissions import recorded, rendered
from tests.localcloud.permissions.programs import ACCOUNTS, PROGRAMS, RIGHTLESS, WORKLOAD_GRANTS
from tests.localcloud.permissions.recorded import Row

pytestmark = pytest.mark.slow

PEOPLE = {who: f"group:{who}@example.in" for who in HUMANS}
ROWS = [(program, row) for program in PROGRAMS for row in recorded.read(f"gcp-{program.name}")]


@pytest.fixture(scope="module")
def granted(deploy: Any) -> list[Binding]:
    """The bindings of a stack whose people are known."""
    access = {"dataEngineers": [PEOPLE["data-engineer"]], "mlEngineers": [PEOPLE["ml-engineer"]]}
    people = {**access, "auditors": [PEOPLE["auditor"]]}
    return rendered.google_bindings(
        rendered.deployed(deploy, "prod", {"india-ai-infra:gcp": {"access": people}})
    )


def member(who: str) -> str:
    if who in PEOPLE:
        return PEOPLE[who]
    pod = ACCOUNTS[who]
    return rendered.google_member(rendered.Container(pod.namespace, pod.name, {}, []))


def call(row: Row, buckets: Mapping[str, str]) -> Call:
    """The call that a row was."""
    source, _, key = row.source.partition("/")
    prefix = None if row.prefix == "-" else row.prefix
    return Call(
        row.operation, buckets[row.bucket], row.key, prefix, (buckets[source], key) if source else None
    )


@pytest.mark.parametrize(
    ("program", "row"), ROWS, ids=lambda part: getattr(part, "name", None) or f"{part.operation}-{part.key}"
)
def test_a_recorded_call_is_answered_as_it_was(
    granted: list[Binding], google_buckets: dict[str, str], program: Any, row: Row
) -> None:
    asked, who = call(row, google_buckets), member(program.grants)
    if row.answer == "refused":
        # An object that is not there: whoever lists a part of a bucket is not told so.
        missing = row.operation == "objects.get"
        assert refusals(granted, who, asked, missing=missing), f"{row} was refused, and is allowed"
    else:
        assert not (found := refusals(granted, who, asked)), "; ".join(found)


def unused_on_purpose() -> Iterator[tuple[str, str, str]]:
    with Path(__file__).with_name("unused_google.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert row["reason"], row
            for permission in row["permissions"].split():
                yield row["workload"], row["bucket"], permission


# The roles are Google's own, and hold more than our programs know of: what these do is not ours to choose.
OF_THE_ROLES = {
    "storage.buckets.list",
    "storage.objects.update",
    "storage.multipartUploads.create",
    "storage.multipartUploads.abort",
    "storage.multipartUploads.list",
    "storage.multipartUploads.listParts",
}


def test_no_workload_has_a_permission_that_no_call_uses(
    granted: list[Binding], google_buckets: dict[str, str]
) -> None:
    named = {name: role for role, name in google_buckets.items()}
    used = {
        (program.grants, named[need.bucket], need.permission)
        for program, row in ROWS
        if row.answer != "refused"
        for need in needs(call(row, google_buckets))
        if allowing(granted, member(program.grants), need)
    }
    held = {
        (who, named[binding.bucket], permission)
        for who in WORKLOAD_GRANTS
        for binding in granted
        if binding.member == member(who)
        for permission in roles(binding.role)
        if permission not in OF_THE_ROLES
    }
    on_purpose = set(unused_on_purpose())
    assert not (too_much := sorted(held - used - on_purpose)), f"granted, and used by no call: {too_much}"
    assert not (stale := sorted(on_purpose - (held - used))), f"in unused_google.csv, but used: {stale}"


def calls_of(grant: Grant, bucket: str, prefix: str) -> Sequence[Call]:
    """What a right means: the calls that someone who has it makes below a prefix."""
    key = f"{prefix}part"
    read_it = [
        Call("buckets.get", bucket),
        Call("objects.get", bucket, key),
        Call("objects.list", bucket, "", prefix),
    ]
    add = [Call("objects.insert", bucket, key)]
    prune = [Call("objects.delete", bucket, key), Call("objects.rewrite", bucket, key, source=(bucket, key))]
    rights = {
        "read": read_it,
        "add": add,
        "write": [*read_it, *add],
        "prune": [*read_it, *add, *prune],
    }
    return rights[grant.right]


GRANTS = [
    (who, grant)
    for who, given_to in {**HUMANS, **WORKLOAD_GRANTS}.items()
    for grant in given_to
    if grant.bucket != "access-logs"
]


@pytest.mark.parametrize(("who", "grant"), GRANTS, ids=str)
def test_a_grant_gives_its_right_and_only_below_its_prefix(
    granted: list[Binding], google_buckets: dict[str, str], who: str, grant: Grant
) -> None:
    bucket = google_buckets[grant.bucket]
    for asked in calls_of(grant, bucket, grant.prefix):
        assert not (found := refusals(granted, member(who), asked)), found
    others = {own.prefix for own in {**HUMANS, **WORKLOAD_GRANTS}[who] if own.bucket == grant.bucket}
    if "" in others:
        return
    for asked in calls_of(grant, bucket, "elsewhere/"):
        assert asked.operation == "buckets.get" or refusals(granted, member(who), asked), asked


@pytest.mark.parametrize("workload", RIGHTLESS)
def test_a_workload_without_grants_is_there_without_a_binding(
    prod: Any, granted: list[Binding], workload: str
) -> None:
    assert ACCOUNTS[workload].namespace in rendered.network(prod, "gcp").namespaces
    assert member(workload) not in {binding.member for binding in granted}


def test_a_list_of_the_whole_bucket_is_refused_to_who_has_a_part(
    granted: list[Binding], google_buckets: dict[str, str]
) -> None:
    for prefix in (None, "", "job", "candidates/"):
        asked = Call("objects.list", google_buckets["checkpoints"], prefix=prefix)
        assert refusals(granted, member("training"), asked), prefix


def test_without_its_binding_a_refused_call_names_what_lacks(
    granted: list[Binding], google_buckets: dict[str, str]
) -> None:
    less = [binding for binding in granted if binding.role != "roles/storage.bucketViewer"]
    (why,) = refusals(less, member("serving"), Call("buckets.get", google_buckets["models"]))
    assert why.startswith(f"storage.buckets.get on projects/_/buckets/{google_buckets['models']} ")


def test_pods_reach_the_store_and_their_identity_and_nothing_else(prod: Any) -> None:
    for workload in WORKLOAD_GRANTS:
        namespace = ACCOUNTS[workload].namespace
        assert rendered.may_reach(prod, "gcp", namespace, "199.36.153.8", 443), "private.googleapis.com"
        assert rendered.may_reach(prod, "gcp", namespace, "169.254.169.254", 80), "the metadata server"
        assert not rendered.may_reach(prod, "gcp", namespace, "142.250.183.16", 443), "storage.googleapis.com"


# Slashes and dots are what conditions and paths are made of.
PATHS = st.text(alphabet="ab/.-", max_size=8)


@given(PATHS, PATHS, PATHS)
def test_a_condition_is_what_it_says(prefix: str, key: str, listed: str) -> None:
    expression = (
        f'resource.name.startsWith("projects/_/buckets/b/objects/{prefix}") || '
        f'api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("{prefix}")'
    )
    assert holds(expression, f"projects/_/buckets/b/objects/{key}", "") is (
        key.startswith(prefix) or "".startswith(prefix)
    )
    assert holds(expression, "projects/_/buckets/b", listed) is listed.startswith(prefix)


@pytest.mark.parametrize(
    ("method", "target", "operation", "key"),
    [
        ("GET", "/storage/v1/b/lake?projection=noAcl", "buckets.get", ""),
        ("GET", "/storage/v1/b/lake/o?prefix=jobs/", "objects.list", ""),
        ("GET", "/storage/v1/b/lake/o/jobs%2Fa%2Fb", "objects.get", "jobs/a/b"),
        ("GET", "/download/storage/v1/b/lake/o/jobs%2Fa?alt=media", "objects.get", "jobs/a"),
        (
            "POST",
            "/upload/storage/v1/b/lake/o?uploadType=resumable&name=jobs%2Fa",
            "objects.insert",
            "jobs/a",
        ),
        ("DELETE", "/storage/v1/b/lake/o/jobs%2Fa", "objects.delete", "jobs/a"),
        ("POST", "/storage/v1/b/x/o/f/rewriteTo/b/lake/o/jobs%2Fa", "objects.rewrite", "jobs/a"),
    ],
)
def test_a_request_is_the_call_that_it_is(method: str, target: str, operation: str, key: str) -> None:
    found = read(method, target)
    assert (found.operation, found.bucket, found.key) == (operation, "lake", key)


def test_a_role_that_nobody_looked_up_is_refused() -> None:
    unknown = [Binding("x", "lake", "user:a@example.in", "roles/storage.admin", None)]
    with pytest.raises(UnknownRoleError, match=r"storage\.admin is not in gcs_roles\.csv"):
        refusals(unknown, "user:a@example.in", Call("buckets.get", "lake"))
