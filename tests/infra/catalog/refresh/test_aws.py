"""AWS is moto (machine types, offerings and spot prices, as moto's resources hold them); its price list is stubbed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from infra.catalog.refresh import aws
from infra.catalog.refresh.answers import Answer, NoCredentialsError, Unread
from infra.catalog.refresh.merge import load, merge
from infra.catalog.tables import DATA

pytestmark = pytest.mark.slow

KNOWN = load(DATA).machines


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """A session on moto, whose Hyderabad is not enabled."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield boto3.Session()


@pytest.fixture(scope="module")
def answers(now: datetime) -> list[Answer | Unread]:
    """What such an account answers."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        return aws.read(boto3.Session(), KNOWN, now)


Stubbed = Callable[[str], Stubber]


@pytest.fixture
def stubbed(login: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Stubbed:
    """`stubbed("pricing")` puts botocore's stubber in the place of that client in Mumbai."""
    clients: dict[tuple[str, str], Any] = {}
    made = login.client
    monkeypatch.setattr(
        login,
        "client",
        lambda name, region_name: clients.get((name, region_name)) or made(name, region_name=region_name),
    )

    def stub(service: str) -> Stubber:
        client = clients[service, "ap-south-1"] = made(service, region_name="ap-south-1")
        stubber = Stubber(client)
        stubber.activate()
        return stubber

    return stub


