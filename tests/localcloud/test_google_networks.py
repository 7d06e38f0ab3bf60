"""The simulated network that stands for somebody else's, where only a stack's resources are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.gcp.existing_network import Needs, Subnet, faults
from infra.settings.gcp import ExistingGoogleNetwork
from localcloud import google_networks
from localcloud.directories import PROJECT
from localcloud.providers.gcp.provider import Gcp
from localcloud.providers.protocol import ResourceError

HOME, REGION = "ai-team", "asia-south1"
PLACE = {"project": HOME, "region": REGION}


def of(tmp_path: Path, existing: dict[str, Any] | None) -> dict[str, str]:
    file = tmp_path / "Pulumi.x.yaml"
    network = {"network": {"existing": existing}} if existing else {}
    file.write_text(yaml.safe_dump({"config": {"india-ai-infra:gcp": {**PLACE, **network}}}))
    return google_networks.environment(file)


@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_a_stack_with_a_network_of_its_own_has_none(stack: str, tmp_path: Path) -> None:
    assert google_networks.environment(PROJECT / f"Pulumi.{stack}.yaml") == {}
    assert of(tmp_path, None) == {}


@pytest.mark.parametrize(
    "named",
    [
        {"network": "offices", "subnetwork": "nodes"},
        {
            "network": f"projects/{HOME}/global/networks/offices",
            "subnetwork": f"projects/{HOME}/regions/{REGION}/subnetworks/nodes",
            "podsRange": "of-pods",
            "servicesRange": "of-services",
        },
    ],
)
def test_it_would_do_for_a_stack_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, str]
) -> None:
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path))
    provider = Gcp()
    provider.configure(PLACE)
    asked = {"name": "nodes", **PLACE}
    with pytest.raises(ResourceError, match="Error 404"):
        provider.invoke("gcp:compute/getSubnetwork:getSubnetwork", asked)
    for name, value in of(tmp_path, named).items():
        monkeypatch.setenv(name, value)
    assert provider.invoke("gcp:compute/getNetworks:getNetworks", {"project": HOME})["networks"] == [
        "offices"
    ]
    listed = provider.invoke("gcp:compute/getSubnetworks:getSubnetworks", PLACE)["subnetworks"]
    assert [one["name"] for one in listed] == ["nodes"]
    found = provider.invoke("gcp:compute/getSubnetwork:getSubnetwork", asked)
    subnet = Subnet(
        found["id"],
        found["network"],
        found["region"],
        found["ipCidrRange"],
        {each["rangeName"]: each["ipCidrRange"] for each in found["secondaryIpRanges"]},
        found["privateIpGoogleAccess"],
    )
    own = {"aws": "10.0.0.0/16", "prod": "10.20.0.0/16", "fabric": "192.168.0.0/16"}
    existing = ExistingGoogleNetwork.model_validate(named)
    network = f"projects/{HOME}/global/networks/offices"
    assert faults(existing, network, subnet, Needs(REGION, 4000, own)) == []
