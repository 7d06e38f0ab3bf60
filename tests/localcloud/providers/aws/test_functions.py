"""Functions that ask AWS, and who asks."""

from __future__ import annotations

from typing import Any

import pytest

from infra.aws.endpoints import UNKNOWN_SERVICE
from localcloud import deployer
from localcloud.providers.aws.api import ENDPOINT, Api, RefusedError
from localcloud.providers.aws.provider import Aws
from localcloud.providers.protocol import ResourceError, Values
from tests.localcloud.providers.aws.world import REGION, World

pytestmark = pytest.mark.slow


def test_an_addon_has_the_default_of_its_kubernetes_version(world: World) -> None:
    def version(**asked: Any) -> str:
        return world.aws.invoke("aws:eks/getAddonVersion:getAddonVersion", asked)["version"]

    assert version(addonName="kube-proxy", kubernetesVersion="1.34") == "v1.34.6-eksbuild.21"
    assert version(addonName="kube-proxy", kubernetesVersion="1.35") == "v1.35.3-eksbuild.21"
    assert version(addonName="coredns", kubernetesVersion="1.35", mostRecent=True) == "v1.13.2-eksbuild.21"
    with pytest.raises(ResourceError, match="empty result"):
        version(addonName="coredns", kubernetesVersion="1.20")


def test_an_endpoint_service_tells_its_zones(world: World) -> None:
    def found(service: str) -> Values:
        return world.aws.invoke("aws:ec2/getVpcEndpointService:getVpcEndpointService", {"service": service})

    assert found("ecr.api")["availabilityZones"] == ["ap-south-1a", "ap-south-1b", "ap-south-1c"]
    assert found("ecr.api")["serviceName"] == "com.amazonaws.ap-south-1.ecr.api"
    with pytest.raises(ResourceError, match=UNKNOWN_SERVICE):
        found("ecr.apy")


def test_functions(world: World) -> None:
    zones = world.aws.invoke(
        "aws:index/getAvailabilityZones:getAvailabilityZones",
        {"filters": [{"name": "zone-id", "values": ["aps1-az1", "aps1-az3"]}]},
    )
    assert sorted(zones["zoneIds"]) == ["aps1-az1", "aps1-az3"]
    assert zones["names"] == sorted(zones["names"])
    assert world.aws.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})["accountId"].isdigit()
    assert world.aws.invoke("aws:index/getRegion:getRegion", {})["name"] == REGION
    image = {"name": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"}
    assert world.aws.invoke("aws:ssm/getParameter:getParameter", image)["value"].startswith("ami-")
    assert world.aws.invoke("aws:index/getPartition:getPartition", {})["partition"] == "aws"
    with pytest.raises(ResourceError, match=r"providers/aws/types\.yaml"):
        world.aws.invoke("aws:ec2/getAmi:getAmi", {})


def test_the_caller_is_the_deployers_role(world: World, endpoint: str) -> None:
    deployer.make(endpoint)
    session = world.aws.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
    assert (
        session["arn"] == f"arn:aws:sts::{deployer.ACCOUNT}:assumed-role/{deployer.ROLE}/{deployer.SESSION}"
    )
    about_it = world.aws.invoke("aws:iam/getSessionContext:getSessionContext", {"arn": session["arn"]})
    assert about_it["issuerArn"] == deployer.arn()
    assert about_it["sessionName"] == deployer.SESSION
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(deployer.VARIABLE, "people/admin")
        other = Aws()
        other.configure({"region": REGION})
        session = other.invoke("aws:index/getCallerIdentity:getCallerIdentity", {})
        context = other.invoke("aws:iam/getSessionContext:getSessionContext", {"arn": session["arn"]})
        assert context["issuerArn"] == f"arn:aws:iam::{deployer.ACCOUNT}:role/people/admin"
    user = f"arn:aws:iam::{deployer.ACCOUNT}:user/asha"
    assert world.aws.invoke("aws:iam/getSessionContext:getSessionContext", {"arn": user})["issuerArn"] == user


def test_without_a_cloud_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    with pytest.raises(RefusedError, match="make env"):
        Api().call("sts", REGION, "GetCallerIdentity", {})
