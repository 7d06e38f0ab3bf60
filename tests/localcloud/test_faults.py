"""What a person reads of an operation that failed; the engine's messages are as it printed them."""

from __future__ import annotations

import pytest

from infra.protection import PROTECTED
from localcloud.faults import Fault, describe, lost

PROJECT = "urn:pulumi:dev::india-ai-infra::"
BUCKET = f"{PROJECT}india:aws:Bucket$aws:s3/bucket:Bucket::checkpoints"
KEY = f"{PROJECT}india:aws:Keys$aws:kms/key:Key::lake"
VPC = f"{PROJECT}india:aws:Network$aws:ec2/vpc:Vpc::network"
FABRIC = f"{PROJECT}india:gcp:Fabric$gcp:compute/network:Network::train-gpu0"
TAKEN = Fault(BUCKET, "creating: BucketAlreadyExists")
CONSEQUENCES = [
    Fault(KEY, "failed to run remediation: context canceled"),
    Fault(KEY, "rpc error: code = Canceled desc = grpc: the client connection is closing"),
    Fault("", "resource monitor shut down while waiting on step's done channel"),
    Fault(f"{PROJECT}pulumi:pulumi:Stack::india-ai-infra-dev", "update failed"),
    Fault("", "an unhandled error occurred: program exited with non-zero exit code: 1"),
]


def protected(urn: str) -> Fault:
    return Fault(
        urn,
        f'unable to replace resource "{urn}"\nas it is currently marked for protection. To unprotect the resource, '
        "remove the `protect` flag from the resource in your Pulumi program and run `pulumi up`",
    )


@pytest.mark.parametrize("at", range(len(CONSEQUENCES) + 1))
def test_the_first_cause_is_alone_wherever_it_comes(at: int) -> None:
    faults = [*CONSEQUENCES[:at], TAKEN, *CONSEQUENCES[at:]]
    (only,) = describe(faults, {})
    assert only.endswith("aws:s3/bucket:Bucket checkpoints creating: BucketAlreadyExists")


def test_two_causes_are_in_the_order_they_came_each_once() -> None:
    other = Fault(KEY, "creating: AccessDenied")
    assert [text.rsplit(" ", 1)[1] for text in describe([other, TAKEN, CONSEQUENCES[0], other], {})] == [
        "AccessDenied",
        "BucketAlreadyExists",
    ]


@pytest.mark.parametrize("fault", CONSEQUENCES)
def test_a_consequence_is_better_than_nothing(fault: Fault) -> None:
    assert describe([fault], {}) == [fault.text]


def test_what_is_protected_is_one_message_with_what_where_why_and_the_way() -> None:
    faults = [protected(BUCKET), protected(KEY), Fault("", "preview failed")]
    (only,) = describe(faults, {BUCKET: ["bucket", "project"], KEY: []})
    assert only.startswith("2 resources that are protected would be replaced")
    assert "aws:s3/bucket:Bucket checkpoints: bucket, project changed" in only
    assert "aws:kms/key:Key lake\n" in only
    assert "copy the data" in only
    assert "urn:" not in only


def test_one_that_is_protected_is_told_of_in_the_singular() -> None:
    (only,) = describe([protected(BUCKET)], {})
    assert only.startswith("1 resource that is protected would be replaced, and what it holds lost:\n")


def test_a_protected_network_is_told_of_as_a_cluster_that_would_go() -> None:
    (only,) = describe([protected(VPC)], {VPC: ["cidrBlock"]})
    assert only == lost({VPC: ["cidrBlock"]})
    assert "aws:ec2/vpc:Vpc network: cidrBlock changed" in only
    assert "a second stack" in only


def test_other_replacements_lose_no_cluster() -> None:
    assert lost({}) is None
    assert lost({BUCKET: ["bucket"], FABRIC: ["name"]}) is None


def test_protection_and_refusal_are_of_the_same_resources() -> None:
    """What the program protects on a real account is what `make up` refuses to replace."""
    for type_, name in PROTECTED:
        assert lost({f"{PROJECT}a$b${type_}::{name}": []}), (type_, name)
        assert lost({f"{PROJECT}a$b${type_}::another": []}) is None
