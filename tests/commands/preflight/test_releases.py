"""Preflight of releases: add-ons by recorded shapes of EKS' answers, images by the parameters that AWS publishes."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from commands.preflight import account, releases
from infra.catalog.kubernetes_versions import kubernetes_versions
from infra.settings.aws import ADDONS, Aws

REGION = "ap-south-1"
VERSION = "1.35"
BUILDS = {"v1.22.4-eksbuild.3": True, "v1.21.1-eksbuild.3": False}


def answer(name: str, builds: dict[str, bool]) -> dict[str, Any]:
    """As EKS answers `aws eks describe-addon-versions --addon-name vpc-cni --kubernetes-version 1.35`."""
    versions = [
        {
            "addonVersion": build,
            "architecture": ["amd64", "arm64"],
            "computeTypes": ["ec2", "hybrid"],
            "compatibilities": [
                {"clusterVersion": VERSION, "platformVersions": ["*"], "defaultVersion": is_default}
            ],
            "requiresConfiguration": False,
            "requiresIamPermissions": True,
        }
        for build, is_default in builds.items()
    ]
    addon = {"addonName": name, "type": "networking", "publisher": "eks", "owner": "aws"}
    return {"addons": [{**addon, "addonVersions": versions}] if builds else []}


def stubbed(eks: list[Any], ssm: list[Any]) -> account.Aws:
    """Clients whose calls are answered in turn: with data, or with the code of an error."""
    clients = {}
    for service, operation, answers in (
        ("eks", "describe_addon_versions", eks),
        ("ssm", "get_parameter", ssm),
    ):
        client = boto3.client(
            service, region_name=REGION, aws_access_key_id="unit", aws_secret_access_key="unit"
        )
        stub = Stubber(client)
        for one in answers:
            if isinstance(one, str):
                stub.add_client_error(operation, one)
            else:
                stub.add_response(operation, *one if isinstance(one, tuple) else (one,))
        stub.activate()
        clients[service] = client
    return lambda service, region: clients[service]


def settings(**pinned: str) -> Aws:
    cluster = {
        "version": VERSION,
        "addonVersions": {name.replace("_", "-"): build for name, build in pinned.items()},
    }
    return Aws.model_validate({"region": REGION, "cluster": cluster})


def images(*found: Any) -> list[Any]:
    return [{"Parameter": {"Value": one}} if one.startswith("ami-") else one for one in found]


def checked(builds: dict[str, bool] | str, **pinned: str) -> dict[str, account.Finding]:
    eks = [builds if isinstance(builds, str) else answer(name, builds) for name in ADDONS]
    found = releases.check(settings(**pinned), stubbed(eks, images("ami-1", "ami-2")))
    return {finding.what: finding for finding in found if finding.kind == "add-on"}


def test_an_addon_has_a_default_or_the_pinned_build() -> None:
    found = checked(BUILDS, coredns="v1.21.1-eksbuild.3")
    assert {finding.verdict for finding in found.values()} == {"ok"}
    assert found["coredns"].actual == "v1.21.1-eksbuild.3"
    assert found["vpc-cni"].actual == "v1.22.4-eksbuild.3"
    assert set(found) == set(ADDONS)


def test_a_build_that_eks_withdrew_is_missing_with_the_default() -> None:
    found = checked(BUILDS, vpc_cni="v1.18.0-eksbuild.1")
    assert found["vpc-cni"].verdict == "missing"
    assert found["vpc-cni"].fix == "aws.cluster.addonVersions.vpc-cni: v1.22.4-eksbuild.3"
    assert found["coredns"].verdict == "ok"


@pytest.mark.parametrize(
    ("builds", "fix"),
    [
        ({}, "another aws.cluster.version"),
        ({"v1.0.0-eksbuild.1": False}, "pin one in aws.cluster.addonVersions.coredns"),
    ],
)
def test_an_addon_without_a_default_is_missing(builds: dict[str, bool], fix: str) -> None:
    assert checked(builds)["coredns"].verdict == "missing"
    assert checked(builds)["coredns"].fix == fix


def test_an_account_that_will_not_say_is_no_verdict() -> None:
    found = checked("AccessDeniedException")
    assert {(one.verdict, one.actual) for one in found.values()} == {
        ("unknown", "not said: AccessDeniedException")
    }


def test_each_variant_of_the_pinned_image_is_looked_for_where_karpenter_reads_it() -> None:
    image = kubernetes_versions()[VERSION]
    day = image.ami_release.rpartition("-")[2]
    path = (
        f"/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/x86_64/{{0}}/"
        f"amazon-eks-node-al2023-x86_64-{{0}}-1.35-v{day}/image_id"
    )
    asked = [
        ({"Parameter": {"Value": "ami-1"}}, {"Name": path.format("standard")}),
        "ParameterNotFound",
    ]
    eks = [answer(name, BUILDS) for name in ADDONS]
    standard, nvidia = releases.check(settings(), stubbed(eks, asked))[-2:]
    assert (standard.verdict, standard.actual) == ("ok", "ami-1")
    assert nvidia.verdict == "missing"
    assert "aws_kubernetes.csv" in nvidia.fix
    denied = releases.check(settings(), stubbed(eks, ["AccessDeniedException", "AccessDeniedException"]))
    assert [one.verdict for one in denied[-2:]] == ["unknown", "unknown"]
