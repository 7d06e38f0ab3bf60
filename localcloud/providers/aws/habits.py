"""What AWS does besides what its API models say: `aws/habits.yaml` has each habit and its source, this module plays it.

A habit is asked before a call is made (`creating`, `updating`, `deleting`) and refuses it in AWS' words, or it does
something afterwards (`created`, `deleted`). Moto plays some by itself: those have a row and no moment here.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from infra.catalog.tables import DATA
from infra.geography import REGIONS, regions_of
from localcloud.providers.aws.addons import refuse_unknown
from localcloud.providers.aws.api import Api, RefusedError
from localcloud.providers.protocol import UNKNOWN, Values

FILE = Path(__file__).with_name("habits.yaml")
QUOTAS = DATA / "aws_quotas.csv"
EVERY_TYPE = "*"
LONGEST_DATABASE = 63
ENABLED_REGIONS = "INDIA_AI_INFRA_ENABLED_REGIONS"
OPT_IN_REGIONS = tuple(region for region in regions_of("aws") if REGIONS[region].opt_in)
# Machine types, with commas between, that spot is out of: `INDIA_AI_INFRA_NO_SPOT=p5.48xlarge make up`.
NO_SPOT = "INDIA_AI_INFRA_NO_SPOT"

Moment = Callable[[Api, Values], None]


@cache
def habits() -> tuple[Mapping[str, Any], ...]:
    """The rows of the table."""
    return tuple(yaml.safe_load(FILE.read_text()))


def play(moment: str, token: str, api: Api, scope: Values) -> None:
    """Play what AWS does with a resource of this type at a moment. Raises RefusedError where AWS refuses."""
    for habit in habits():
        player = PLAYERS[habit["name"]].get(moment)
        if player and (token in habit["types"] or EVERY_TYPE in habit["types"]):
            player(api, {**scope, "type": token})


def enabled(region: Any) -> bool:
    """Whether the account of the local cloud has a region: one that must be turned on is off, as in a new account."""
    return region not in OPT_IN_REGIONS or region in os.environ.get(ENABLED_REGIONS, "").split(",")


def not_enabled(region: str) -> RefusedError:
    """What AWS says of credentials in a region that the account has not turned on, and the way."""
    return RefusedError(
        "GetCallerIdentity",
        "InvalidClientTokenId",
        f"The security token included in the request is invalid: {region} is not enabled in this account. "
        f"Enable it with `aws account enable-region --region-name {region}`; on the local cloud, "
        f"`export {ENABLED_REGIONS}={region}`",
    )


def _one_gateway_an_address(api: Api, scope: Values) -> None:
    allocation = scope["inputs"].get("allocationId")
    if not allocation:
        return
    found = api.call("ec2", scope["region"], "DescribeAddresses", {"AllocationIds": [allocation]})
    if any(address.get("AssociationId") for address in found["Addresses"]):
        raise RefusedError(
            "CreateNatGateway",
            "Resource.AlreadyAssociated",
            f"Elastic IP address [{allocation}] is already associated",
        )


# How the resources that a quota counts are listed, and how EC2 refuses one more.
_COUNTED = {
    "aws:ec2/eip:Eip": (
        "DescribeAddresses",
        "Addresses",
        "AllocateAddress",
        "AddressLimitExceeded",
        "The maximum number of addresses has been reached.",
    ),
    "aws:ec2/vpc:Vpc": (
        "DescribeVpcs",
        "Vpcs",
        "CreateVpc",
        "VpcLimitExceeded",
        "The maximum number of VPCs has been reached.",
    ),
    "aws:ec2/internetGateway:InternetGateway": (
        "DescribeInternetGateways",
        "InternetGateways",
        "CreateInternetGateway",
        "InternetGatewayLimitExceeded",
        "The maximum number of internet gateways has been reached.",
    ),
}


def _quota(api: Api, scope: Values) -> None:
    listing, member, operation, code, words = _COUNTED[scope["type"]]
    there = len(api.call("ec2", scope["region"], listing, {})[member])
    if there >= _default_quota(scope["type"]):
        raise RefusedError(operation, code, words)


@cache
def _default_quota(token: str) -> int:
    """What a new account has of a type in a region."""
    with QUOTAS.open(newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if row["counts"] == f"type {token}"]
    return int(row["default"])


def _secret_waits_for_its_deletion(api: Api, scope: Values) -> None:
    name = scope["inputs"]["name"]
    listed = {"IncludePlannedDeletion": True, "Filters": [{"Key": "name", "Values": [name]}]}
    secrets = api.call("secretsmanager", scope["region"], "ListSecrets", listed)["SecretList"]
    if any(secret["Name"] == name and secret.get("DeletedDate") for secret in secrets):
        raise RefusedError(
            "CreateSecret",
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        )


def _machine_not_sold_in_zone(api: Api, scope: Values) -> None:
    from infra.catalog.machines import machine
    from infra.catalog.tables import CatalogError
    from localcloud.providers.aws.side_effects import machine_type

    inputs, region = scope["inputs"], scope["region"]
    named = machine_type(api, scope)
    try:
        sold = machine(region, named).zones
    except CatalogError as unknown:
        raise RefusedError("CreateNodegroup", "InvalidParameterException", str(unknown)) from unknown
    subnets = api.call("ec2", region, "DescribeSubnets", {"SubnetIds": inputs["subnetIds"]})["Subnets"]
    lacking = {subnet["AvailabilityZone"] for subnet in subnets if subnet["AvailabilityZoneId"] not in sold}
    # The catalogue has no zones of a type where none were found.
    if sold and lacking:
        zones = api.call("ec2", region, "DescribeAvailabilityZones", {})["AvailabilityZones"]
        having = sorted(zone["ZoneName"] for zone in zones if zone["ZoneId"] in sold)
        raise RefusedError(
            "CreateNodegroup",
            "InvalidRequestException",
            f"Your requested instance type ({named}) is not supported in your requested Availability Zone "
            f"({', '.join(sorted(lacking))}). Please retry your request by not specifying an Availability Zone or "
            f"choosing {', '.join(having)}.",
        )


def without_spot() -> set[str]:
    """The machine types that spot is out of."""
    return set(os.environ.get(NO_SPOT, "").replace(" ", "").split(","))


def _endpoint_not_offered_in_zone(api: Api, scope: Values) -> None:
    inputs, region = scope["inputs"], scope["region"]
    before = scope["old"].get("subnetIds") or ()
    subnet_ids = [subnet for subnet in inputs.get("subnetIds") or () if subnet not in before]
    if not subnet_ids:
        return
    service = inputs["serviceName"]
    told = api.call("ec2", region, "DescribeVpcEndpointServices", {"ServiceNames": [service]})
    zones = {zone for found in told["ServiceDetails"] for zone in found["AvailabilityZones"]}
    subnets = api.call("ec2", region, "DescribeSubnets", {"SubnetIds": subnet_ids})["Subnets"]
    for subnet in subnets:
        if subnet["AvailabilityZone"] not in zones:
            raise RefusedError(
                "ModifyVpcEndpoint" if scope["old"] else "CreateVpcEndpoint",
                "InvalidParameter",
                f"The VPC endpoint service {service} does not support the availability zone of the subnet: "
                f"{subnet['SubnetId']}.",
            )


def _spot_has_none(_api: Api, scope: Values) -> None:
    inputs = scope["inputs"]
    types = inputs.get("instanceTypes") or ()
    stands = inputs["scalingConfig"]["desiredSize"] and inputs.get("capacityType") == "SPOT"
    if stands and types and without_spot().issuperset(types):
        raise RefusedError(
            "CreateNodegroup",
            "CREATE_FAILED",
            "AsgInstanceLaunchFailures: Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill "
            f"capacity due to your request configuration ({', '.join(types)}; simulated, for {NO_SPOT} says so)",
        )


def _one_minor_at_a_time(api: Api, scope: Values) -> None:
    before, after = scope["old"].get("version"), scope["inputs"].get("version")
    if not before or not after or before == after:
        return
    if _minor(after) != _minor(before) + 1:
        raise RefusedError(
            "UpdateClusterVersion",
            "InvalidParameterException",
            f"Unsupported Kubernetes minor version update from {before} to {after}",
        )


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def _cluster_stays_in_its_vpc(api: Api, scope: Values) -> None:
    subnets = scope["inputs"]["vpcConfig"].get("subnetIds")
    home = (scope["outputs"].get("vpcConfig") or {}).get("vpcId")
    if not home or subnets == scope["old"]["vpcConfig"].get("subnetIds"):
        return
    found = api.call("ec2", scope["region"], "DescribeSubnets", {"SubnetIds": subnets})["Subnets"]
    strange = sorted(subnet["SubnetId"] for subnet in found if subnet["VpcId"] != home)
    if strange:
        raise RefusedError(
            "UpdateClusterConfig",
            "InvalidParameterException",
            f"Provided subnets {', '.join(strange)} are not in {home}, the VPC that the cluster was created with",
        )


def _cluster_is_protected(api: Api, scope: Values) -> None:
    # The outputs are what the state says: lifting the protection there is how the local cloud is cleared.
    if scope["outputs"].get("deletionProtection") is True:
        raise RefusedError(
            "DeleteCluster",
            "InvalidRequestException",
            f"{scope['id']} has deletion protection enabled: disable it and try again",
        )


def _cluster_makes_its_log_group(api: Api, scope: Values) -> None:
    if scope["inputs"].get("enabledClusterLogTypes"):
        _log_group_of(api, scope["region"], scope["inputs"]["name"])


def _logging_cluster_makes_it_again(api: Api, scope: Values) -> None:
    name = scope["id"].removeprefix("/aws/eks/").removesuffix("/cluster")
    if name not in api.call("eks", scope["region"], "ListClusters", {})["clusters"]:
        return
    cluster = api.call("eks", scope["region"], "DescribeCluster", {"name": name})["cluster"]
    logging = cluster.get("logging", {}).get("clusterLogging", [])
    if any(kind["enabled"] for kind in logging):
        _log_group_of(api, scope["region"], name)


def _log_group_of(api: Api, region: str, cluster: str) -> None:
    try:
        api.call("logs", region, "CreateLogGroup", {"logGroupName": f"/aws/eks/{cluster}/cluster"})
    except RefusedError as refused:
        if refused.code != "ResourceAlreadyExistsException":
            raise


def _group_beside_a_reservation(api: Api, scope: Values) -> None:
    """A reservation may have been made in a group that the settings name; one that the stack makes has its name."""
    from localcloud.providers.aws.side_effects import template_data

    data, cluster = template_data(api, scope), scope["inputs"]["clusterName"]
    group = (data.get("Placement") or {}).get("GroupName")
    block = (data.get("InstanceMarketOptions") or {}).get("MarketType") == "capacity-block"
    held = (data.get("CapacityReservationSpecification") or {}).get("CapacityReservationTarget")
    if group and (block or (held and group.startswith(f"{cluster}-"))):
        raise RefusedError(
            "CreateNodegroup",
            "InsufficientInstanceCapacity",
            f"There is no capacity of the reservation in the placement group {group}",
        )


def _database_identifier(_api: Api, scope: Values) -> None:
    name = scope["inputs"]["identifier"]
    if not re.fullmatch(r"[A-Za-z](-?[A-Za-z0-9])*", name) or len(name) > LONGEST_DATABASE:
        raise RefusedError(
            "CreateDBInstance",
            "InvalidParameterValue",
            f"The parameter DBInstanceIdentifier is not a valid identifier: {name}. Identifiers must begin with a "
            "letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain "
            "two consecutive hyphens.",
        )


def _two_zones_for_databases(api: Api, scope: Values) -> None:
    subnet_ids = scope["inputs"]["subnetIds"]
    subnets = api.call("ec2", scope["region"], "DescribeSubnets", {"SubnetIds": subnet_ids})["Subnets"]
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    if len(zones) < 2:
        raise RefusedError(
            "ModifyDBSubnetGroup" if scope["old"] else "CreateDBSubnetGroup",
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
            f"{', '.join(sorted(zones))}. Add subnets to cover at least 2 AZs.",
        )


def _storage_never_shrinks(_api: Api, scope: Values) -> None:
    inputs, before = scope["inputs"], scope["old"].get("allocatedStorage") or 0
    size, most = inputs.get("allocatedStorage") or 0, inputs.get("maxAllocatedStorage") or 0
    operation = "ModifyDBInstance" if scope["old"] else "CreateDBInstance"
    if size < before:
        kind = f"engine name {inputs['engine']} and storage type {inputs.get('storageType')}"
        raise RefusedError(operation, "InvalidParameterValue", f"Invalid storage size for {kind}: {size}")
    if size < most < size * 1.1:
        raise RefusedError(
            operation,
            "InvalidParameterCombination",
            f"Max storage size must be at least 10% greater than the allocated storage: {most} for {size}",
        )


def _region_not_enabled(api: Api, scope: Values) -> None:
    if scope["region"] is not UNKNOWN and not enabled(scope["region"]):
        raise not_enabled(scope["region"])


def _on(cluster: Moment, log_group: Moment) -> Moment:
    """One habit that two types take part in."""

    def played(api: Api, scope: Values) -> None:
        (cluster if scope["type"].endswith(":Cluster") else log_group)(api, scope)

    return played


def _nothing(api: Api, scope: Values) -> None:
    """A type that takes no part at this moment."""


PLAYERS: Mapping[str, Mapping[str, Moment]] = {
    "one_gateway_an_address": {"creating": _one_gateway_an_address},
    "quota": {"creating": _quota},
    "region_not_enabled": {
        "creating": _region_not_enabled,
        "updating": _region_not_enabled,
        "deleting": _region_not_enabled,
    },
    "secret_waits_for_its_deletion": {"creating": _secret_waits_for_its_deletion},
    "machine_not_sold_in_zone": {"creating": _machine_not_sold_in_zone},
    "endpoint_not_offered_in_zone": {
        "creating": _endpoint_not_offered_in_zone,
        "updating": _endpoint_not_offered_in_zone,
    },
    "addon_version_not_supported": {"creating": refuse_unknown, "updating": refuse_unknown},
    "group_beside_a_reservation": {"creating": _group_beside_a_reservation},
    "spot_has_none": {"creating": _spot_has_none, "updating": _spot_has_none},
    "one_minor_at_a_time": {"updating": _one_minor_at_a_time},
    "cluster_stays_in_its_vpc": {"updating": _cluster_stays_in_its_vpc},
    "cluster_is_protected": {"deleting": _cluster_is_protected},
    "cluster_makes_its_log_group": {
        "created": _on(_cluster_makes_its_log_group, _nothing),
        "updated": _on(_cluster_makes_its_log_group, _nothing),
        "deleted": _on(_nothing, _logging_cluster_makes_it_again),
    },
    # Played where Karpenter's NodePools are made (localcloud/spot_role.py).
    "spot_has_a_role": {},
    # Moto keeps the buckets of all its accounts in one table.
    "bucket_names_are_everybodys": {},
    "database_identifier": {"creating": _database_identifier},
    "two_zones_for_databases": {
        "creating": _two_zones_for_databases,
        "updating": _two_zones_for_databases,
    },
    "storage_never_shrinks": {"creating": _storage_never_shrinks, "updating": _storage_never_shrinks},
    # Moto refuses, and makes the snapshot.
    "database_is_protected": {},
}
