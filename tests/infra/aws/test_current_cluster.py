"""A cluster stays in its region and VPC: what would take it away is refused, with the value that leaves it there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.current_cluster import Place, faults
from infra.settings.aws import Network

HOME = Place("ap-south-1", "vpc-00000001", "10.0.0.0/16", own=True)
BORROWED = Place("ap-south-1", "vpc-00000002", "10.9.0.0/16", own=False)


def network(vpc_id: str = "", **given: Any) -> Network:
    existing = {"existing": {"vpcId": vpc_id, "privateSubnetIds": ["subnet-0000000a"]}} if vpc_id else {}
    return Network.model_validate({**existing, **given})


@pytest.mark.parametrize(
    ("place", "wanted"),
    [(HOME, network()), (BORROWED, network("vpc-00000002"))],
)
def test_what_leaves_it_there_is_allowed(place: Place, wanted: Network) -> None:
    assert faults(place, "ap-south-1", wanted) == []


@pytest.mark.parametrize(
    ("place", "region", "wanted", "path", "nearest"),
    [
        (HOME, "ap-south-2", network(), "aws.region", "ap-south-1"),
        (HOME, "ap-south-1", network(cidr="10.8.0.0/16"), "aws.network.cidr", "10.0.0.0/16"),
        (
            HOME,
            "ap-south-1",
            network("vpc-00000002"),
            "aws.network.existing.vpcId",
            "no network.existing, and cidr: 10.0.0.0/16",
        ),
        (BORROWED, "ap-south-1", network("vpc-00000003"), "aws.network.existing.vpcId", "vpc-00000002"),
        (
            BORROWED,
            "ap-south-1",
            network(cidr="10.9.0.0/16"),
            "aws.network",
            "existing: {vpcId: vpc-00000002, …}",
        ),
    ],
)
def test_what_would_take_it_away_is_refused(
    place: Place, region: str, wanted: Network, path: str, nearest: str
) -> None:
    (problem,) = faults(place, region, wanted)
    assert (problem.path, problem.nearest) == (path, nearest)
    assert "`pulumi destroy` this one first" in problem.allowed


@given(st.integers(0, 255), st.integers(16, 20))
def test_only_the_range_of_its_vpc_is_allowed(second: int, prefix: int) -> None:
    cidr = f"10.{second}.0.0/{prefix}"
    problems = faults(HOME, "ap-south-1", network(cidr=cidr))
    assert (problems == []) is (cidr == HOME.cidr)
