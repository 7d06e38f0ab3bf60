"""Preflight: needs counted from registered resources, and what an account says, on moto and on stubbed answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import typer
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber
from moto import mock_aws
from moto.server import ThreadedMotoServer

from commands.preflight import account, command, google, google_apis, google_needs, needs
from commands.preflight.needs import Need, Placed
from commands.stacks import settings_of
from infra.catalog.resolved import resolver
from infra.pricing.nodes import GKE_POOL, NODE_POOL
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.aws import ExistingNetwork, Network
from infra.settings.stack import Usage

pytestmark = pytest.mark.slow

REGION = "ap-south-1"
PROVIDER = "urn:pulumi:prod::shop::pulumi:providers:aws::aws"
TAGS = {"project": "shop", "stack": "prod"}
ROLE = "arn:aws:iam::123456789012:role/team/deployer"


def made(type_: str, name: str, sources: dict[str, list[str]] | None = None, /, **inputs: Any) -> Resource:
    provider = "" if type_.startswith("pulumi:") else PROVIDER
    return Resource(type_, urn(type_, name), inputs, "", provider, sources or {})


def urn(type_: str, name: str) -> str:
    return PROVIDER if type_.startswith("pulumi:") else f"urn:pulumi:prod::shop::{type_}::{name}"


def node_pool(name: str, types: list[str], gpus: int, *capacity: str) -> Resource:
    asked = {"node.kubernetes.io/instance-type": types, "karpenter.sh/capacity-type": list(capacity)}
    template = {
        "spec": {"requirements": [{"key": k, "operator": "In", "values": v} for k, v in asked.items()]}
    }
    spec = {"limits": {"nvidia.com/gpu": str(gpus)}, "template": template}
    return made(NODE_POOL, name, metadata={"name": name}, spec=spec)


def node_group(name: str, type_: str, most: int, capacity: str, zone: str) -> Resource:
    sizes = {"minSize": 0, "desiredSize": 0, "maxSize": most}
    subnet = urn(needs.SUBNET, zone)
    inputs = {
        "instanceTypes": [type_],
        "capacityType": capacity,
        "scalingConfig": sizes,
        "nodeGroupName": name,
    }
    return made(needs.NODE_GROUP, name, {"subnetIds": [subnet]}, **inputs)


def stack(*resources: Resource) -> ResourceGraph:
    zones = [made(needs.SUBNET, zone, availabilityZoneId=zone) for zone in ("aps1-az1", "aps1-az2")]
    provider = made("pulumi:providers:aws", "aws", region=REGION)
    return ResourceGraph([provider, *zones, *resources], Usage())


def amounts(found: ResourceGraph) -> dict[str, tuple[float, float]]:
    return {need.quota.codes[0]: (need.amount, need.at_most) for need in needs.needs(found)}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[account.Aws]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "unit")
    with mock_aws():
        yield command.of_session()


def row(code: str) -> needs.QuotaRow:
    return next(quota for quota in needs.quotas() if quota.codes[0] == code)


def stubbed(service: str, *answers: tuple[str, Any]) -> account.Aws:
    """A client whose calls are answered in turn: with data, or with the code of an error."""
    client = boto3.client(service, region_name=REGION, aws_access_key_id="unit", aws_secret_access_key="unit")
    stub = Stubber(client)
    for operation, answer in answers:
        if isinstance(answer, str):
            stub.add_client_error(operation, answer)
        else:
            stub.add_response(operation, answer)
    stub.activate()
    return lambda service, region: client


def test_a_pool_needs_its_cheapest_machines_and_at_most_its_largest():
    found = amounts(stack(node_pool("serve", ["g6.xlarge", "g6.4xlarge"], 8, "on-demand")))
    assert found["L-DB2E81BA"] == (8 * 4, 8 * 16)
    assert "L-3819A6DF" not in found


def test_a_pool_with_a_fallback_needs_both_quotas():
    found = amounts(stack(node_pool("batch", ["g6.12xlarge"], 8, "spot", "on-demand")))
    assert found["L-3819A6DF"] == found["L-DB2E81BA"] == (96, 96)


def test_what_is_reserved_takes_the_quota_of_on_demand_once():
    found = amounts(stack(node_pool("batch", ["g6.12xlarge"], 8, "reserved", "spot", "on-demand")))
    assert found["L-3819A6DF"] == found["L-DB2E81BA"] == (96, 96)


def test_p5_on_spot_has_a_quota_of_its_own_and_on_demand_has_not():
    found = amounts(
        stack(
            node_group("train", "p5.48xlarge", 4, "SPOT", "aps1-az1"),
            node_group("pretrain", "p5en.48xlarge", 2, "ON_DEMAND", "aps1-az1"),
            node_group("old", "p4d.24xlarge", 1, "SPOT", "aps1-az1"),
        )
    )
    assert (found["L-C4BD4855"], found["L-417A185B"], found["L-7212CCBC"]) == (
        (768, 768),
        (384, 384),
        (96, 96),
    )
    assert found["L-BD136A63"] == (4, 4)


def test_gateways_are_counted_by_zone():
    gateways = [
        made(needs.NAT, f"nat{n}", {"subnetId": [urn(needs.SUBNET, zone)]})
        for n, zone in enumerate(["aps1-az1", "aps1-az2", "aps1-az2"])
    ]
    assert amounts(stack(*gateways))["L-FE5A380F"] == (2, 2)


@pytest.mark.parametrize(
    ("machine_type", "purchase", "quota"),
    [
        ("m6a.xlarge", "on-demand", "standard"),
        ("gr6.4xlarge", "spot", "g"),
        ("p5en.48xlarge", "spot", "p5"),
        ("p6-b200.48xlarge", "spot", "p"),
        ("p5.48xlarge", "on-demand", "p"),
        ("inf2.xlarge", "spot", "inf"),
        ("trn1.32xlarge", "on-demand", "trn"),
    ],
)
def test_families(machine_type: str, purchase: str, quota: str):
    assert needs.family([machine_type], purchase) == quota


def test_a_quota_that_is_too_small_says_how_to_raise_it(aws: account.Aws):
    need = Need(row("L-FE5A380F"), REGION, 7, 7)  # moto's answer is 5, as AWS's default is
    found = account.quota(need, TAGS, aws)
    assert (found.verdict, found.actual) == ("missing", "5")
    assert "--quota-code L-FE5A380F --desired-value 7 --region ap-south-1" in found.fix
    assert account.quota(Need(row("L-FE5A380F"), REGION, 1, 1), TAGS, aws).verdict == "ok"


def test_what_others_use_counts_and_what_the_stack_has_does_not(aws: account.Aws):
    ec2 = boto3.client("ec2", region_name=REGION)
    before = len(ec2.describe_vpcs()["Vpcs"])
    ec2.create_vpc(CidrBlock="10.9.0.0/16")
    own = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    ec2.create_vpc(CidrBlock="10.8.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": own}])
    found = account.quota(Need(row("L-F678F1CE"), REGION, 4, 4), TAGS, aws)
    assert found.actual == f"5, {before + 1} used"
    assert found.verdict == "missing"


def test_a_code_that_the_account_does_not_know_gives_way_to_the_next():
    quota = {"Quota": {"Value": 800.0}}
    aws = stubbed(
        "service-quotas",
        ("get_service_quota", "NoSuchResourceException"),
        ("get_aws_default_service_quota", "NoSuchResourceException"),
        ("get_service_quota", quota),
    )
    found = account.quota(Need(row("L-C4BD4855"), REGION, 768, 900), TAGS, aws)
    assert (found.verdict, found.actual) == ("tight", "800")
    assert "--quota-code L-7212CCBC --desired-value 900" in found.fix


def test_an_account_that_will_not_say_is_no_verdict():
    aws = stubbed("service-quotas", ("get_service_quota", "AccessDeniedException"))
    found = account.quota(Need(row("L-417A185B"), REGION, 1, 1), TAGS, aws)
    assert (found.verdict, found.actual) == (
        "unknown",
        "not said: AccessDeniedException; a new account has 0",
    )


def test_zones_without_the_machine(aws: account.Aws):
    p5 = Placed("train", REGION, ("p5.48xlarge",), ("aps1-az1",), True)
    assert account.offered(p5, aws).verdict == "ok"
    b200 = Placed("train", REGION, ("p6-b200.48xlarge",), ("aps1-az1",), True)
    found = account.offered(b200, aws)
    assert (found.verdict, found.actual) == ("missing", "not in aps1-az1; in aps1-az2")
    either = Placed("serve", REGION, ("g6.xlarge",), ("aps1-az1", "aps1-az2"), False)
    assert account.offered(either, aws).verdict == "tight"


def test_pools_are_looked_for_where_they_will_be() -> None:
    resolve = resolver()
    cloud = settings_of("prod", resolve).aws
    assert cloud
    pools = [resolve(cloud.region, pool) for pool in cloud.cluster.pools]
    found = {pool.pool: pool for pool in needs.placed(cloud, pools)}
    assert found["system"] == Placed(
        "system", REGION, ("m6a.2xlarge",), ("aps1-az1", "aps1-az2", "aps1-az3"), False
    )
    train = next(pool for pool in pools if pool.name == "train")
    assert found["train"] == Placed("train", REGION, ("p5.48xlarge",), train.zones, True)
    assert not found["serve"].exact and len(found["serve"].zones) > 1
    existing = ExistingNetwork.model_validate(
        {"vpcId": "vpc-00000001", "privateSubnetIds": ["subnet-00000001"]}
    )
    borrowed = cloud.model_copy(update={"network": Network(existing=existing)})
    there = {pool.pool: pool for pool in needs.placed(borrowed, pools)}["train"]
    assert (set(there.zones), there.exact) == (set(train.allowed_zones), False), (
        "its zones are not known here"
    )


def test_denied_actions_are_named_and_a_sessions_role_is_found():
    role = {
        "Path": "/team/",
        "RoleName": "deployer",
        "RoleId": "A" * 16,
        "Arn": ROLE,
        "CreateDate": "2026-01-01",
    }
    results = [
        {"EvalActionName": "eks:CreateCluster", "EvalDecision": "allowed"},
        {"EvalActionName": "kms:CreateKey", "EvalDecision": "implicitDeny"},
    ]
    aws = stubbed(
        "iam",
        ("get_role", {"Role": role}),
        (
            "simulate_principal_policy",
            {"EvaluationResults": results[:1], "IsTruncated": True, "Marker": "more"},
        ),
        ("simulate_principal_policy", {"EvaluationResults": results[1:], "IsTruncated": False}),
    )
    session = "arn:aws:sts::123456789012:assumed-role/deployer/asha"
    (found,) = account.rights(session, ["eks:CreateCluster", "kms:CreateKey"], aws)
    assert (found.what, found.verdict) == ("kms:CreateKey", "missing")
    assert found.fix == f"allow kms:CreateKey to {ROLE}"


def test_a_detector_that_is_there_is_told_with_its_import(aws: account.Aws):
    wanted = stack(made(account.DETECTOR, "audit"))
    found = account.detector(wanted, REGION, aws)
    assert found and found.verdict == "ok"
    there = boto3.client("guardduty", region_name=REGION).create_detector(Enable=True)["DetectorId"]
    found = account.detector(wanted, REGION, aws)
    assert found and found.verdict == "tight"
    assert f"pulumi import {account.DETECTOR} audit {there}" in found.fix
    assert account.detector(stack(), REGION, aws) is None


def test_roles_that_services_are_linked_to_are_made_on_the_way(aws: account.Aws):
    wanted = stack(node_pool("serve", ["g6.xlarge"], 1, "spot"), made("aws:eks/cluster:Cluster", "cluster"))
    found = {role.role: account.service_role(role, aws) for role in needs.service_roles(wanted)}
    assert found["AWSServiceRoleForEC2Spot"].actual == "made with the first spot node"
    assert {one.verdict for one in found.values()} == {"ok"}
    # Moto's own CreateServiceLinkedRole gives it another name.
    boto3.client("iam").create_role(RoleName="AWSServiceRoleForEC2Spot", AssumeRolePolicyDocument="{}")
    spot = next(role for role in needs.service_roles(wanted) if role.when == "spot")
    assert account.service_role(spot, aws).actual == "there"
    assert needs.service_roles(stack(node_pool("serve", ["g6.xlarge"], 1, "on-demand"))) == []


def test_an_opt_in_region_must_be_enabled():
    disabled = {"Regions": [{"RegionName": "ap-south-2", "OptInStatus": "not-opted-in"}]}
    found = account.region_enabled("ap-south-2", stubbed("ec2", ("describe_regions", disabled)))
    assert (found.verdict, found.fix) == ("missing", "aws account enable-region --region-name ap-south-2")


def test_every_type_of_the_bill_has_its_actions():
    from infra.pricing.meters import METERED
    from infra.pricing.services import by_use

    _, unlisted = needs.actions([*METERED, *by_use()])
    assert unlisted == []
    assert google.needed([*METERED, *by_use()])[2] == []


def test_google_is_told_by_its_metrics():
    def pool(name: str, accelerator: str, count: int, spot: bool, **sizes: Any) -> Resource:
        config = {"guestAccelerators": [{"type": accelerator, "count": count}], "spot": spot}
        return made(GKE_POOL, name, nodeConfig=config, **sizes)

    found = google_needs.gpus(
        stack(
            pool("train", "nvidia-h100-80gb", 8, True, autoscaling={"totalMaxNodeCount": 2}),
            pool("serve", "nvidia-l4", 1, False, autoscaling={"maxNodeCount": 3}, nodeLocations=["a", "b"]),
            pool("new", "nvidia-x", 4, False, nodeCount=1),
        )
    )
    assert [(need.per, *need.names, need.amount) for need in found] == [
        ("region", "PREEMPTIBLE_NVIDIA_H100_GPUS", 16),
        ("region", "NVIDIA_L4_GPUS", 6),
        ("family", "nvidia-x", 4),
    ]


def test_without_a_login_one_sentence_for_each_cloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    class NoLoginError:
        def get_caller_identity(self) -> dict[str, str]:
            raise NoCredentialsError

    def nobody(*_: str) -> None:
        raise google_apis.NoGoogleLoginError("no Google login to ask")

    monkeypatch.setattr(command, "of_session", lambda: lambda service, region: NoLoginError())
    monkeypatch.setattr(google_apis, "of_login", nobody)
    with pytest.raises(typer.Exit) as ended:
        command.preflight("prod")
    assert ended.value.exit_code == 1
    said = capsys.readouterr().out
    assert said.startswith("✗ no AWS login to ask (Unable to locate credentials)")
    assert said.splitlines()[1:] == ["✗ no Google login to ask"]


def test_a_whole_check_on_a_moto_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "unit")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    try:
        _check_all(command.of_session(), capsys)
    finally:
        server.stop()


def _check_all(aws: account.Aws, capsys: pytest.CaptureFixture[str]) -> None:
    resources = [
        made("aws:eks/cluster:Cluster", "cluster"),
        made("aws:new/thing:Thing", "thing"),
        node_group("train", "p5.48xlarge", 1, "SPOT", "aps1-az1"),
    ]
    train = Placed("train", REGION, ("p5.48xlarge",), ("aps1-az1",), True)
    findings = command.check(stack(*resources), [train], command.caller_of(aws), aws)
    command.show("prod", "asha", findings)
    said = capsys.readouterr().out
    assert {finding.kind for finding in findings} == {"region", "rights", "quota", "zones", "role"}
    assert "aws:new/thing:Thing" in said and "made with the first spot node" in " ".join(said.split())
    assert findings[0].verdict == "ok"