def product(usd: str, **attributes: str) -> str:
    """An entry of the price list, in its shape."""
    price = {"unit": "Hrs", "pricePerUnit": {"USD": usd}}
    terms = {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": price}}}}
    return json.dumps({"product": {"attributes": attributes}, "terms": terms})


def answer_of(region: str, answers: list[Answer | Unread]) -> Answer:
    (found,) = (one for one in answers if one.region == region)
    assert isinstance(found, Answer), found
    return found


def test_moto_tells_of_the_shipped_machines_what_the_tables_say(
    login: boto3.Session, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setattr(aws, "_enabled", lambda *_: True)
    monkeypatch.setattr(aws, "_on_demand", lambda *_: {})
    monkeypatch.setattr(aws, "_spot", lambda *_: {})
    answers = [one for one in aws.read(login, KNOWN, now) if isinstance(one, Answer)]
    assert [one.region for one in answers] == ["ap-south-1", "ap-south-2"]
    _, changes = merge(load(DATA), answers)
    # What was refreshed since is newer than moto.
    of_moto = [change for change in changes if change.was and change.was.source == "moto"]
    assert [change for change in of_moto if change.kind != "same"] == []
    assert all(change.now and change.now.as_of == now.date() for change in of_moto)


def test_a_fraction_of_a_gpu_is_told_as_such(answers: list[Answer | Unread]) -> None:
    answer = answer_of("ap-south-1", answers)
    (quarter,) = (row for row in answer.machines if row.machine_type == "g6f.2xlarge")
    assert (quarter.gpu, quarter.gpu_count, quarter.gpu_fraction) == ("L4", 0, 0.25)


def test_a_region_that_is_not_enabled_says_so(answers: list[Answer | Unread]) -> None:
    (hyderabad,) = (one for one in answers if one.region == "ap-south-2")
    assert isinstance(hyderabad, Unread)
    assert "not enabled in this account" in hyderabad.why


def test_other_accelerators_and_other_cpu_machines_are_left_out(
    login: boto3.Session, stubbed: Stubbed
) -> None:
    types = [
        {"InstanceType": "g4ad.xlarge", "GpuInfo": {"Gpus": [{"Manufacturer": "AMD"}]}},
        {"InstanceType": "g6.xlarge", "GpuInfo": {"Gpus": [{"Manufacturer": "NVIDIA"}]}},
        {"InstanceType": "inf2.xlarge", "NeuronInfo": {"NeuronDevices": [{"Count": 1}]}},
        {"InstanceType": "m7i.large"},
        {"InstanceType": "r7i.large"},
    ]
    stubbed("ec2").add_response("describe_instance_types", {"InstanceTypes": types})
    told = aws._types(login.client("ec2", region_name="ap-south-1"), {"m7i.large"})
    assert [facts["InstanceType"] for facts in told] == ["g6.xlarge", "m7i.large"]


def test_local_zones_are_left_out(login: boto3.Session, stubbed: Stubbed) -> None:
    places = [
        {"InstanceType": "g6.xlarge", "LocationType": "availability-zone-id", "Location": location}
        for location in ("aps1-az3", "aps1-del1-az1", "aps1-az1")
    ]
    stubbed("ec2").add_response("describe_instance_type_offerings", {"InstanceTypeOfferings": places})
    assert aws._zones(login.client("ec2", region_name="ap-south-1"), {"g6.xlarge"}) == {
        "g6.xlarge": ("aps1-az1", "aps1-az3")
    }


def test_spot_is_each_zones_latest_price_by_the_zones_id(
    login: boto3.Session, stubbed: Stubbed, now: datetime
) -> None:
    told = [
        ("ap-south-1a", 1, "0.50"),  # the price of an hour ago no longer counts
        ("ap-south-1a", 5, "0.70"),
        ("ap-south-1b", 3, "0.60"),
        ("ap-south-1-del-1a", 5, "0.10"),  # a local zone
    ]
    history = [
        {
            "InstanceType": "g6.xlarge",
            "AvailabilityZone": zone,
            "SpotPrice": usd,
            "Timestamp": now.replace(hour=hour),
        }
        for zone, hour, usd in told
    ]
    ec2 = stubbed("ec2")
    ids = {"ap-south-1a": "aps1-az1", "ap-south-1b": "aps1-az3", "ap-south-1-del-1a": "aps1-del1-az1"}
    zones = [{"ZoneName": name, "ZoneId": zone} for name, zone in ids.items()]
    ec2.add_response("describe_availability_zones", {"AvailabilityZones": zones})
    ec2.add_response("describe_spot_price_history", {"SpotPriceHistory": history})
    assert aws._spot(login, "ap-south-1", ["g6.xlarge", "p5.48xlarge"], now) == {
        ("g6.xlarge", "aps1-az1"): 0.7,
        ("g6.xlarge", "aps1-az3"): 0.6,
    }


def test_motos_spot_prices_become_observed_rows(answers: list[Answer | Unread]) -> None:
    answer = answer_of("ap-south-1", answers)
    spot = [row for row in answer.prices if row.purchase == "spot"]
    assert {row.machine_type for row in spot} == {row.machine_type for row in answer.offerings}
    assert {row.zone for row in spot} <= {zone for row in answer.offerings for zone in row.zones}
    assert {(row.basis, row.source, row.usd_hour) for row in spot} == {
        ("observed", "aws spot history", 1e-05)
    }


def test_on_demand_is_the_only_list_price(login: boto3.Session, stubbed: Stubbed) -> None:
    pricing = stubbed("pricing")
    listed = {
        "g6.xlarge": [product("0.97"), product("0.0000000000"), product("0.97")],
        "p5.48xlarge": [product("66.048"), product("0.9", marketoption="CapacityBlock")],
        "g5.xlarge": [product("1.2"), product("1.3")],  # which of the two would be a guess
        "p6-b200.48xlarge": [],
    }
    for name, products in listed.items():
        asked = {"ServiceCode": "AmazonEC2", "Filters": aws.product_filters("ap-south-1", name)}
        pricing.add_response("get_products", {"PriceList": products}, asked)
    assert aws._on_demand(login, "ap-south-1", list(listed)) == {
        ("g6.xlarge", ""): 0.97,
        ("p5.48xlarge", ""): 66.048,
    }
    pricing.assert_no_pending_responses()


def test_a_denied_price_list_leaves_the_rest(login: boto3.Session, stubbed: Stubbed, now: datetime) -> None:
    stubbed("pricing").add_client_error("get_products", "AccessDeniedException")
    answer = answer_of("ap-south-1", aws.read(login, KNOWN, now))
    assert answer.notes == ("on-demand prices are kept: the login may not pricing:GetProducts",)
    assert {row.purchase for row in answer.prices} == {"spot"}


def test_a_denied_ec2_leaves_the_region_unread(login: boto3.Session, stubbed: Stubbed, now: datetime) -> None:
    ec2 = stubbed("ec2")
    ec2.add_client_error("describe_instance_types", "UnauthorizedOperation")
    ec2.add_client_error("describe_regions", "RequestExpired")
    assert aws.read(login, KNOWN, now) == [
        Unread("ap-south-1", "the login may not ec2:DescribeInstanceTypes"),
        Unread("ap-south-2", "ec2:DescribeRegions failed (RequestExpired)"),
    ]


def test_the_local_cloud_is_no_source_of_prices(
    login: boto3.Session, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    refused = aws.read(boto3.Session(), KNOWN, now)
    assert all(isinstance(one, Unread) and "unset AWS_ENDPOINT_URL" in one.why for one in refused)


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(NoCredentialsError, match=r"nobody.*AWS_PROFILE"):
        aws.session()
