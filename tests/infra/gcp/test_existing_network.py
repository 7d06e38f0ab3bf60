"""A VPC of Google's that exists already: what is asked of it, what is told where it won't do, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import program
from infra.gcp.existing_network import Needs, Subnet, faults
from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.gcp import ExistingGoogleNetwork
from localcloud.directories import PROJECT
from tests.infra.settings.test_settings import minimal, problems

OWN = "unit-project"
VPC = f"projects/{OWN}/global/networks/shared"
ID = f"projects/{OWN}/regions/asia-south1/subnetworks/nodes"
RANGES = {"pods": "10.40.0.0/16", "services": "10.41.0.0/20", "few": "10.42.0.0/28"}
SUBNET = Subnet(ID, VPC, "asia-south1", "10.30.0.0/22", RANGES, private_apis=True)
NEEDS = Needs("asia-south1", 40, {"aws.network.cidr": "10.0.0.0/16"})


def asked(**more: str) -> ExistingGoogleNetwork:
    return ExistingGoogleNetwork.model_validate({"network": "shared", "subnetwork": "nodes", **more})


def told(subnet: Subnet = SUBNET, needs: Needs = NEEDS, network: str = VPC, **more: Any) -> dict[str, Any]:
    found = faults(asked(**more), network, subnet, needs)
    return {problem.path.removeprefix("gcp.network.existing."): problem for problem in found}


def test_one_that_will_do_is_without_fault() -> None:
    assert told() == {}


def test_a_subnet_of_another_network_or_region_is_named() -> None:
    other = f"projects/{OWN}/global/networks/other"
    assert other in told(replace(SUBNET, network=other))["subnetwork"].allowed
    assert "asia-south2" in told(needs=replace(NEEDS, region="asia-south2"))["subnetwork"].allowed


def test_without_private_google_access_nodes_reach_no_api() -> None:
    problem = told(replace(SUBNET, private_apis=False))["subnetwork"]
    assert problem.nearest == (
        "gcloud compute networks subnets update nodes --region asia-south1 --enable-private-ip-google-access"
    )


def test_a_range_that_is_not_there_is_named_with_those_that_are() -> None:
    problem = told(podsRange="pod")["podsRange"]
    assert (problem.given, problem.nearest) == ("pod", "pods")
    assert all(name in problem.allowed for name in RANGES)
    assert "it has none" in told(replace(SUBNET, secondary={}))["servicesRange"].allowed


@pytest.mark.parametrize(
    ("more", "setting", "nearest"),
    [
        ({"podsRange": "few"}, "podsRange", "a /18"),
        ({"servicesRange": "few"}, "servicesRange", "a /24"),
    ],
)
def test_a_range_that_is_too_small_is_named_with_one_that_is_not(
    more: dict[str, Any], setting: str, nearest: str
) -> None:
    assert told(**more)[setting].nearest == nearest


def test_there_are_addresses_for_all_nodes() -> None:
    problem = told(replace(SUBNET, cidr="10.30.0.0/27"))["subnetwork"]
    assert "40 nodes" in problem.allowed
    assert problem.nearest == "a /26"


@pytest.mark.parametrize("setting", ["subnetwork", "podsRange", "servicesRange"])
def test_no_range_overlaps_another_network_of_the_stack(setting: str) -> None:
    inside = "10.0.0.0/17"
    subnet = {
        "subnetwork": replace(SUBNET, cidr=inside),
        "podsRange": replace(SUBNET, secondary={**RANGES, "pods": inside}),
        "servicesRange": replace(SUBNET, secondary={**RANGES, "services": inside}),
    }[setting]
    assert list(told(subnet)) == [setting]
    assert "aws.network.cidr (10.0.0.0/16)" in told(subnet)[setting].allowed


@given(
    nodes=st.integers(1, 5000),
    prefixes=st.tuples(*[st.integers(9, 30)] * 3),
    private=st.booleans(),
)
def test_what_passes_has_room_for_every_node(
    nodes: int, prefixes: tuple[int, int, int], private: bool
) -> None:
    cidr, pods, services = (
        str(IPv4Network((f"{first}.0.0.0", prefix)))
        for first, prefix in zip((10, 11, 12), prefixes, strict=True)
    )
    subnet = replace(SUBNET, cidr=cidr, secondary={"pods": pods, "services": services}, private_apis=private)
    if told(subnet, Needs("asia-south1", nodes, {})):
        return
    assert private
    assert IPv4Network(cidr).num_addresses >= nodes + 5
    assert len(list(IPv4Network(pods).subnets(new_prefix=24))) >= nodes
    assert IPv4Network(services).num_addresses >= 256


# ── Settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def of_google(existing: dict[str, Any], **network: Any) -> dict[str, Any]:
    cloud = {"project": OWN, "region": "asia-south1", "network": {"existing": existing, **network}}
    cloud["cluster"] = {"access": {"jumpHost": True}}
    return minimal(gcp=cloud)


@pytest.mark.parametrize(
    ("network", "path"),
    [
        ({"network": "Shared VPC", "subnetwork": "nodes"}, "existing.network"),
        ({"network": "shared"}, "existing.subnetwork"),
        ({"network": "shared", "subnetwork": VPC}, "existing.subnetwork"),
        ({"network": "shared", "subnetwork": "nodes", "podsRange": "10.0.0.0/16"}, "existing.podsRange"),
        ({"network": "shared", "subnetwork": "nodes", "podsRange": "services"}, "existing"),
    ],
)
def test_a_wrong_name_is_refused_in_the_settings(network: dict[str, Any], path: str) -> None:
    assert list(problems(of_google(network))) == [f"gcp.network.{path}"]


def test_names_paths_and_links_mean_the_same() -> None:
    link = f"https://www.googleapis.com/compute/v1/{ID}"
    for given_ in ("nodes", ID, link):
        read = reading.parse(of_google({"network": "shared", "subnetwork": given_})).gcp
        assert read and read.network.existing
        assert read.network.existing.subnetwork.rpartition("/")[2] == "nodes"


def test_a_shared_vpc_of_another_project_is_refused_with_why() -> None:
    there = VPC.replace(OWN, "network-host")
    problem = problems(of_google({"network": there, "subnetwork": "nodes"}))["gcp.network"]
    assert "shared VPC of network-host" in problem.allowed


def test_an_existing_network_has_its_own_addresses_but_our_days_of_flow_logs() -> None:
    existing = {"network": "shared", "subnetwork": "nodes"}
    assert reading.parse(of_google(existing, flowLogDays=400))
    refused = problems(of_google(existing, cidr="10.9.0.0/20", podsCidr="10.12.0.0/14"))
    assert "without cidr, podsCidr" in refused["gcp.network"].allowed


# ── The whole program, on mocks ──────────────────────────────────────────────────────────────────────────────────────
def run(deploy: Callable[..., Any], outputs: dict[str, Any] | None = None, **existing: str) -> Any:
    config = yaml.safe_load((PROJECT / "Pulumi.prod.yaml").read_text())["config"]
    cloud = config["india-ai-infra:gcp"]
    cloud["project"], cloud["cluster"]["pools"] = OWN, []
    cloud["network"] = {"existing": {"network": "shared", "subnetwork": "nodes", **existing}}
    config["india-ai-infra:aws"] = {}
    config["india-ai-infra:workloads"] = {}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    before = dict(pulumi.runtime.config.CONFIG.get())
    pulumi.runtime.set_all_config(texts)
    try:
        return deploy(program.run, outputs=outputs)
    finally:
        pulumi.runtime.set_all_config(before)


@pytest.mark.slow
def test_the_platform_stands_in_it_and_makes_no_network(deploy: Callable[..., Any]) -> None:
    made = run(deploy)
    for type_ in ("network:Network", "Subnetwork", "router:Router", "RouterNat", "ManagedZone"):
        assert made.of(type_) == {}, type_
    assert list(made.of("firewall:Firewall")) == ["jump-host-iap"]
    cluster = made.one("container/cluster:Cluster").inputs
    assert (cluster["network"], cluster["subnetwork"]) == (VPC, ID)
    ranges = ("clusterSecondaryRangeName", "servicesSecondaryRangeName")
    assert [cluster["ipAllocationPolicy"][name] for name in ranges] == ["pods", "services"]
    allowed = cluster["masterAuthorizedNetworksConfig"]["cidrBlocks"]
    assert [block["cidrBlock"] for block in allowed] == ["10.30.0.0/20", "10.40.0.0/16"]
    assert made.one("instance:Instance").inputs["networkInterfaces"] == [{"subnetwork": ID}]
    egress = made.of("NetworkPolicy")["training-allow-egress"].inputs["spec"]["egress"]
    reached = {peer["ipBlock"]["cidr"] for rule in egress for peer in rule["to"] if "ipBlock" in peer}
    assert {"10.30.0.0/20", "199.36.153.8/30", "199.36.153.4/30"} <= reached


@pytest.mark.parametrize(
    ("existing", "answers", "words"),
    [
        ({"network": "share"}, {}, "a VPC network of project unit-project: default, shared"),
        ({"subnetwork": "node"}, {}, "a subnet of shared in asia-south1: nodes\n"),
        ({"podsRange": "pod"}, {}, "secondary range of nodes: pods, services"),
        ({}, {"privateIpGoogleAccess": False}, "enable-private-ip-google-access"),
    ],
)
def test_one_that_will_not_do_is_refused_before_anything_is_made(
    deploy: Callable[..., Any], existing: dict[str, str], answers: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        run(deploy, {"gcp:compute/getSubnetwork:getSubnetwork": answers}, **existing)
