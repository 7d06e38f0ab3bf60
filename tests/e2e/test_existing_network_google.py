"""A stack on Google in a VPC that somebody else made, through the real engine: refused until it will do and until the
caller is listed, then up and down, and the network stays.

One story in order: each test takes the stack as the one before left it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import doctor
from localcloud import cloud, google_deployer
from localcloud.directories import PROJECT
from localcloud.engine import Stack
from localcloud.providers.gcp.provider import Gcp
from localcloud.providers.protocol import Resource, Values
from tests.e2e.test_day_two import PREFIX, told

pytestmark = pytest.mark.e2e

NAME, HOME, REGION = "shared", "india-ai-infra-shared", "asia-south1"
NETWORK, SUBNET = "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"
ME = f"user:{google_deployer.EMAIL}"
RANGES = {"pods": "10.40.0.0/16", "services": "10.41.0.0/20"}


@dataclass
class Keeper:
    """Whoever keeps the network, who has a provider of their own and no stack."""

    provider: Gcp

    def make(self, token: str, **inputs: Any) -> tuple[Resource, Values]:
        resource = Resource(f"urn:pulumi:net::net::{token}::{inputs['name']}")
        checked = self.provider.check(resource, {}, inputs)
        resource_id, _ = self.provider.create(resource, checked)
        return Resource(resource.urn, resource_id), checked


@pytest.fixture(scope="module")
def keeper(run_dir: Path) -> Keeper:
    provider = Gcp()
    provider.configure({"project": HOME, "region": REGION})
    return Keeper(provider)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = yaml.safe_load((PROJECT / "Pulumi.prod.yaml").read_text())
    settings = values["config"]
    settings[f"{PREFIX}environment"] = "dev"
    settings[f"{PREFIX}workloads"] = {}
    settings[f"{PREFIX}gcp"] = {
        "project": HOME,
        "region": REGION,
        "audit": {"alertEmails": ["alerts@example.org"]},
        "network": {"existing": {"network": "offices", "subnetwork": "nodes"}},
        "cluster": {"access": {"jumpHost": True, "deployers": [ME]}},
    }
    del settings[f"{PREFIX}aws"]
    file = tmp_path_factory.mktemp("config") / f"Pulumi.{NAME}.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


@pytest.fixture(scope="module")
def stack(environment: dict[str, str], config: Path) -> Iterator[Stack]:
    opened = Stack(NAME, cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]), config_file=config)
    yield opened
    opened.unprotect()
    outcome = opened.destroy()
    assert not outcome.failed, told(outcome)
    assert doctor.leftovers(NAME) == []


def refusal(stack: Stack) -> str:
    outcome = stack.preview(policies=False)
    assert outcome.failed
    assert stack.resources() == []
    return told(outcome)


def test_a_network_that_is_not_there_is_refused(stack: Stack) -> None:
    assert "a VPC network of project india-ai-infra-shared: there is none" in refusal(stack)
    # What it would cost, and what a project must have for it, can be asked all the same.
    cluster = next(one for one in stack.registered() if one["type"] == "gcp:container/cluster:Cluster")
    assert cluster["inputs"]["network"] == f"projects/{HOME}/global/networks/offices"


def test_one_that_will_not_do_is_refused_with_every_fault(stack: Stack, keeper: Keeper) -> None:
    network, _ = keeper.make(NETWORK, name="offices", autoCreateSubnetworks=False)
    keeper.make(SUBNET, name="others", region=REGION, network=network.id, ipCidrRange="10.31.0.0/24")
    assert "a subnet of offices in asia-south1: others" in refusal(stack)
    subnet, before = keeper.make(
        SUBNET, name="nodes", region=REGION, network=network.id, ipCidrRange="10.30.0.0/20"
    )
    said = refusal(stack)
    assert "--enable-private-ip-google-access" in said
    assert "a secondary range of nodes: it has none" in said
    ranges = [{"rangeName": name, "ipCidrRange": cidr} for name, cidr in RANGES.items()]
    after = {**before, "secondaryIpRanges": ranges, "privateIpGoogleAccess": True}
    keeper.provider.update(subnet, before, {}, keeper.provider.check(subnet, before, after))


def test_who_is_not_listed_is_refused_with_the_line(stack: Stack, config: Path) -> None:
    before = config.read_text()
    config.write_text(before.replace(ME, "user:somebody@example.in"))
    try:
        assert f"[user:somebody@example.in, {ME}]" in refusal(stack)
    finally:
        config.write_text(before)


def test_the_stack_stands_in_it_and_leaves_it(stack: Stack, keeper: Keeper) -> None:
    outcome = stack.up()
    assert not outcome.failed, told(outcome)
    made = {resource["type"]: resource for resource in stack.resources()}
    assert not {NETWORK, SUBNET, "gcp:compute/routerNat:RouterNat"} & set(made)
    cluster = made["gcp:container/cluster:Cluster"]["inputs"]
    assert cluster["network"] == f"projects/{HOME}/global/networks/offices"
    assert any(type_.startswith("kubernetes:") for type_ in made), "the jump host leads to its API server"
    assert stack.preview(policies=False).unchanged
    stack.unprotect()
    destroyed = stack.destroy()
    assert not destroyed.failed, told(destroyed)
    kept = keeper.provider.invoke("gcp:compute/getNetworks:getNetworks", {"project": HOME})
    assert kept["networks"] == ["offices"]
