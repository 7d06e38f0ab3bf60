"""Every call that was recorded in a pod is allowed by what the stack renders, and nothing is allowed that no call uses.

Judged together: the role's policy, the bucket's, the key's, the S3 endpoint's, the role's trust, and the way out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.contracts.grants import HUMANS, Grant
from localcloud.permissions.aws_account import Account
from localcloud.permissions.iam_policies import allowing
from localcloud.permissions.s3_calls import Call, needs
from tests.localcloud.permissions import recorded, rendered
from tests.localcloud.permissions.programs import ACCOUNTS, PROGRAMS, RIGHTLESS, UNRECORDED, WORKLOAD_GRANTS
from tests.localcloud.permissions.recorded import Row
from tests.localcloud.permissions.rendered import S3_RANGES

pytestmark = pytest.mark.slow

EVERYBODY = {**HUMANS, **WORKLOAD_GRANTS}
ROWS = [(program, row) for program in PROGRAMS for row in recorded.read(f"aws-{program.name}")]


def call(row: Row, buckets: Mapping[str, str]) -> Call:
    """The call that a row was."""
    source, _, key = row.source.partition("/")
    return Call(
        row.operation,
        buckets[row.bucket],
        (row.key,) if row.key else (),
        None if row.prefix == "-" else row.prefix,
        (buckets[source], key) if source else None,
        dict(pair.split("=", 1) for pair in row.headers.split()),
    )


def refusals(account: Account, who: str, asked: Call, *, missing: bool = False) -> list[str]:
    verdicts = account.may(account.roles[who], asked, missing=missing)
    return [verdict.why for verdict in verdicts if not verdict.allowed]


@pytest.mark.parametrize(
    ("program", "row"), ROWS, ids=lambda part: getattr(part, "name", None) or f"{part.operation}-{part.key}"
)
def test_a_recorded_call_is_answered_as_it_was(
    account: Account, buckets: dict[str, str], program: Any, row: Row
) -> None:
    found = refusals(account, program.grants, call(row, buckets), missing=row.answer == "missing")
    if row.answer == "refused":
        assert found, f"{program.name}: {row} was refused when it was recorded, and is allowed"
    else:
        assert not found, "; ".join(found)


def test_every_workload_with_rights_has_a_recording() -> None:
    assert {program.grants for program in PROGRAMS} == set(WORKLOAD_GRANTS) - UNRECORDED


@pytest.mark.parametrize("workload", RIGHTLESS)
def test_a_workload_without_grants_is_there_without_a_role(
    prod: Any, account: Account, workload: str
) -> None:
    namespace = ACCOUNTS[workload].namespace
    assert namespace in rendered.network(prod, "aws").namespaces
    assert workload not in account.roles
    given = prod.of("eks/podIdentityAssociation:PodIdentityAssociation").values()
    assert namespace not in {each.inputs["namespace"] for each in given}


def used(account: Account, buckets: dict[str, str]) -> set[tuple[str, str, str]]:
    """Role, statement and action of every allowance that a recorded call rests on."""
    found = set()
    for program, row in ROWS:
        if row.answer == "refused":
            continue
        role = account.roles[program.grants]
        for need in needs(call(row, buckets), missing=row.answer == "missing"):
            request = account.request(role, need)
            for held in role.policies.values():
                found |= {
                    (program.grants, statement["Sid"], need.action) for statement in allowing(request, held)
                }
    return found


def unused_on_purpose() -> Iterator[tuple[str, str, str]]:
    with Path(__file__).with_name("unused.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert row["reason"], row
            for action in row["actions"].split():
                yield row["workload"], row["bucket"], action


def test_no_workload_has_a_permission_that_no_call_uses(account: Account, buckets: dict[str, str]) -> None:
    granted = {
        (who, statement["Sid"], action)
        for who in WORKLOAD_GRANTS
        for held in account.roles[who].policies.values()
        for statement in held
        for action in statement["Action"]
    }
    rests_on = used(account, buckets)
    unused = {(who, _bucket(who, sid), action) for who, sid, action in granted - rests_on}
    on_purpose = set(unused_on_purpose())
    assert not (too_much := sorted(unused - on_purpose)), f"granted, and used by no recorded call: {too_much}"
    assert not (stale := sorted(on_purpose - unused)), f"in unused.csv, but used or not granted: {stale}"


def _bucket(who: str, sid: str) -> str:
    """The bucket of the grant that a statement is of: its Sid ends in the grant's number."""
    number = re.search(r"\d+$", sid)
    assert number, sid
    return WORKLOAD_GRANTS[who][int(number[0])].bucket


def calls_of(grant: Grant, bucket: str, prefix: str) -> list[Call]:
    """What a right means: the calls that someone who has it makes below a prefix."""
    key = f"{prefix}part"
    read = [Call("GetObject", bucket, (key,)), Call("ListObjectsV2", bucket, (), prefix or "part")]
    add = [Call("PutObject", bucket, (key,))]
    write = [
        *read,
        *add,
        Call("CreateMultipartUpload", bucket, (key,)),
        Call("UploadPart", bucket, (key,)),
        Call("CompleteMultipartUpload", bucket, (key,)),
        Call("AbortMultipartUpload", bucket, (key,)),
        Call("CopyObject", bucket, (key,), source=(bucket, key)),
        Call("GetBucketLocation", bucket),
    ]
    rights = {
        "read": read,
        "add": add,
        "write": write,
        "prune": [*write, Call("DeleteObject", bucket, (key,))],
    }
    return rights[grant.right]


GRANTS = [(who, grant) for who, given in EVERYBODY.items() for grant in given]


