"""The network: its address plan, what stands in which subnet, and the ways in and out."""

from __future__ import annotations

import ipaddress

import pulumi
import pulumi_aws as aws
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.aws import subnets
from infra.aws.endpoints import ENDPOINTS
from infra.aws.network import Network, NetworkArgs
from infra.settings.errors import SettingsError

ZONES = ("aps1-az1", "aps1-az2", "aps1-az3")
ZONE_NAMES = {"aps1-az1": "ap-south-1c", "aps1-az2": "ap-south-1a", "aps1-az3": "ap-south-1b"}
KEY = "arn:aws:kms:ap-south-1:111122223333:key/logs"


@st.composite
def vpcs(draw) -> ipaddress.IPv4Network:
    within = ipaddress.IPv4Network(draw(st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"])))
    prefix = draw(st.integers(max(16, within.prefixlen), 20))
    address = int(within.network_address) + draw(st.integers(0, within.num_addresses - 1))
    return ipaddress.IPv4Network((address, prefix), strict=False)


@given(vpcs(), st.integers(1, 3))
def test_subnets_lie_in_the_vpc_and_apart(vpc, zones):
    planned = subnets.plan(str(vpc), zones)
    blocks = [
        ipaddress.ip_network(cidr) for zone in planned for cidr in (zone.private, zone.public, zone.intra)
    ]
    assert len(planned) == zones
    assert all(block.subnet_of(vpc) for block in blocks)
    assert not any(a.overlaps(b) for i, a in enumerate(blocks) for b in blocks[i + 1 :])


@given(vpcs())
def test_a_zone_more_moves_no_other(vpc):
    assert subnets.plan(str(vpc), 3)[:2] == subnets.plan(str(vpc), 2)


@given(vpcs())
def test_there_is_room_for_pods_and_endpoints(vpc):
    for zone in subnets.plan(str(vpc), 3):
        private, intra = (ipaddress.ip_network(cidr) for cidr in (zone.private, zone.intra))
        assert private.num_addresses * 4 == vpc.num_addresses
        assert intra.num_addresses - 5 >= len(ENDPOINTS) + 16, "EKS asks for 16 addresses; AWS keeps 5"


@pytest.mark.parametrize(
    ("cidr", "problem"),
    [
        ("10.0.0.0/21", "too small"),
        ("10.0.0.0/15", "larger than AWS allows"),
        ("10.0.1.0/16", "host bits"),
        ("8.8.0.0/16", "not a private range"),
        ("fd00::/56", "not an IPv4 network"),
        ("all of it", "not an IPv4 network"),
    ],
)
def test_a_range_that_does_not_fit_is_refused_by_name(cidr, problem):
    with pytest.raises(subnets.CidrError, match=problem) as refused:
        subnets.plan(cidr, 3)
    assert cidr in str(refused.value)


def test_no_more_than_three_zones():
    with pytest.raises(subnets.CidrError, match="1 to 3 zones, not 4"):
        subnets.plan("10.0.0.0/16", 4)


@pytest.fixture(scope="module")
def build(deploy, account, personal):
    def run(**more):
        def program():
            args = {"cidr": "10.20.0.0/16", "zones": ZONES, "logs_key_arn": KEY, "cluster_name": "mumbai"}
            network = Network("net", NetworkArgs(account=account, governance=personal, **{**args, **more}))
            return {
                "vpc": network.vpc_id,
                "zone_names": network.zone_names,
                "private": network.private_subnet_ids,
                "by_zone": network.private_subnets,
            }

        return deploy(program)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


def test_subnets_are_made_by_zone_id_and_tagged(made):
    found = made.of("ec2/subnet:Subnet")
    assert len(found) == 9
    for zone in ZONES:
        private, public, intra = (
            found[f"net-{kind}-{zone}"].inputs for kind in ("private", "public", "intra")
        )
        for inputs in (private, public, intra):
            assert inputs["availabilityZoneId"] == zone
            assert "availabilityZone" not in inputs
            assert inputs["mapPublicIpOnLaunch"] is False
        assert private["tags"]["karpenter.sh/discovery"] == "mumbai"
        assert private["tags"]["kubernetes.io/role/internal-elb"] == "1"
        assert public["tags"]["kubernetes.io/role/elb"] == "1"
        for inputs in (public, intra):
            assert "karpenter.sh/discovery" not in inputs["tags"]
    assert found["net-private-aps1-az1"].inputs["cidrBlock"] == "10.20.0.0/18"
    assert made.result["private"] == [made.result["by_zone"][zone] for zone in ZONES]


def test_zone_names_are_matched_to_ids_and_not_to_their_order(made):
    assert made.result["zone_names"] == {
        "aps1-az1": "ap-south-1c",
        "aps1-az2": "ap-south-1a",
        "aps1-az3": "ap-south-1b",
    }


def test_a_zone_that_the_account_has_not_is_named(build):
    with pytest.raises(Exception, match="no zone aps2-az1"):
        build(zones=("aps1-az1", "aps2-az1"))


def test_dns_is_on_and_the_default_group_is_closed(made):
    vpc = made.one("ec2/vpc:Vpc").inputs
    assert vpc["enableDnsSupport"] is True
    assert vpc["enableDnsHostnames"] is True
    group = made.one("ec2/defaultSecurityGroup:DefaultSecurityGroup").inputs
    assert (group["ingress"], group["egress"]) == ([], [])


@pytest.mark.parametrize(("nat_per_zone", "nats"), [(False, 1), (True, 3)])
def test_private_subnets_go_out_through_nat(build, nat_per_zone, nats):
    made = build(nat_per_zone=nat_per_zone)
    gateways = made.of("ec2/natGateway:NatGateway")
    assert len(gateways) == nats
    assert all(gateway.delete_before_replace for gateway in gateways.values()), (
        "its address is in one at a time"
    )
    for zone in ZONES:
        way = made.one("ec2/route:Route", f"net-private-{zone}").inputs
        assert way["destinationCidrBlock"] == "0.0.0.0/0"
        assert "gatewayId" not in way
    targets = {made.one("ec2/route:Route", f"net-private-{zone}").inputs["natGatewayId"] for zone in ZONES}
    assert len(targets) == nats
    internet = made.one("ec2/route:Route", "net-public").urn
    assert all(internet in gateway.depends_on for gateway in gateways.values())


def test_intra_subnets_have_no_way_out(made):
    table = made.one("ec2/routeTableAssociation:RouteTableAssociation", "net-intra-aps1-az1").inputs[
        "routeTableId"
    ]
    assert table not in {route.inputs["routeTableId"] for route in made.of("ec2/route:Route").values()}
    assert "routes" not in made.one("ec2/routeTable:RouteTable", "net-intra").inputs


@pytest.mark.parametrize(("per_zone", "zones"), [(False, 1), (True, 3)])
def test_endpoints_are_private_and_open_to_the_vpc_alone(build, per_zone, zones):
    made = build(endpoints_per_zone=per_zone)
    endpoints = {
        found.inputs["serviceName"]: found.inputs
        for found in made.of("ec2/vpcEndpoint:VpcEndpoint").values()
        if found.inputs["vpcEndpointType"] == "Interface"
    }
    assert set(endpoints) == {f"com.amazonaws.ap-south-1.{service}" for service in ENDPOINTS}
    assert "com.amazonaws.ap-south-1.guardduty-data" in endpoints
    assert all(endpoint["privateDnsEnabled"] for endpoint in endpoints.values())
    assert all(len(endpoint["subnetIds"]) == zones for endpoint in endpoints.values())
    rule = made.one("vpc/securityGroupIngressRule:SecurityGroupIngressRule").inputs
    assert (rule["cidrIpv4"], rule["fromPort"], rule["toPort"]) == ("10.20.0.0/16", 443, 443)
    assert not made.of("vpc/securityGroupEgressRule:SecurityGroupEgressRule")


def test_endpoints_stand_where_their_service_is_offered(build, lacking):
    lacking["sqs"] = {ZONE_NAMES["aps1-az1"]}
    for per_zone in (False, True):
        made = build(endpoints_per_zone=per_zone)
        subnets_of = {
            service: made.one("VpcEndpoint", f"net-endpoints-{service}").inputs["subnetIds"]
            for service in ("sqs", "ecr.api")
        }
        assert len(subnets_of["ecr.api"]) == (3 if per_zone else 1)
        if per_zone:
            assert subnets_of["sqs"] == subnets_of["ecr.api"][1:]
        else:
            assert len(subnets_of["sqs"]) == 1
            assert subnets_of["sqs"] != subnets_of["ecr.api"]
    asked = [one.args["service"] for one in made.invokes if one.token.endswith("getVpcEndpointService")]
    assert sorted(asked) == sorted(ENDPOINTS), "once a service"


@pytest.mark.parametrize("service", ["guardduty-data", "sqs"])
def test_a_service_that_no_zone_offers_is_refused_by_name(build, lacking, service):
    lacking[service] = set(ZONE_NAMES.values())
    with pytest.raises(
        SettingsError, match=f"an endpoint of {service}, which ap-south-1 does not offer in"
    ) as one:
        build()
    (problem,) = one.value.problems
    assert (
        problem.nearest == "false" if service == "guardduty-data" else "network.existing" in problem.allowed
    )
    lacking[service] = None
    with pytest.raises(SettingsError, match=service):
        build()


def test_the_s3_endpoint_lets_data_go_to_own_buckets_only(made, account_id):
    endpoint = made.one("ec2/vpcEndpoint:VpcEndpoint", "net-endpoints-s3")
    assert endpoint.inputs["vpcEndpointType"] == "Gateway"
    assert len(endpoint.inputs["routeTableIds"]) == 4, "three private tables and the intra one"
    said = endpoint.policy()
    assert said["OwnBuckets"]["Condition"] == {"StringEquals": {"aws:ResourceAccount": account_id}}
    assert said["ImagesAndPackages"]["Action"] == ["s3:GetObject"]
    assert "arn:aws:s3:::prod-ap-south-1-starport-layer-bucket/*" in said["ImagesAndPackages"]["Resource"]
    assert set(said) == {"OwnBuckets", "ImagesAndPackages"}


def test_flow_logs_keep_all_traffic_a_year_under_the_key(made, account_id):
    log_group = made.one("cloudwatch/logGroup:LogGroup")
    assert log_group.inputs["retentionInDays"] == 365
    assert log_group.inputs["kmsKeyId"] == KEY
    assert log_group.inputs["tags"]["dpdp:data-class"] == "personal"
    flow_log = made.one("ec2/flowLog:FlowLog")
    assert flow_log.inputs["trafficType"] == "ALL"
    assert made.one("iam/rolePolicy:RolePolicy").urn in flow_log.depends_on
    assert flow_log.inputs["logDestination"].endswith("log-group:/aws/vpc/mumbai/flow-logs")

    trusted = made.one("iam/role:Role").policy("assumeRolePolicy")["Assume"]
    assert trusted["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trusted["Condition"]["StringEquals"] == {"aws:SourceAccount": account_id}
    assert "Resource" not in trusted
    written = made.one("iam/rolePolicy:RolePolicy").policy()["WriteFlowLogs"]
    assert "logs:CreateLogGroup" not in written["Action"]
    assert all("flow-logs" in resource for resource in written["Resource"])


def test_everything_is_a_child_and_uses_the_provider_that_was_given(deploy, account, personal):
    def program():
        provider = aws.Provider("mumbai", region="ap-south-1")
        args = NetworkArgs(account, personal, "mumbai", "10.0.0.0/16", ZONES, KEY)
        Network("net", args, pulumi.ResourceOptions(provider=provider))

    made = deploy(program)
    children = [found for found in made.resources if found.type.startswith("aws:")]
    assert children
    for child in children:
        assert "india-ai-infra:aws:" in child.parent, child.urn
        assert "::mumbai::" in child.provider, child.urn
    assert all("::mumbai::" in asked.provider for asked in made.invokes)
