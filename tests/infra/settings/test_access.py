"""Who reaches the API server and who administers it: what a stack may say, and what it must."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import reading
from infra.settings.aws import ClusterAccess
from infra.settings.gcp import GoogleClusterAccess
from tests.infra.settings.test_settings import minimal, problems

GOOGLE = {"project": "unit-project", "region": "asia-south1"}


def aws(access: dict[str, Any], **over: Any) -> dict[str, Any]:
    return minimal(aws={"region": "ap-south-1", "cluster": {"access": access}}, **over)


def google(access: dict[str, Any], **over: Any) -> dict[str, Any]:
    return minimal(aws=None, gcp={**GOOGLE, "cluster": {"access": access}}, **over)


@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
@pytest.mark.parametrize(("of", "path"), [(aws, "aws"), (google, "gcp")])
def test_a_cluster_that_nobody_reaches_is_refused_with_the_ways_out(
    of: Any, path: str, environment: str
) -> None:
    found = problems(of({"deployers": []}, environment=environment))
    refused = found[f"{path}.cluster.access"]
    assert refused.nearest == "{jumpHost: true}"
    for way in ("jumpHost: true", "cidrs", "securityGroups" if path == "aws" else "dnsEndpoint: true"):
        assert way in refused.allowed


@pytest.mark.parametrize(
    "way",
    [
        {"jumpHost": True},
        {"cidrs": ["10.1.0.0/16"]},
        {"cidrs": ["203.0.113.7/32"]},
        {"securityGroups": ["sg-0123456789abcdef0"]},
    ],
)
def test_one_way_is_enough(way: dict[str, Any]) -> None:
    assert reading.parse(aws({**way, "deployers": ["role/ci"]})).aws
    if "securityGroups" not in way:
        assert reading.parse(google(way)).gcp


def test_the_dns_endpoint_is_a_way_on_google() -> None:
    read = reading.parse(google({"dnsEndpoint": True})).gcp
    assert read
    assert read.cluster.access.direct


def test_a_site_with_a_vpn_is_a_way() -> None:
    from tests.infra.settings.site_on_premises import on_premises

    values = aws({"deployers": ["role/ci"]}, onPremises=on_premises())
    assert reading.parse(values).aws


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_a_real_stack_lists_who_runs_it(environment: str) -> None:
    found = problems(aws({"jumpHost": True}, environment=environment))
    assert list(found) == ["aws.cluster.access.deployers"]
    assert reading.parse(aws({"jumpHost": True}, environment="local")).aws


@pytest.mark.parametrize(
    ("access", "at", "nearest"),
    [
        ({"cidrs": ["0.0.0.0/0"]}, "cidrs[0]", "0.0.0.0/8"),
        ({"cidrs": ["10.1.0.1/16"]}, "cidrs[0]", "10.1.0.0/16"),
        ({"cidrs": ["office"]}, "cidrs[0]", "10.1.0.0/16"),
        ({"securityGroups": ["0123456789abcdef0"]}, "securityGroups[0]", "sg-0123456789abcdef0"),
        ({"securityGroups": ["default"]}, "securityGroups[0]", None),
        ({"deployers": ["ci"]}, "deployers[0]", "role/ci"),
        (
            {"deployers": ["arn:aws:sts::123456789012:assumed-role/Admin/asha"]},
            "deployers[0]",
            "role/Admin",
        ),
        ({"deployers": ["arn:aws:iam::123456789012:root"]}, "deployers[0]", None),
        ({"deployers": ["role/ci", "arn:aws:iam::123456789012:role/ci"]}, "deployers", None),
        ({"jumphost": True}, "jumphost", "jumpHost"),
    ],
)
def test_a_wrong_way_is_one_problem_at_its_place(
    access: dict[str, Any], at: str, nearest: str | None
) -> None:
    found = problems(aws({"jumpHost": True, "deployers": ["role/x"], **access}))
    assert {path: problem.nearest for path, problem in found.items()} == {f"aws.cluster.access.{at}": nearest}


@pytest.mark.parametrize(
    ("member", "nearest"),
    [
        ("asha@example.in", "user:asha@example.in"),
        ("ci@p-1.iam.gserviceaccount.com", "serviceAccount:ci@p-1.iam.gserviceaccount.com"),
        ("allUsers", None),
    ],
)
def test_a_wrong_member_is_refused(member: str, nearest: str | None) -> None:
    found = problems(google({"jumpHost": True, "deployers": [member]}))
    assert found["gcp.cluster.access.deployers[0]"].nearest == nearest


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_a_network_is_taken_or_what_is_nearest_is(address: int, prefix: int) -> None:
    text = f"{IPv4Network((address, 32)).network_address}/{prefix}"
    try:
        assert ClusterAccess(cidrs=[text]).cidrs == [text]
    except ValueError as refused:
        near = refused.errors()[0]["ctx"]["near"]  # type: ignore[attr-defined]
        again = (
            near
            if IPv4Network(near, strict=False).with_prefixlen == near
            else str(IPv4Network(near, strict=False))
        )
        assert ClusterAccess(cidrs=[again]).cidrs == [again]


@pytest.mark.parametrize("more", [{"cidrs": ["10.1.0.0/16"]}, {"securityGroups": ["sg-0123456789abcdef0"]}])
def test_a_direct_way_needs_no_tunnel(more: dict[str, Any]) -> None:
    assert ClusterAccess.model_validate({"jumpHost": True}).tunnel
    assert not ClusterAccess.model_validate({"jumpHost": True, **more}).tunnel
    assert GoogleClusterAccess.model_validate({"jumpHost": True}).tunnel
    assert not GoogleClusterAccess.model_validate({"jumpHost": True, "dnsEndpoint": True}).tunnel