@pytest.mark.parametrize(("who", "grant"), GRANTS, ids=str)
def test_a_grant_gives_its_right_and_only_below_its_prefix(
    account: Account, buckets: dict[str, str], who: str, grant: Grant
) -> None:
    bucket = buckets[grant.bucket]
    for asked in calls_of(grant, bucket, grant.prefix):
        assert not (found := refusals(account, who, asked)), found
    others = {given.prefix for given in EVERYBODY[who] if given.bucket == grant.bucket} - {grant.prefix}
    if grant.prefix and "" not in others:
        for asked in calls_of(grant, bucket, "elsewhere/"):
            assert asked.operation == "GetBucketLocation" or refusals(account, who, asked), asked


@pytest.mark.parametrize("who", list(EVERYBODY))
def test_nobody_makes_buckets_or_removes_versions(
    account: Account, buckets: dict[str, str], who: str
) -> None:
    for bucket in buckets.values():
        assert refusals(account, who, Call("CreateBucket", bucket))
        assert refusals(account, who, Call("ListObjectVersions", bucket))


@pytest.mark.parametrize("key", ["lake", "logs", "other"])
def test_an_object_is_put_under_the_buckets_own_key_alone(
    account: Account, buckets: dict[str, str], key: str
) -> None:
    """A client that names a key: the bucket's is let in, any other is refused by the bucket's policy."""
    bucket = account.buckets[buckets["checkpoints"]]
    arns = {
        "lake": bucket.key,
        "logs": account.buckets[buckets["audit"]].key,
        "other": "arn:aws:kms:ap-south-1:1:key/o",
    }
    asked = Call(
        "PutObject",
        bucket.name,
        ("jobs/train/x",),
        headers={
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": str(arns[key]),
        },
    )
    assert bool(refusals(account, "training", asked)) is (key != "lake")


def test_without_the_statement_for_evidence_the_failure_names_the_key(
    account: Account, buckets: dict[str, str]
) -> None:
    key = account.buckets[buckets["audit"]].key or ""
    less = [statement for statement in account.keys[key] if statement["Sid"] != "EvidenceThroughS3"]
    without = replace(account, keys={**account.keys, key: less})
    (why,) = refusals(without, "proof", Call("PutObject", buckets["audit"], ("evidence/x.json",)))
    assert why.startswith(f"kms:GenerateDataKey on {key}: no statement of the key policy allows it")


@pytest.mark.parametrize("workload", list(WORKLOAD_GRANTS))
def test_pod_identity_gives_the_role_to_its_service_account_alone(account: Account, workload: str) -> None:
    role, pod = account.roles[workload], ACCOUNTS[workload]
    ours = f"arn:aws:eks:ap-south-1:{account.id}:cluster/india-ai-infra-unit"

    def trusted(cluster: str, namespace: str, name: str) -> bool:
        return all(verdict.allowed for verdict in account.may_assume(role, cluster, namespace, name))

    assert trusted(ours, pod.namespace, pod.name)
    assert not trusted(ours, pod.namespace, "default")
    assert not trusted(ours, "default", pod.name)
    assert not trusted(f"{ours}-2", pod.namespace, pod.name)


@pytest.mark.parametrize("workload", list(WORKLOAD_GRANTS))
def test_pods_reach_the_store_and_their_identity_and_nothing_abroad(prod: Any, workload: str) -> None:
    namespace = ACCOUNTS[workload].namespace
    s3 = S3_RANGES["ap-south-1"].partition("/")[0]
    assert rendered.may_reach(prod, "aws", namespace, s3, 443), "s3.ap-south-1.amazonaws.com"
    assert rendered.may_reach(prod, "aws", namespace, "169.254.170.23", 80), "the Pod Identity agent"
    for elsewhere in ("52.216.0.1", S3_RANGES["ap-south-2"].partition("/")[0]):
        assert not rendered.may_reach(prod, "aws", namespace, elsewhere, 443), elsewhere


@pytest.mark.parametrize("failover", [False, True])
def test_the_other_regions_store_is_reached_after_a_failover_alone(
    deploy: Any, account_id: str, failover: bool
) -> None:
    """Through NAT, where no endpoint's policy holds; and then every client is told the region of its buckets."""
    replica = {"replica": {"region": "ap-south-2", "failover": failover}}
    made = rendered.deployed(deploy, "prod", {"india-ai-infra:aws": replica})
    away = S3_RANGES["ap-south-2"].partition("/")[0]
    for workload in WORKLOAD_GRANTS:
        namespace = ACCOUNTS[workload].namespace
        assert rendered.may_reach(made, "aws", namespace, away, 443) is failover
    region = "ap-south-2" if failover else "ap-south-1"
    for program in PROGRAMS:
        environment = rendered.container(made, "aws", program.container).environment
        assert environment["AWS_DEFAULT_REGION"] == environment["AWS_REGION"] == region
    account = rendered.aws_account(made, account_id)
    used = urlsplit(rendered.container(made, "aws", "trainer").options("checkpoint-uri")[0]).netloc
    assert account.buckets[used].region == region
    assert not refusals(account, "training", Call("PutObject", used, ("jobs/train/x",)))


def test_the_endpoint_lets_nothing_out_to_another_account(account: Account, buckets: dict[str, str]) -> None:
    bucket = account.buckets[buckets["checkpoints"]]
    theirs = replace(bucket, name="theirs", policy=[{"Effect": "Allow", "Principal": "*", "Action": "s3:*"}])
    (endpoint,) = account.endpoints.values()
    asked = needs(Call("PutObject", "theirs", ("jobs/train/x",)))[0]
    both = replace(account, buckets={**account.buckets, "theirs": theirs})
    request = both.request(account.roles["training"], asked)
    abroad = replace(request, context={**request.context, "aws:ResourceAccount": "999999999999"})
    assert allowing(request, endpoint)
    assert not allowing(abroad, endpoint)
