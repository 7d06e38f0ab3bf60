"""A VPC that exists already: what is asked of it, and what is said where it won't do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.existing_network import Needs, Subnet, Vpc, faults
from infra.settings import reading
from infra.settings.aws import ExistingNetwork
from infra.settings.errors import SettingsError
from localcloud.directories import PROJECT
from tests.infra.settings.test_settings import minimal, problems

NAME = "india-ai-infra-unit"
VPC = Vpc("vpc-00000001", ("10.9.0.0/16",), dns=True)
TAGS = {"karpenter.sh/discovery": NAME}
SUBNETS = [
    Subnet(f"subnet-0000000{letter}", VPC.id, zone, "", 4091, "rtb-1", out, TAGS, "10.9.0.0/24")
    for letter, zone, out in (
        ("a", "aps1-az1", True),
        ("b", "aps1-az2", True),
        ("c", "aps1-az3", True),
        ("d", "aps1-az1", False),
    )
]
NEEDS = Needs({"serve": frozenset({"aps1-az1", "aps1-az2"})}, nodes=8, cluster_name=NAME)


def asked(*private: str, control: tuple[str, ...] = ()) -> ExistingNetwork:
    ids = {"privateSubnetIds": [f"subnet-0000000{letter}" for letter in private]}
    more = {"controlPlaneSubnetIds": [f"subnet-0000000{letter}" for letter in control]}
    return ExistingNetwork.model_validate({"vpcId": VPC.id, **ids, **more})


def said(
    given: ExistingNetwork, vpc: Vpc = VPC, subnets: list[Subnet] = SUBNETS, needs: Needs = NEEDS
) -> Any:
    return {
        problem.path.removeprefix("aws.network.existing."): problem
        for problem in faults(given, vpc, subnets, needs)
    }


def test_one_that_will_do_is_without_fault() -> None:
    assert said(asked("a", "b")) == {}
    assert said(asked("a", control=("b", "c"))) == {}


def test_without_dns_the_private_endpoint_is_not_found() -> None:
    assert "enableDnsHostnames" in said(asked("a", "b"), replace(VPC, dns=False))["vpcId"].allowed


def test_a_subnet_of_another_vpc_is_named_with_those_there_are() -> None:
    problem = said(asked("a", "f"))["privateSubnetIds[1]"]
    assert problem.given == "subnet-0000000f"
    assert all(subnet.id in problem.allowed for subnet in SUBNETS)


def test_a_subnet_without_a_way_out_is_named_with_those_that_have_one() -> None:
    problem = said(asked("d", "b"))["privateSubnetIds[0]"]
    assert "NAT" in problem.allowed
    assert "subnet-0000000a" in problem.allowed
    assert "subnet-0000000d" not in problem.allowed


def test_one_zone_is_too_few_for_eks() -> None:
    problem = said(asked("a"))["privateSubnetIds"]
    assert "2 zones" in problem.allowed
    assert "subnet-0000000b, subnet-0000000c" in problem.allowed
    assert said(asked("a", control=("a", "d")))["controlPlaneSubnetIds"]


def test_two_subnets_in_one_zone_are_one_too_many() -> None:
    subnets = [*SUBNETS[:3], replace(SUBNETS[3], leads_out=True)]
    assert said(asked("a", "d", "b"), subnets=subnets)["privateSubnetIds"].nearest == "subnet-0000000a"


def test_without_the_tag_karpenter_finds_no_subnet() -> None:
    subnets = [replace(subnet, tags={}) for subnet in SUBNETS]
    problem = said(asked("a", "b"), subnets=subnets)["privateSubnetIds[0]"]
    assert f"karpenter.sh/discovery={NAME}" in problem.allowed


def test_the_machines_of_each_pool_have_a_subnet() -> None:
    needs = replace(NEEDS, pools={"train": frozenset({"aps1-az3"})})
    problem = said(asked("a", "b"), needs=needs)["privateSubnetIds"]
    assert "pool train" in problem.allowed
    assert "subnet-0000000c" in problem.allowed


def test_there_are_addresses_for_all_nodes() -> None:
    subnets = [replace(subnet, free_addresses=100) for subnet in SUBNETS]
    assert "8 nodes" in said(asked("a", "b"), subnets=subnets)["privateSubnetIds"].allowed


@given(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True), st.data())
def test_what_passes_is_what_the_cluster_needs(letters: list[str], data: st.DataObject) -> None:
    subnets = [
        replace(subnet, leads_out=data.draw(st.booleans()), free_addresses=data.draw(st.integers(0, 4091)))
        for subnet in SUBNETS
    ]
    if said(asked(*letters), subnets=subnets):
        return
    chosen = [subnet for subnet in subnets if subnet.id[-1] in letters]
    assert len(chosen) == len(letters)
    assert all(subnet.leads_out for subnet in chosen)
    zones = {subnet.zone for subnet in chosen}
    assert len(zones) == len(chosen) >= 2
    assert zones & NEEDS.pools["serve"]
    assert sum(subnet.free_addresses for subnet in chosen) >= 8 * 33


@pytest.mark.parametrize(
    ("network", "path"),
    [
        ({"vpcId": "vpc-1", "privateSubnetIds": ["subnet-0000000a"]}, "network.existing.vpcId"),
        ({"vpcId": "vpc-00000001", "privateSubnetIds": ["a"]}, "network.existing.privateSubnetIds[0]"),
        ({"vpcId": "vpc-00000001", "privateSubnetIds": []}, "network.existing.privateSubnetIds"),
        ({"vpcId": "vpc-00000001"}, "network.existing.privateSubnetIds"),
        (
            {"vpcId": "vpc-00000001", "privateSubnetIds": ["subnet-0000000a"] * 2},
            "network.existing.privateSubnetIds",
        ),
    ],
)
def test_a_wrong_id_is_refused_in_the_settings(network: dict[str, Any], path: str) -> None:
    found = problems(minimal(aws={"region": "ap-south-1", "network": {"existing": network}}))
    assert list(found) == [f"aws.{path}"]


def test_an_existing_network_has_its_own_addresses() -> None:
    existing = {"vpcId": "vpc-00000001", "privateSubnetIds": ["subnet-0000000a", "subnet-0000000b"]}
    values = minimal(aws={"region": "ap-south-1", "network": {"existing": existing}})
    assert reading.parse(values)
    values["aws"]["network"]["cidr"] = "10.9.0.0/16"
    assert "without cidr" in problems(values)["aws.network"].allowed


def stack(**network: Any) -> dict[str, Any]:
    config = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())["config"]
    existing = {
        "vpcId": "vpc-00000001",
        "privateSubnetIds": ["subnet-0000000a", "subnet-0000000b"],
        **network,
    }
    config["india-ai-infra:aws"]["network"] = {"existing": existing}
    return config


@pytest.mark.slow
def test_the_platform_stands_in_it_and_makes_no_network(deploy) -> None:
    from tests.program.test_program import _run

    made = _run(deploy, stack())
    for type_ in (
        "ec2/vpc:Vpc",
        "subnet:Subnet",
        "natGateway:NatGateway",
        "vpcEndpoint:VpcEndpoint",
        "flowLog:FlowLog",
    ):
        assert made.of(type_) == {}, type_
    private = ["subnet-0000000a", "subnet-0000000b"]
    assert made.one("eks/cluster:Cluster").inputs["vpcConfig"]["subnetIds"] == private
    assert made.one("nodeGroup:NodeGroup", "cluster-system").inputs["subnetIds"] == private
    assert made.one("ec2/instance:Instance").inputs["subnetId"] == private[0]
    assert {group.inputs["vpcId"] for group in made.of("securityGroup:SecurityGroup").values()} == {
        "vpc-00000001"
    }
    zones = [
        need["values"]
        for pool in made.of("karpenter.sh/v1:NodePool").values()
        for need in pool.inputs["spec"]["template"]["spec"]["requirements"]
        if need["key"] == "topology.kubernetes.io/zone"
    ]
    assert zones
    assert {zone for some in zones for zone in some} <= {"ap-south-1a", "ap-south-1c"}


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"vpcId": "vpc-00000009"}, "vpc-00000001, vpc-00000002"),
        ({"privateSubnetIds": ["subnet-0000000a", "subnet-0000000c"]}, "NAT or a transit gateway"),
    ],
)
def test_one_that_will_not_do_is_refused_before_anything_is_made(deploy, network: Any, words: str) -> None:
    from tests.program.test_program import _run

    with pytest.raises(SettingsError, match=words):
        _run(deploy, stack(**network))
