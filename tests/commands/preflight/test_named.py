"""Preflight of what settings name: images in ECR (on moto), reservations (on stubbed answers), addresses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from commands.preflight import account, command, named
from commands.preflight.named import Image, Reservation
from infra.settings import reading
from infra.settings.placeholders import placeholders, reserved
from infra.settings.stack import Settings

pytestmark = pytest.mark.slow

REGION = "ap-south-1"
OWN = "{registry}/team"
HELD = "cr-0123456789abcdef0"
ACCESS = {"jumpHost": True, "deployers": ["role/deployer"]}
MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}'


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[account.Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "unit")
    with mock_aws():
        yield command.of_session()


def stubbed(service: str, operation: str, answer: Any) -> account.Aws:
    client = boto3.client(service, region_name=REGION, aws_access_key_id="unit", aws_secret_access_key="unit")
    stub = Stubber(client)
    if isinstance(answer, str):
        stub.add_client_error(operation, answer)
    else:
        stub.add_response(operation, answer)
    stub.activate()
    return lambda service, region: client


def read(email: str = "soc@team.in", google: bool = False, **workloads: Any) -> Settings:
    pools = [
        {"name": "a", "gpu": "L4", "maxNodes": 2},
        {
            "name": "held",
            "gpu": "H100",
            "gpusPerNode": 8,
            "fabric": "efa",
            "maxNodes": 2,
            "purchase": "capacity-block",
            "capacityReservation": HELD,
            "zone": "aps1-az1",
        },
    ]
    clouds: dict[str, Any] = {
        "aws": {
            "region": REGION,
            "cluster": {"access": ACCESS, "pools": pools},
            "audit": {"alertEmails": [email]},
        }
    }
    if google:
        there = [{"name": "g", "gpu": "L4", "maxNodes": 2}]
        clouds["gcp"] = {
            "project": "shop-prod",
            "region": "asia-south1",
            "cluster": {"access": {"jumpHost": True}, "pools": there},
            "audit": {"alertEmails": [email]},
        }
    return reading.parse(
        {
            "owner": "ml",
            "environment": "prod",
            "purpose": "tests",
            "budget": {"monthlyInr": 100},
            "currency": {"usdInr": 88.5, "asOf": "2026-11-24"},
            "workloads": workloads,
            **clouds,
        }
    )


def test_images_are_those_of_pods_on_aws() -> None:
    found = named.images(
        read(
            google=True,
            training={"pool": "g", "image": f"{OWN}/training:1"},
            serving={"pool": "a", "model": "m", "image": f"{OWN}/vllm@sha256:{'a' * 64}"},
            proof={
                "image": "111122223333.dkr.ecr.ap-south-2.amazonaws.com/proof:2",
                "dcgmImage": "nvcr.io/nvidia/cloud-native/dcgm:4.5.3",
            },
        )
    )
    assert found == [
        Image("", REGION, "team/vllm", f"sha256:{'a' * 64}"),
        Image("111122223333", "ap-south-2", "proof", "2"),
    ]


def test_an_image_that_nobody_pushed_is_missing_until_it_is(aws: account.Aws) -> None:
    wanted = Image("", REGION, "team/training", "2026.11")
    none = named.image(wanted, aws)
    assert (none.verdict, none.actual) == ("missing", "no such repository")
    assert (
        "create-repository" in none.fix and "--repository-name team/training --region ap-south-1" in none.fix
    )
    ecr = aws("ecr", REGION)
    ecr.create_repository(repositoryName="team/training")
    assert named.image(wanted, aws).actual == "the repository has no such image"
    ecr.put_image(repositoryName="team/training", imageManifest=MANIFEST, imageTag="2026.11")
    assert named.image(wanted, aws).verdict == "ok"
    (pushed,) = ecr.describe_images(repositoryName="team/training")["imageDetails"]
    assert named.image(Image("", REGION, "team/training", pushed["imageDigest"]), aws).verdict == "ok"


def test_an_account_that_does_not_say_has_no_verdict() -> None:
    wanted = Image("111122223333", REGION, "training", "1")
    found = named.image(wanted, stubbed("ecr", "describe_images", "AccessDeniedException"))
    assert (found.verdict, found.actual) == ("unknown", "not said: AccessDeniedException")


def reserved_as(state: str, **over: Any) -> account.Aws:
    one = {
        "CapacityReservationId": HELD,
        "State": state,
        "AvailabilityZoneId": "aps1-az1",
        "AvailableInstanceCount": 2,
        **over,
    }
    return stubbed("ec2", "describe_capacity_reservations", {"CapacityReservations": [one]})


@pytest.mark.parametrize(
    ("state", "over", "verdict", "there"),
    [
        ("active", {}, "ok", "active, 2 free"),
        (
            "expired",
            {"EndDate": datetime(2026, 11, 1, 11, 30, tzinfo=UTC)},
            "missing",
            "2026-11-01 11:30 UTC",
        ),
        ("cancelled", {}, "missing", "cancelled"),
        ("scheduled", {"StartDate": datetime(2027, 1, 2, tzinfo=UTC)}, "tight", "from 2027-01-02"),
        ("active", {"AvailabilityZoneId": "aps1-az3"}, "missing", "in aps1-az3"),
    ],
)
def test_a_reservation_must_be_active_and_in_the_zone_of_its_pool(
    state: str, over: dict[str, Any], verdict: str, there: str
) -> None:
    (wanted,) = named.reservations(read())
    assert wanted == Reservation("held", HELD, REGION, "aps1-az1")
    found = named.reservation(wanted, reserved_as(state, **over))
    assert found.verdict == verdict
    assert there in found.actual


@pytest.mark.parametrize(
    ("code", "verdict"),
    [("InvalidCapacityReservationId.NotFound", "missing"), ("UnauthorizedOperation", "unknown")],
)
def test_a_reservation_that_is_not_there(code: str, verdict: str) -> None:
    (wanted,) = named.reservations(read())
    found = named.reservation(wanted, stubbed("ec2", "describe_capacity_reservations", code))
    assert found.verdict == verdict


def test_addresses_that_reach_nobody_are_missing() -> None:
    shipped = read("alerts@example.org", google=True)
    assert list(placeholders(shipped)) == ["aws.audit.alertEmails[0]", "gcp.audit.alertEmails[0]"]
    assert [found.verdict for found in named.unread(shipped)] == ["missing", "missing"]
    assert list(named.unread(read("soc@team.in", google=True))) == []


@pytest.mark.parametrize(
    ("address", "nobody"),
    [
        ("a@example.com", True),
        ("a@mail.Example.ORG", True),
        ("a@team.invalid", True),
        ("a@myexample.com", False),
        ("a@example.in", False),
        ("a@example.co.in", False),
        ("a@test.in", False),
    ],
)
def test_the_domains_that_nobody_can_have(address: str, nobody: bool) -> None:
    assert reserved(address) is nobody


@given(st.from_regex(r"[a-z0-9-]{1,12}(\.[a-z0-9-]{1,12})?\.in", fullmatch=True))
def test_an_indian_domain_is_somebodys(domain: str) -> None:
    assert not reserved(f"soc@{domain}")
