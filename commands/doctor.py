"""Finds what a broken run left behind: dead processes, and cloud resources that no state file knows.

Resources carry the names of the project and the stack as tags: what is tagged and not in the state is a leftover, and
so are the network interfaces and security groups that controllers made. `in_account` asks any account the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import typer
from rich.markup import escape
from rich.table import Table

from commands.console import console
from commands.stacks import StackName
from commands.up.summary import show_waiting
from infra import stacks
from localcloud import cloud
from localcloud.directories import PROJECT
from localcloud.engine import EngineError, Stack
from localcloud.kubernetes import clusters, waiting
from localcloud.toolchain.errors import ToolchainError

ERRORS = (ToolchainError, EngineError)
PROJECT_NAME = "india-ai-infra"


def doctor(stack: StackName = "local") -> None:
    """List what a broken run left behind: processes, cloud resources that the state does not know."""
    if stack not in cloud.stacks():
        stacks.file_of(stack, PROJECT)
    left = leftovers(stack)
    show(left)
    show_waiting(waiting.settle(clusters.recorded(), 0))
    if left:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Leftover:
    """Something that should not be there, and what removes it."""

    kind: str
    name: str
    remedy: str


def leftovers(stack: str) -> list[Leftover]:
    """Everything that this stack's state does not account for."""
    died = cloud.dead_processes()
    if died:
        return [Leftover("process", died, "`make up` begins anew, `make down` clears it")]
    endpoint = cloud.aws_endpoint()
    if endpoint is None:
        return []
    opened = Stack(stack, cloud.environment(endpoint))
    resources = opened.resources()
    found = [Leftover("operation", urn, "`make up` recovers it") for urn in opened.pending()]
    session = boto3.Session("local", "local", region_name=_region(resources))
    return [*found, *in_account(session, stack, _known(resources), endpoint)]


def in_account(
    session: boto3.Session, stack: str, known: set[str], endpoint: str | None = None
) -> Iterator[Leftover]:
    """Leftovers of a stack in an AWS account: tagged as ours and not known, or made by its controllers."""

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint)

    ours = {"project": PROJECT_NAME, "stack": stack}
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(TagFilters=[{"Key": k, "Values": [v]} for k, v in ours.items()]):
        for resource in page["ResourceTagMappingList"]:
            arn = resource["ResourceARN"]
            if not known & {arn, arn.rsplit("/", 1)[-1], arn.rsplit(":", 1)[-1]} and not _ending(client, arn):
                yield Leftover("resource", arn, "delete it in the console, or import it into the stack")
    yield from _in_networks(client("ec2"), ours, known)


def _in_networks(ec2: Any, tags: dict[str, str], known: set[str]) -> Iterator[Leftover]:
    """What controllers and endpoints left in the stack's networks, which then can't be deleted."""
    tagged = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    networks = [vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=tagged)["Vpcs"]]
    if not networks:
        return
    inside = {"Name": "vpc-id", "Values": networks}
    by_controllers = {"Name": "tag-key", "Values": ["kubernetes.io/cluster/*", "elbv2.k8s.aws/cluster"]}
    for group in ec2.describe_security_groups(Filters=[inside, by_controllers])["SecurityGroups"]:
        if group["GroupId"] not in known:
            yield Leftover("security group", group["GroupId"], "made by a controller: delete it")
    ours = {
        address["NetworkInterfaceId"]
        for nat in ec2.describe_nat_gateways(Filters=[inside])["NatGateways"]
        for address in nat["NatGatewayAddresses"]
    }
    for found in ec2.describe_vpc_endpoints(Filters=[inside])["VpcEndpoints"]:
        if found["State"].lower() in ("deleting", "deleted"):  # EC2 shows it for a while
            continue
        if found["VpcEndpointId"] in known:
            ours.update(found.get("NetworkInterfaceIds", ()))
        else:
            yield Leftover("endpoint", found["VpcEndpointId"], "not of this program (GuardDuty?): delete it")
    unattached = {"Name": "status", "Values": ["available"]}
    for card in ec2.describe_network_interfaces(Filters=[inside, unattached])["NetworkInterfaces"]:
        if card["NetworkInterfaceId"] not in ours:
            yield Leftover("network interface", card["NetworkInterfaceId"], "it holds its subnet: delete it")


# EC2 shows these for a while after they have gone, and says so.
_SEEN_AFTER = {
    "natgateway": ("describe_nat_gateways", "NatGatewayIds", "NatGateways"),
    "customer-gateway": ("describe_customer_gateways", "CustomerGatewayIds", "CustomerGateways"),
    "vpn-gateway": ("describe_vpn_gateways", "VpnGatewayIds", "VpnGateways"),
    "vpn-connection": ("describe_vpn_connections", "VpnConnectionIds", "VpnConnections"),
}


def _ending(client: Callable[[str], Any], arn: str) -> bool:
    """Whether something tagged has gone, or is on its way: the tagging API remembers what was deleted for a while."""
    if ":kms:" in arn:  # waits thirty days for its deletion
        return client("kms").describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    for kind, (operation, argument, member) in _SEEN_AFTER.items():
        if f":{kind}/" in arn:
            found = getattr(client("ec2"), operation)(**{argument: [arn.rsplit("/", 1)[-1]]})[member]
            return all(one["State"] in ("deleting", "deleted") for one in found)
    if ":instance/" in arn:
        reservations = client("ec2").describe_instances(InstanceIds=[arn.rsplit("/", 1)[-1]])["Reservations"]
        states = {one["State"]["Name"] for reservation in reservations for one in reservation["Instances"]}
        return states <= {"shutting-down", "terminated"}
    if ":log-group:" in arn:
        name = arn.split(":log-group:")[-1].removesuffix(":*")
        groups = client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        return all(group["logGroupName"] != name for group in groups)
    return False


def show(left: list[Leftover]) -> None:
    """Print what was left behind, with the command that removes it."""
    if not left:
        console.print("[green]✓[/] nothing is left behind")
        return
    table = Table("what", title="Left behind", title_justify="left")
    table.add_column("name", overflow="fold")
    table.add_column("what to do")
    for item in left:
        table.add_row(item.kind, escape(item.name), escape(item.remedy))
    console.print(table)


def _known(resources: list[dict]) -> set[str]:
    """Every id and ARN in the state."""
    ids = {resource.get("id", "") for resource in resources}
    arns = {str((resource.get("outputs") or {}).get("arn", "")) for resource in resources}
    return ids | arns


def _region(resources: list[dict]) -> str:
    providers = [r for r in resources if r["type"] == "pulumi:providers:aws"]
    regions = [r["inputs"]["region"] for r in providers if "region" in r.get("inputs", {})]
    return regions[0] if regions else os.environ.get("AWS_REGION", "ap-south-1")
